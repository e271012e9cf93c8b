"""`Inventory`: what the API server and Azure say of the network, and the verbs of suites about it.

This class lists the topics; one module per topic in `assertions/` has the verbs. Every verb gives
the fact sheet that it judged, raises ConformanceFailure where what stands there breaks a promise,
and FactUnknown or EnvironmentProblem where it could not be read.
"""

from pytest_aksnet.assertions.dns_objects import DnsObjectVerbs
from pytest_aksnet.assertions.egress_masquerade import MasqueradeVerbs
from pytest_aksnet.assertions.ingress import IngressInventoryVerbs
from pytest_aksnet.assertions.ipam import IpamVerbs
from pytest_aksnet.assertions.load_balancer_facts import LoadBalancerFacts
from pytest_aksnet.assertions.node_inventory import NodeInventoryVerbs
from pytest_aksnet.assertions.pod_inventory import PodAddressVerbs
from pytest_aksnet.assertions.policy_engine import PolicyEngineVerbs
from pytest_aksnet.assertions.service_mesh import MeshInventoryVerbs
from pytest_aksnet.assertions.service_objects import ServiceObjectVerbs
from pytest_aksnet.assertions.upgrade import UpgradeVerbs
from pytest_aksnet.assertions.upgrade_policies import UpgradePolicyVerbs
from pytest_aksnet.assertions.upgrade_workloads import UpgradeWorkloadVerbs


class Inventory(
    UpgradeVerbs,
    UpgradePolicyVerbs,
    UpgradeWorkloadVerbs,
    IpamVerbs,
    PodAddressVerbs,
    DnsObjectVerbs,
    LoadBalancerFacts,
    MasqueradeVerbs,
    NodeInventoryVerbs,
    PolicyEngineVerbs,
    ServiceObjectVerbs,
    IngressInventoryVerbs,
    MeshInventoryVerbs,
):
    """Reads objects, sends no packet."""
