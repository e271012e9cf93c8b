"""How the names of faults are read: NAME[=VALUE][@NODE]."""

import re

import pytest

from pytest_aksnet.lab.faults.fault import Fault
from pytest_aksnet.lab.faults.naming import (
    UnfitFault,
    UnknownFault,
    all_faults,
    find_fault,
    label,
    refusal,
)
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
        ("packet-loss=0.2", "packet-loss=0.2"),
        (f"packet-loss@{NODE}", f"packet-loss=0.05@{NODE}"),
        ("rx-drops=0.5", f"rx-drops=0.5@{SPEC.nodes[-1].name}"),
        (f"throughput-capped=2@{NODE}", f"throughput-capped=2@{NODE}"),
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
        ("nonsense=1", "unknown fault 'nonsense': known are "),
        ("rx-drop", "unknown fault 'rx-drop': did you mean rx-drops"),
    ],
)
def test_what_is_wrong_is_named(text: str, words: str) -> None:
    with pytest.raises(UnknownFault) as refused:
        find_fault(text, SPEC)
    assert str(refused.value).startswith(words)


def test_each_name_is_that_of_one_fault() -> None:
    faults = all_faults(SPEC)
    names = [fault.name for fault in faults]
    assert names == sorted(set(names))
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in names)
    for fault in faults:
        if not refusal(fault, SPEC):
            assert label(find_fault(fault.name, SPEC)) == label(fault)


@pytest.mark.parametrize("fault", all_faults(SPEC), ids=lambda fault: fault.name)
def test_each_says_in_a_sentence_what_it_imitates_and_where_that_is_written(fault: Fault) -> None:
    told = fault.describes
    assert re.search(r" \(.+\)\.$", told), "the source is in parentheses at the end"
    assert not re.search(r"\. [A-Z]", re.sub(r"\([^()]*\)", "", told)), "one sentence"
    assert "\n" not in told


def test_a_fault_that_the_lab_cannot_have_is_refused_with_the_remedy() -> None:
    refused = [fault for fault in all_faults(SPEC) if refusal(fault, SPEC)]
    for fault in refused:
        with pytest.raises(UnfitFault) as raised:
            find_fault(fault.name, SPEC)
        assert str(raised.value) == f"{fault.name}: {refusal(fault, SPEC)}"
        assert "\n" not in str(raised.value)
    assert refused, "at least one fits other labs only"
