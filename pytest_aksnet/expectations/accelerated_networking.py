"""How a node looks whose accelerated networking is in use, and which traffic proves it."""

from pytest_aksnet.model.observation import Interface, NicState
from pytest_aksnet.model.verdict import Outcome, Verdict

SOURCE = "Azure docs: accelerated-networking-how-it-works"
SYNTHETIC_DRIVER = "hv_netvsc"
# A virtual machine may come back from servicing on other hardware: any of them is right.
VF_DRIVERS = ("mlx4_core", "mlx5_core", "mana")
NEARLY_ALL = 0.90  # SYN and broadcast packets stay on the synthetic path
MIN_PACKETS = 1000


def primary(state: NicState) -> Interface | None:
    """The synthetic interface that holds the node's address."""
    for interface in state.interfaces:
        if interface.driver == SYNTHETIC_DRIVER:
            return interface
    return None


def virtual_function(state: NicState) -> Interface | None:
    """The virtual function below the synthetic interface: its MAC, a VF driver, its master."""
    synthetic = primary(state)
    for interface in state.interfaces:
        if (
            synthetic is not None
            and interface.mac == synthetic.mac
            and interface.driver in VF_DRIVERS
            and interface.master == synthetic.name
        ):
            return interface
    return None


def judge_present(state: NicState, *, node: str) -> Verdict:
    """Whether the node has a virtual function in use. The interface may have any name."""
    synthetic = primary(state)
    if synthetic is None:
        drivers = sorted({interface.driver for interface in state.interfaces if interface.driver})
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence=f"node {node} has no {SYNTHETIC_DRIVER} interface (drivers: "
            f"{', '.join(drivers) or 'none'}): it is no Azure virtual machine",
            source=SOURCE,
        )
    function = virtual_function(state)
    if function is not None:
        return Verdict(
            outcome=Outcome.PASS,
            sentence=f"node {node} has the virtual function {function.name} ({function.driver}) "
            f"below {synthetic.name}",
            source=SOURCE,
        )
    return Verdict(
        outcome=Outcome.FAIL,
        sentence=f"node {node} should have a virtual function below {synthetic.name}, but no "
        f"interface with its MAC {synthetic.mac}, master {synthetic.name} and a driver of "
        f"{', '.join(VF_DRIVERS)} is there: accelerated networking is not in use",
        source=SOURCE,
    )


def judge_used(before: NicState, after: NicState, *, node: str) -> Verdict:
    """Whether nearly all packets between the two looks went through the virtual function."""
    synthetic = primary(after)
    earlier = primary(before)
    present = judge_present(after, node=node)
    if synthetic is None or earlier is None or present.outcome is not Outcome.PASS:
        return present
    total = (synthetic.rx_packets + synthetic.tx_packets) - (
        earlier.rx_packets + earlier.tx_packets
    )
    if not (before.vf_counters.get(earlier.name) and after.vf_counters.get(synthetic.name)):
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence=f"{synthetic.name} of node {node} has no vf_ counters to read",
            source=SOURCE,
        )
    through = _vf_packets(after, synthetic.name) - _vf_packets(before, synthetic.name)
    if total < MIN_PACKETS:
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence=f"only {total} packets passed {synthetic.name} of node {node}: "
            "too few to tell which path they took",
            source=SOURCE,
        )
    seen = f"{through} of {total} packets of node {node} went through its virtual function"
    if through >= NEARLY_ALL * total:
        return Verdict(outcome=Outcome.PASS, sentence=seen, source=SOURCE)
    return Verdict(
        outcome=Outcome.FAIL,
        sentence=f"nearly all packets should go through the virtual function, but only {seen}: "
        "the synthetic path carries the traffic",
        source=SOURCE,
    )


def _vf_packets(state: NicState, name: str) -> int:
    counters = state.vf_counters.get(name, {})
    return counters.get("vf_rx_packets", 0) + counters.get("vf_tx_packets", 0)
