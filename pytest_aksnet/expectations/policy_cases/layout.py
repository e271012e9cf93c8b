"""Who takes part in the cases: three namespaces of three pods, each of which answers on six ports.

Ports are above 1024, as pods of a restricted cluster run without capabilities. What the cases are
known with elsewhere as ports 80 and 81 is 8080 and 8081 here, and 53 to 84 is 8053 to 8084.
"""

from pytest_aksnet.model.policy import PortSpec
from pytest_aksnet.model.policy_table import Layout, NamedPort, TablePod

FIRST, SECOND = 8080, 8081

PORTS = tuple(
    PortSpec(number=number, protocol=protocol)
    for protocol in ("TCP", "UDP", "SCTP")
    for number in (FIRST, SECOND)
)


def port_name(number: int, protocol: str) -> str:
    """What every pod calls that port of its own."""
    return f"serve-{number}-{protocol.lower()}"


def table_pod(namespace: str, name: str) -> TablePod:
    """A pod as all are: labelled with its name, all ports named."""
    return TablePod(
        namespace=namespace,
        name=name,
        labels={"pod": name},
        ports=tuple(
            NamedPort(
                name=port_name(port.number, port.protocol),
                number=port.number,
                protocol=port.protocol,
            )
            for port in PORTS
        ),
    )


LAYOUT = Layout(
    namespaces={name: {"ns": name} for name in ("x", "y", "z")},
    pods=tuple(table_pod(space, name) for space in ("x", "y", "z") for name in ("a", "b", "c")),
    ports=PORTS,
)
