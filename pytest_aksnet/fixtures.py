"""The public fixtures. pytest imports this module in every run: no imports but pytest's.

Every fixture rests on `aksnet_session`, which connects; nothing is created before a test asks.
What a factory creates dies with the test (see --aksnet-keep).
"""

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_aksnet.assertions.outside_client import Outside
    from pytest_aksnet.azure_inventory import Arm
    from pytest_aksnet.existing_workloads import ExistingWorkloads
    from pytest_aksnet.factories import (
        Aks,
        IperfFactory,
        ManifestFactory,
        NamespaceFactory,
        NetshootFactory,
        NetworkPolicyFactory,
        ServiceFactory,
    )
    from pytest_aksnet.inventory import Inventory
    from pytest_aksnet.lifetime import TestScope
    from pytest_aksnet.model.peers import NodePool, NodeRef
    from pytest_aksnet.outcomes import CheckState
    from pytest_aksnet.policy_campaign import PolicyCampaign
    from pytest_aksnet.policy_tables import PolicyTables
    from pytest_aksnet.session import AksnetSession

SESSION_KEY: "pytest.StashKey[AksnetSession]" = pytest.StashKey()
STATE_KEY: "pytest.StashKey[CheckState]" = pytest.StashKey()


@pytest.fixture(scope="session")
def aksnet_session(request: pytest.FixtureRequest) -> "AksnetSession":
    """The connected session of this process. Internal: use `aks`."""
    session = request.config.stash[SESSION_KEY]
    session.connect()
    return session


@pytest.fixture(scope="session")
def aks(aksnet_session: "AksnetSession") -> "Aks":
    """The cluster: nodes, pools, network profile, site file, `is_lab`."""
    from pytest_aksnet.factories import Aks

    return Aks(aksnet_session)


@pytest.fixture
def aksnet_node(request: pytest.FixtureRequest, aksnet_session: "AksnetSession") -> "NodeRef":
    """What `node` is parametrised with. Internal."""
    node: NodeRef = request.param
    return node


@pytest.fixture
def aksnet_node_pair(
    request: pytest.FixtureRequest, aksnet_session: "AksnetSession"
) -> "tuple[NodeRef, NodeRef]":
    """What `node_pair` is parametrised with. Internal."""
    pair: tuple[NodeRef, NodeRef] = request.param
    return pair


@pytest.fixture
def aksnet_node_pool(request: pytest.FixtureRequest, aksnet_session: "AksnetSession") -> "NodePool":
    """What `node_pool` is parametrised with. Internal."""
    pool: NodePool = request.param
    return pool


@pytest.fixture
def node(aksnet_node: "NodeRef") -> "NodeRef":
    """One test per node that takes part, sorted by name."""
    return aksnet_node


@pytest.fixture
def node_pair(aksnet_node_pair: "tuple[NodeRef, NodeRef]") -> "tuple[NodeRef, NodeRef]":
    """One test per pair (source, target) of a ring: each node is once source and once target."""
    return aksnet_node_pair


@pytest.fixture
def node_pool(aksnet_node_pool: "NodePool") -> "NodePool":
    """One test per agent pool, sorted by name."""
    return aksnet_node_pool


@pytest.fixture
def aksnet_test(
    request: pytest.FixtureRequest, aksnet_session: "AksnetSession"
) -> "Generator[TestScope]":
    """What one test creates, and its engine. Internal."""
    from pytest_aksnet.lifetime import TestScope

    scope = TestScope(aksnet_session, request.node.stash[STATE_KEY])
    yield scope
    scope.close()


@pytest.fixture
def netshoot(aksnet_test: "TestScope") -> "NetshootFactory":
    """A factory of netshoot pods on chosen nodes; the pods carry the assertions."""
    from pytest_aksnet.factories import NetshootFactory

    return NetshootFactory(aksnet_test)


@pytest.fixture
def iperf(aksnet_test: "TestScope") -> "IperfFactory":
    """A factory of pods that serve iperf3, one throughput check at a time over all workers."""
    from pytest_aksnet.factories import IperfFactory

    return IperfFactory(aksnet_test)


@pytest.fixture
def service(aksnet_test: "TestScope") -> "ServiceFactory":
    """A factory of Services."""
    from pytest_aksnet.factories import ServiceFactory

    return ServiceFactory(aksnet_test)


@pytest.fixture
def network_policy(aksnet_test: "TestScope") -> "NetworkPolicyFactory":
    """A factory of NetworkPolicies."""
    from pytest_aksnet.factories import NetworkPolicyFactory

    return NetworkPolicyFactory(aksnet_test)


@pytest.fixture(scope="session")
def aksnet_campaign(aksnet_session: "AksnetSession") -> "PolicyCampaign":
    """The truth tables of this process, to the end of the run. Internal: use `policy_table`."""
    from pytest_aksnet.policy_sessions import campaign_of

    return campaign_of(aksnet_session)


@pytest.fixture
def policy_table(aksnet_test: "TestScope", aksnet_campaign: "PolicyCampaign") -> "PolicyTables":
    """Truth tables of NetworkPolicies, on pods of the run that are there for nothing else."""
    from pytest_aksnet.policy_tables import PolicyTables

    return PolicyTables(aksnet_test.engine, aksnet_campaign)


@pytest.fixture
def policy_workloads(aksnet_test: "TestScope") -> "ExistingWorkloads":
    """Looks between pods that are there already, without changing anything."""
    from pytest_aksnet.existing_workloads import ExistingWorkloads

    return ExistingWorkloads(aksnet_test)


@pytest.fixture
def namespace(aksnet_test: "TestScope") -> "NamespaceFactory":
    """A factory of namespaces."""
    from pytest_aksnet.factories import NamespaceFactory

    return NamespaceFactory(aksnet_test)


@pytest.fixture
def manifest(aksnet_test: "TestScope") -> "ManifestFactory":
    """A factory of objects from manifests, for kinds that have no factory of their own."""
    from pytest_aksnet.factories import ManifestFactory

    return ManifestFactory(aksnet_test)


@pytest.fixture
def outside(aksnet_test: "TestScope") -> "Outside":
    """Hosts outside the cluster that the site file names, as clients of load balancers."""
    from pytest_aksnet.assertions.outside_client import Outside

    return Outside(aksnet_test.engine, aksnet_test.session.outside_agents)


@pytest.fixture
def inventory(aksnet_test: "TestScope") -> "Inventory":
    """What the API server and Azure Resource Manager say of the network, with assertions."""
    from pytest_aksnet.inventory import Inventory

    return Inventory(aksnet_test.engine)


@pytest.fixture
def arm(aksnet_test: "TestScope") -> "Arm":
    """What Azure Resource Manager says, with assertions that hold it against the cluster.

    Without credentials for Azure the test is skipped, and the reason says how to give them.
    """
    from pytest_aksnet.azure_inventory import Arm

    return Arm(aksnet_test.engine)
