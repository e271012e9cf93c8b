"""What a writer expects of a table: which cells entries mean, and where policies say otherwise."""

from dataclasses import replace

import pytest

from pytest_aksnet.expectations.policy_entries import Way, read_entries, unlike_entries
from pytest_aksnet.model.errors import SettingsError
from pytest_aksnet.model.policy import PortSpec
from pytest_aksnet.model.policy_table import (
    CaseResult,
    CellName,
    CellResult,
    Layout,
    Mark,
    PolicyCase,
    StepResult,
    TablePod,
    TableStep,
)
from tests.truth_tables import PODS

WEB, DNS = PortSpec(number=8080), PortSpec(number=53, protocol="UDP")
LAYOUT = Layout(
    namespaces={"x": {}, "y": {}},
    pods=tuple(TablePod(namespace=key[0], name=key[2:]) for key in PODS),
    ports=(WEB, DNS),
)


def table(*shut: CellName, versions: tuple[int, ...] = (4,)) -> CaseResult:
    """A table in which these cells should be closed, and a way back on which nothing should be."""
    cells = {
        name: CellResult(expected=name not in shut, why="a reason", seen=Mark.OPEN)
        for source in PODS
        for destination in PODS
        for version in versions
        for port in LAYOUT.ports
        for name in (CellName(source, destination, port, version),)
    }
    step = StepResult(
        title="0",
        pods=PODS,
        ports=LAYOUT.ports,
        cells=cells,
        policies=(),
        converged_s=None,
        duration_s=0.0,
        probes=0,
    )
    back = replace(step, cells={name: replace(one, expected=True) for name, one in cells.items()})
    case = PolicyCase(
        id="own-1", family="own", title="t", layout=LAYOUT, steps=(TableStep(title="0"),)
    )
    return CaseResult(
        case=case, steps=(step, back), started=0, duration_s=0, engine="e", document="d"
    )


def unlike(result: CaseResult, expected: dict[str, Way]) -> list[str]:
    return unlike_entries(result, read_entries(expected, LAYOUT))


SHUT = tuple(CellName(source, "x/a", port) for source in ("x/b", "y/a") for port in LAYOUT.ports)


def test_entries_that_say_what_the_policies_say_are_silent() -> None:
    assert unlike(table(*SHUT), {"* -> *": "open", "* -> x/a": "closed"}) == []


def test_later_entries_win() -> None:
    [said] = unlike(table(*SHUT), {"* -> x/a": "closed", "y/* -> x/a UDP/53": "open"})
    assert said == "y/a to x/a at UDP 53 is expected to be open, but a reason"


def test_a_wildcard_means_no_pod_itself_and_a_name_does() -> None:
    result = table(*SHUT, CellName("x/a", "x/a", WEB))
    assert unlike(result, {"* -> x/a": "closed"}) == []
    assert unlike(result, {"* -> *": "open", "* -> x/a": "closed"}) == []
    assert len(unlike(result, {"x/a -> x/a": "closed"})) == 1


@pytest.mark.parametrize("versions", [(4,), (6,), (4, 6)])
def test_all_address_families_of_a_table_are_compared(versions: tuple[int, ...]) -> None:
    found = unlike(table(versions=versions), {"y/a -> x/a TCP/8080": "closed"})
    assert [("over IPv6" in one) for one in found] == [version == 6 for version in versions]


@pytest.mark.parametrize(
    "text", ["* -> x/c", "z/* -> *", "* -> x/a TCP/9090", "* -> x/a SCTP/*", "* -> x/a 8080"]
)
def test_an_entry_that_names_no_cell_is_told_with_what_there_is(text: str) -> None:
    with pytest.raises(SettingsError) as error:
        read_entries({"* -> *": "open", text: "closed"}, LAYOUT)
    assert f"{text!r}: 'closed'" in str(error.value)
    assert "x/a, x/b, y/a and the ports TCP/8080, UDP/53" in str(error.value)


@pytest.mark.parametrize(
    ("text", "way"),
    [("x/a", "open"), ("-> x/a", "open"), ("x/a ->", "open"), ("x/a -> x/b", "shut"), ("", "open")],
)
def test_an_entry_that_cannot_be_read_is_told_with_its_shape(text: str, way: Way) -> None:
    with pytest.raises(SettingsError, match="write it as 'SOURCE -> DESTINATION'") as error:
        read_entries({text: way}, LAYOUT)
    assert f"{text!r}: {way!r}" in str(error.value)
