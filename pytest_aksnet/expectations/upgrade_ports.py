"""SNAT ports of a load balancer for the nodes that there are, and that an upgrade adds. Pure.

Sources: Azure docs load-balancer-outbound-connections (ports by size of the pool, 64,000 ports of
each address), AKS docs load-balancer-standard (fixed ports: count the surge).
"""

from pytest_aksnet.model.errors import FactUnknown
from pytest_aksnet.model.verdict import Outcome, Verdict

SNAT = "Azure docs: load-balancer-outbound-connections; AKS docs: load-balancer-standard"
_PORTS_OF_AN_ADDRESS = 64_000
# Machines up to, and the ports of each where nobody fixed them.
_BY_SIZE = ((50, 1024), (100, 512), (200, 256), (400, 128), (800, 64), (1000, 32))


def ports_by_size(nodes: int) -> int:
    """What each of so many machines gets by itself; 0 beyond a thousand."""
    return next((ports for most, ports in _BY_SIZE if nodes <= most), 0)


def nodes_with_ports(ports: int, addresses: int) -> int:
    """For how many machines so many addresses have the fixed `ports` of each."""
    return _PORTS_OF_AN_ADDRESS * addresses // ports


def judge_snat_ports(
    nodes: int, surge: int, *, outbound_type: str | None, ports: int | None, addresses: int | None
) -> Verdict:
    """All nodes have SNAT ports during an upgrade, and no running node loses half of its own.

    `ports` of each node are fixed, 0 for automatic. What is None is not known. Raises FactUnknown
    where it matters.
    """
    most = nodes + surge
    now, then = ports_by_size(nodes), ports_by_size(most)
    seen = f"{nodes} nodes, and {most} during an upgrade"
    if ports:
        if addresses is None:
            raise FactUnknown(
                "the number of outbound addresses is not known; Azure tells it to an identity that "
                "may read the managed cluster"
            )
        fit = nodes_with_ports(ports, addresses)
        if fit < most:
            return _verdict(
                Outcome.FAIL,
                f"every node must get its {ports} SNAT ports: {addresses} addresses have them for "
                f"{fit} nodes, and there are {seen}",
            )
        return _verdict(Outcome.PASS, f"each of {most} nodes gets its {ports} SNAT ports ({seen})")
    if now == then:
        return _verdict(Outcome.PASS, f"each node has {now} SNAT ports or more by itself ({seen})")
    if outbound_type is None:
        raise FactUnknown(
            f"an upgrade crosses a size at which nodes lose half of their SNAT ports ({seen}), if "
            "the load balancer gives them; set --aksnet-profile outbound-type=VALUE"
        )
    if outbound_type != "loadBalancer":
        return _verdict(Outcome.PASS, f"nodes share SNAT ports with outbound type {outbound_type}")
    return _verdict(
        Outcome.FAIL,
        f"an upgrade must not halve the SNAT ports of running nodes: {now} each, {then} while "
        f"there are {most} nodes",
    )


def _verdict(outcome: Outcome, sentence: str) -> Verdict:
    return Verdict(outcome=outcome, sentence=sentence, source=SNAT)
