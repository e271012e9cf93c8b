"""How the names of faults are read: NAME[=VALUE][@NODE]."""

import pytest

from pytest_aksnet.lab.faults.registry import UnknownFault, all_faults, find_fault, label
from pytest_aksnet.lab.layout import default_spec

SPEC = default_spec("overlay", "calico")
NODE = SPEC.nodes[0].name


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("api-429=0.25", "api-429=0.25"),
        ("api-429", "api-429=0.05"),
        ("api-latency=2", "api-latency=2"),
        ("private-zone-unlinked", "private-zone-unlinked"),
        (f"nic-without-vf@{NODE}", f"nic-without-vf@{NODE}"),
    ],
)
def test_names_are_read(text: str, means: str) -> None:
    assert label(find_fault(text, SPEC)) == means


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "api-429=much",
            "api-429=much: expected is the probability per request, a number above 0 and up to 1, "
            "such as 0.05",
        ),
        ("api-429=0", "api-429=0: expected is the probability"),
        ("api-429=1.5", "api-429=1.5: expected is the probability"),
        ("api-latency=nan", "api-latency=nan: expected is the seconds added, a number above 0"),
        ("api-latency=inf", "api-latency=inf: expected is the seconds added, a number above 0"),
        ("private-zone-unlinked=1", "private-zone-unlinked has no value: leave out =1"),
        (f"nic-without-vf=1@{NODE}", "nic-without-vf has no value: leave out =1"),
        (f"api-429=0.1@{NODE}", f"api-429 is a fault of the whole cluster: leave out @{NODE}"),
        ("nic-without-vf@x", "unknown node 'x': the lab has "),
        ("nonsense=1", "unknown fault 'nonsense': known are api-429, "),
    ],
)
def test_what_is_wrong_is_named(text: str, words: str) -> None:
    with pytest.raises(UnknownFault) as refused:
        find_fault(text, SPEC)
    assert str(refused.value).startswith(words)


def test_each_name_is_that_of_one_fault() -> None:
    names = [fault.name for fault in all_faults(SPEC)]
    assert names == sorted(set(names))
    assert all(label(find_fault(name, SPEC)).startswith(name) for name in names)
