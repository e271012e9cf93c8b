"""`Arm`: what Azure Resource Manager says, and the verbs of suites that hold it against packets.

This class lists the topics; one module per topic in `assertions/azure_*` has the verbs. Every verb
gives the fact sheet that it judged, raises ConformanceFailure where Azure and the cluster do not
fit or Azure's own set-up breaks a promise, ArmForbidden (a skip) where the identity may not look,
and Inconclusive where there was no answer.
"""

from pytest_aksnet.assertions.azure_api_server import AzureApiServerVerbs
from pytest_aksnet.assertions.azure_balancers import AzureBalancerVerbs
from pytest_aksnet.assertions.azure_cluster import AzureClusterVerbs
from pytest_aksnet.assertions.azure_departures import AzureDepartureVerbs
from pytest_aksnet.assertions.azure_drift import AzureDriftVerbs
from pytest_aksnet.assertions.azure_egress import AzureEgressVerbs
from pytest_aksnet.assertions.azure_networks import AzureNetworkVerbs
from pytest_aksnet.assertions.azure_nodes import AzureNodeVerbs
from pytest_aksnet.assertions.azure_outbound import AzureOutboundVerbs
from pytest_aksnet.assertions.azure_private import AzurePrivateVerbs
from pytest_aksnet.assertions.azure_routes import AzureRouteVerbs
from pytest_aksnet.assertions.azure_security import AzureSecurityVerbs
from pytest_aksnet.assertions.azure_surge import AzureSurgeVerbs
from pytest_aksnet.assertions.azure_upgrade import AzureUpgradeVerbs
from pytest_aksnet.assertions.azure_zones import AzureZoneVerbs


class Arm(
    AzureSurgeVerbs,
    AzureNetworkVerbs,
    AzureRouteVerbs,
    AzureNodeVerbs,
    AzureOutboundVerbs,
    AzureDepartureVerbs,
    AzureBalancerVerbs,
    AzureSecurityVerbs,
    AzurePrivateVerbs,
    AzureZoneVerbs,
    AzureUpgradeVerbs,
    AzureEgressVerbs,
    AzureDriftVerbs,
    AzureApiServerVerbs,
    AzureClusterVerbs,
):
    """Reads ARM, once per run for all checks; packets are sent by the pods that it is given."""
