"""`Arm`: what Azure Resource Manager says, and the verbs of suites that hold it against packets.

This class lists the topics; one module per topic in `assertions/azure_*` has the verbs. Every verb
gives the fact sheet that it judged, raises ConformanceFailure where Azure and the cluster do not
fit or Azure's own set-up breaks a promise, ArmForbidden (a skip) where the identity may not look,
and Inconclusive where there was no answer.
"""

from pytest_aksnet.assertions.azure_cluster import AzureClusterVerbs


class Arm(
    AzureClusterVerbs,
):
    """Reads ARM, once per run for all checks; packets are sent by the pods that it is given."""
