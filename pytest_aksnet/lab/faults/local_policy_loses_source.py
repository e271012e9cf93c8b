"""externalTrafficPolicy Local that does not keep the client's address."""

from pytest_aksnet.lab.contracts import ProxyDefect
from pytest_aksnet.lab.faults.fault import FaultableLab


class LocalPolicyLosesSource:
    """Traffic of externalTrafficPolicy Local Services is masqueraded like that of Cluster ones."""

    name = "local-policy-loses-source"
    describes = (
        "Nodes masquerade traffic of Services with externalTrafficPolicy Local, so pods see a "
        "node's address instead of the client's (Kubernetes docs: Using Source IP)."
    )

    node = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Masquerade it."""
        nodes = {node.name for node in lab.spec.nodes}
        lab.network.knobs.proxy_defects[ProxyDefect.EXTERNAL_LOCAL_MASQUERADED] = nodes
        lab.network.resync()

    async def heal(self, lab: FaultableLab) -> None:
        """Keep the source again."""
        lab.network.knobs.proxy_defects.pop(ProxyDefect.EXTERNAL_LOCAL_MASQUERADED, None)
        lab.network.resync()
