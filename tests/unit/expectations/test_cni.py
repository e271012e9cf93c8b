"""Which network plugin a node must be configured for, and what its state may hold."""

import pytest

from pytest_aksnet.expectations.cni import expected_plugin, judge_configs, judge_state
from pytest_aksnet.model.errors import OutputUnparsable
from pytest_aksnet.model.execution import Completed
from pytest_aksnet.model.observation import CniState
from pytest_aksnet.model.profile import Fact, NetworkProfile
from pytest_aksnet.model.verdict import Outcome
from pytest_aksnet.probes.cni import CniFiles

OVERLAY = ("azure-vnet", "azure-cns")


def state(*configs: str, plugin: str = "azure-vnet", ipam: str = "azure-cns") -> CniState:
    plugins = (plugin,) if configs else ()
    return CniState(configs=configs, plugins=plugins, ipam=ipam, addresses=None)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"mode": "overlay"}, OVERLAY),
        ({"mode": "node-subnet", "policy-engine": "calico"}, ("azure-vnet", "azure-vnet-ipam")),
        ({"mode": "overlay", "policy-engine": "cilium"}, ("cilium-cni", "azure-ipam")),
        ({"mode": "kubenet"}, ("bridge", "host-local")),
        ({"mode": "byo"}, None),
        ({"mode": "none-aks", "cloud": "other"}, None),
    ],
)
def test_expected(facts: dict[str, str], expected: tuple[str, str] | None) -> None:
    known = {"cloud": "azure", **facts}
    profile = NetworkProfile(
        facts={name: Fact(value=value, source="test") for name, value in known.items()}, unknown={}
    )
    assert expected_plugin(profile) == expected


def test_configs() -> None:
    good, other = state("15-azure.conflist"), state("01-x.conf", plugin="bridge", ipam="host-local")
    assert judge_configs({"a": good, "b": good}, OVERLAY).outcome is Outcome.PASS
    failed = judge_configs({"a": good, "b": other}, OVERLAY)
    assert (failed.outcome, "node b" in failed.sentence) == (Outcome.FAIL, True)
    assert judge_configs({"a": good, "b": state()}, OVERLAY).outcome is Outcome.FAIL
    assert judge_configs({"a": other, "b": other}, None).outcome is Outcome.PASS
    odd = judge_configs({"a": other, "b": other, "c": good}, None)
    assert (odd.outcome, "node c" in odd.sentence) == (Outcome.FAIL, True)
    assert judge_configs({}, OVERLAY).outcome is Outcome.INCONCLUSIVE


def test_state() -> None:
    assert judge_state({"a": set(), "b": set()}).outcome is Outcome.PASS
    failed = judge_state({"a": set(), "b": {"10.244.1.9"}})
    assert (failed.outcome, "10.244.1.9" in failed.sentence) == (Outcome.FAIL, True)


def completed(stdout: str, exit_code: int = 0) -> Completed:
    return Completed(argv=("sh",), exit_code=exit_code, stdout=stdout, stderr="", duration_s=0.1)


def test_the_first_file_by_name_counts() -> None:
    text = (
        'file /host/cni/10-b.conflist\n {"plugins": [{"type": "azure-vnet", "ipam": {}}]}\n'
        'file /host/cni/01-a.conf\n {"type": "bridge", "ipam": {"type": "host-local"}}\nend\n'
    )
    assert CniFiles().parse(completed(text)) == CniState(
        configs=("01-a.conf", "10-b.conflist"),
        plugins=("bridge",),
        ipam="host-local",
        addresses=None,
    )


@pytest.mark.parametrize(
    "output",
    ["", "file /host/cni/a.conf\n {\nend\n", "stray\nend\n", "file /host/cni/a.conf\n 7\nend\n"],
)
def test_what_does_not_read(output: str) -> None:
    with pytest.raises(OutputUnparsable):
        CniFiles().parse(completed(output))


def test_a_file_that_may_not_be_read() -> None:
    with pytest.raises(OutputUnparsable):
        CniFiles().parse(completed("file /host/run/azure-vnet.json\n", 1))
