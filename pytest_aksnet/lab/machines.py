"""Makes the lab's machines: the fabric, the nodes, the hosts outside the cluster.

Imports little: it runs while the rest of the lab is being imported (see `serve`).
"""

import asyncio

from pytest_aksnet.lab.container.context import BootContext
from pytest_aksnet.lab.contracts import Sandbox
from pytest_aksnet.lab.controllers.kubelet import naming
from pytest_aksnet.lab.spec import LabSpec

FABRIC = "fabric"


async def create_machines(context: BootContext, spec: LabSpec) -> dict[str, Sandbox]:
    """All machines by name. Raises OSError."""
    of_nodes = naming.node_resolv_conf(spec)
    resolv_confs = {
        FABRIC: b"",
        **{node.name: of_nodes for node in spec.nodes},
        **{host.name: naming.host_resolv_conf(spec, host) for host in spec.hosts},
    }
    machines = await asyncio.gather(
        *(
            context.runtime.create_machine(
                name,
                hostname=name,
                etc={
                    "hostname": f"{name}\n".encode(),
                    "hosts": f"127.0.0.1\tlocalhost\n127.0.1.1\t{name}\n".encode(),
                    "resolv.conf": resolv_conf,
                },
            )
            for name, resolv_conf in resolv_confs.items()
        )
    )
    return dict(zip(resolv_confs, machines, strict=True))
