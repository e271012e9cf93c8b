"""Controls: every check is in the one file that says what it proves, and that file is right."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from pytest_aksnet.catalogue import read_entries
from pytest_aksnet.control_file import check_ids, read_controls
from pytest_aksnet.model.errors import SettingsError
from pytest_aksnet.own_policies import POD_CHECK, POLICY_CHECK
from tests.own_controls import OWN

SUITES = Path(__file__).parents[2] / "suites"
CONTROLS = read_controls(None)
WANTED = {
    "cis-aks-1.8": "3.2.4 4.2.4 4.4.1 4.4.2 5.4.1 5.4.2 5.4.3 5.4.4 5.4.5",
    "cis-kubernetes-1.12": "4.2.4 4.3.1 5.3.1 5.3.2",
    "mcsb-1": "NS-1 NS-2 NS-3 NS-4 NS-5 NS-6 NS-7 NS-8 NS-9 NS-10 PV-2",
    "waf-aks-2026-07": "reliability-outbound reliability-addresses reliability-plugin "
    "security-egress security-private-cluster security-policies security-web-firewall "
    "performance-dns performance-nic performance-size",
    "aks-egress-2026-08": "api-server registry management sign-in packages tunnel time",
}


def own(folder: Path, text: str = OWN) -> Path:
    path = folder / "controls.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_check_is_told_of_once() -> None:
    suites = {entry.id for entry in read_entries(SUITES)} | {POLICY_CHECK, POD_CHECK}
    known = check_ids()
    assert sorted(suites - known) == [], "put them into report/controls.toml: a control, or others"
    assert sorted(known - suites) == [], "take them out of report/controls.toml"


def test_what_proves_a_control_is_not_among_the_others() -> None:
    text = (SUITES.parent / "pytest_aksnet/report/controls.toml").read_text(encoding="utf-8")
    others = text.partition("others = [")[2].partition("]")[0]
    told = Counter(ast.literal_eval(f"[{others}]"))
    assert [check for check, n in told.items() if n > 1 or CONTROLS.names_of(check)] == []


@pytest.mark.parametrize("name", WANTED)
def test_the_frameworks_have_the_controls_that_audits_ask_for(name: str) -> None:
    [found] = [one for one in CONTROLS.frameworks if one.id == name]
    assert set(WANTED[name].split()) <= {control.id for control in found.controls}


def test_no_check_of_the_suites_says_it_a_second_time() -> None:
    twice = [
        str(file.relative_to(SUITES))
        for file in sorted(SUITES.rglob("test_*.py"))
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.keyword) and call.arg == "controls"
    ]
    assert twice == [], "say it in report/controls.toml instead"


def test_a_check_has_the_controls_of_all_frameworks() -> None:
    names = CONTROLS.names_of("network-policy.default-deny-ingress")
    assert {"CIS AKS 4.4.2", "CIS AKS 5.4.4", "CIS Kubernetes 5.3.2", "MCSB NS-1"} <= set(names)
    assert CONTROLS.names_of("nobody.knows") == ()


def test_an_own_file_adds_a_framework(tmp_path: Path) -> None:
    controls = read_controls(own(tmp_path))
    assert [one.id for one in controls.frameworks] == [*WANTED, "acme-1"]
    assert controls.names_of("acme.own-check") == ("ACME 7",)
    locked = controls.frameworks[-1].controls[-1]
    assert (locked.checks, locked.blind) == ((), "Nobody can see the doors from a pod.")


def test_an_own_file_replaces_a_framework(tmp_path: Path) -> None:
    controls = read_controls(own(tmp_path, OWN.replace("acme-1", "mcsb-1")))
    assert [one.id for one in controls.frameworks] == list(WANTED)
    assert "MCSB NS-1" not in controls.names_of("network-policy.engine-present")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"dns.service-name"', '"dns.servce-name"', "did you mean dns.service-name?"),
        ('"acme.own-check"', '"dns.service-name"', "is there 2 times; keep one"),
        ("looks =", "look =", "framework[0].control[0].look: unknown key"),
        ('blind = "Nobody', 'checks = ["x.y"]\nblind = "Nobody', "and not both"),
        ('blind = "Nobody can see the doors from a pod."', "", "or in blind why no check can"),
        ('id = "8"', 'id = "7"', "the id '7' is there 2 times"),
        ('id = "acme-1"', 'id = "../x"', "names a file: use a-z"),
        ('id = "acme-1"', "", "framework[0].id: must be a string"),
        ("https://", "ftp://", "framework[0].source: must be an address"),
        ('looks = "What pods are answered."', "", "framework[0].control[0].looks: must be"),
        ("[[framework]]", "[framework]", "framework: must be an array"),
        ('id = "acme-1"', "id = ", "not TOML"),
        ('checks = ["dns', 'checks = [7, "dns', "control[0].checks[0]: must be a string"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert OWN.count(old)
    path = own(tmp_path, OWN.replace(old, new, 1))
    with pytest.raises(SettingsError) as error:
        read_controls(path)
    assert str(error.value).startswith(f"--aksnet-controls={path}: ")
    assert says in str(error.value)


@pytest.mark.parametrize("text", ["", "[[framework]]\n"])
def test_a_file_without_controls_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match="--aksnet-controls="):
        read_controls(own(tmp_path, text))


def test_a_framework_without_controls_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"begin one with \[\[framework.control\]\]"):
        read_controls(own(tmp_path, OWN.partition("[[framework.control]]")[0]))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        read_controls(tmp_path / "gone.toml")
