"""Accelerated networking as ARM has it, beside what nodes show of it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pytest_aksnet.expectations.accelerated_networking import SOURCE, judge_present, primary
from pytest_aksnet.expectations.azure_blame import Finding, failed, open_, passed
from pytest_aksnet.expectations.azure_interfaces import main_interface
from pytest_aksnet.expectations.azure_machines import ClusterNode
from pytest_aksnet.model.azure_machines import Interface, VmSize
from pytest_aksnet.model.command_line import shell_line
from pytest_aksnet.model.observation import NicState
from pytest_aksnet.model.resource_id import shown_by
from pytest_aksnet.model.verdict import Outcome, Verdict

BY_DEFAULT = "AKS docs: reduce-latency-ppg (on by default for sizes that have it)"


def judge_shown(state: NicState, found: Sequence[Interface], *, node: str) -> Verdict:
    """Whether a node shows the virtual function that ARM says it has.

    The sentence of a failure names the interface and what shows it.
    """
    verdict = judge_present(state, node=node)
    synthetic = primary(state)
    macs = {one.mac for one in found if one.mac}
    if synthetic is not None and macs and synthetic.mac not in macs:
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence=f"{synthetic.name} of node {node} has the MAC {synthetic.mac}, and ARM knows "
            f"only {', '.join(sorted(macs))} of its machine: these are not the same interface",
            source=SOURCE,
        )
    if verdict.outcome is not Outcome.FAIL:
        return verdict
    nic = main_interface(found)
    return replace(
        verdict,
        sentence=f"{verdict.sentence}, and Azure Resource Manager says enableAcceleratedNetworking "
        f"true of {nic.id} (`{shell_line(shown_by(nic.id))}`): redeploy the machine",
    )


def judge_turned_on(
    node: ClusterNode,
    found: Sequence[Interface],
    size: str,
    sizes: Mapping[str, VmSize],
    *,
    shows_vf: bool | None,
) -> Finding:
    """Whether a node has accelerated networking where its size can.

    `sizes` are by name in lower case; `shows_vf` is what the node was seen to have, None where
    nobody looked.
    """
    nic = main_interface(found)
    can = sizes[size.lower()].accelerates if size.lower() in sizes else None
    called = f"node {node.name} ({size or 'of a size that ARM does not tell'})"
    if nic.accelerated is None:
        return open_(f"ARM does not say whether {called} has accelerated networking")
    if nic.accelerated:
        return passed(f"{called} has accelerated networking", source=BY_DEFAULT)
    if can is None:
        return open_(
            f"{called} has no accelerated networking, and ARM does not say whether its size can"
        )
    if not can:
        return passed(
            f"{called} has none: its size cannot",
            source=BY_DEFAULT,
            warning=f"{called} has no accelerated networking, as its size has none",
        )
    if shows_vf:
        return open_(f"ARM says that {called} has no accelerated networking, and the node shows it")
    if node.is_windows:
        said = f"{called} has no accelerated networking, and its size can"
        return passed(said, source=BY_DEFAULT, warning=f"{said}; of Windows no default is promised")
    seen = "" if shows_vf is None else ", and the node shows no virtual function"
    return failed(
        f"ARM says enableAcceleratedNetworking false of the interface of {called}{seen}: its size "
        "has accelerated networking, and all its packets take the slow path through the host",
        resource=nic.id,
        change="enable accelerated networking, or make the node anew",
        source=BY_DEFAULT,
    )
