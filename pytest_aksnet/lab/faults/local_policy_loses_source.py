"""externalTrafficPolicy Local that does not keep the client's address."""

from pytest_aksnet.lab.faults.service_proxy import DefectiveProxies
from pytest_aksnet.lab.network_knobs import ProxyDefect


class LocalPolicyLosesSource(DefectiveProxies):
    """Traffic of externalTrafficPolicy Local Services is masqueraded like that of Cluster ones."""

    name = "local-policy-loses-source"
    describes = (
        "Nodes masquerade traffic of Services with externalTrafficPolicy Local, so pods see a "
        "node's address instead of the client's (Kubernetes docs: Using Source IP)."
    )
    defect = ProxyDefect.EXTERNAL_LOCAL_MASQUERADED
