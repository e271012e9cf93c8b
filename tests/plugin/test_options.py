"""Options: what they mean, and the one line that names a value that is wrong."""

from pathlib import Path

import pytest

from pytest_aksnet.lab import options as lab_options
from pytest_aksnet.options import LAB_ENGINES, LAB_MODES, SETTINGS_KEY, Settings
from tests.plugin.inner_run import run_pytest


def settings(pytester: pytest.Pytester, *args: str) -> Settings:
    return pytester.parseconfigure(*args).stash[SETTINGS_KEY]


def test_the_lab_knows_these_modes_and_engines() -> None:
    assert set(LAB_MODES) == set(lab_options.MODES)
    assert set(LAB_ENGINES) == set(lab_options.ENGINES)


def test_nothing_given_means_no_report_and_safe_actions_only(pytester: pytest.Pytester) -> None:
    read = settings(pytester)
    assert read.report_dir is None
    assert not read.is_lab
    assert read.allowed == {"host-network", "bandwidth"}
    assert read.keep == "never"
    assert read.image == "nicolaka/netshoot:v0.13"


@pytest.mark.parametrize(
    ("value", "mode", "engine"),
    [
        ("--aksnet-lab", "overlay", "calico"),
        ("--aksnet-lab=node-subnet", "node-subnet", "calico"),
        ("--aksnet-lab=overlay:cilium", "overlay", "cilium"),
    ],
)
def test_lab_option(pytester: pytest.Pytester, value: str, mode: str, engine: str) -> None:
    read = settings(pytester, value)
    assert (read.lab_mode, read.lab_engine) == (mode, engine)
    assert read.report_dir == pytester.path / "reports"
    assert "load-balancer" in read.allowed


@pytest.mark.parametrize(
    ("text", "lab", "mode", "engine"),
    [
        ('mode = "kubenet"\nengine = "none"\negress = "none"', "", "kubenet", "none"),
        ('mode = "kubenet"', "", "kubenet", "calico"),
        ('mode = "kubenet"\nengine = "none"', "=overlay", "overlay", "none"),
        ('mode = "kubenet"\nengine = "none"', "=overlay:azure", "overlay", "azure"),
        ("", "", "overlay", "calico"),
    ],
)
def test_the_lab_option_overrules_the_spec_file(
    pytester: pytest.Pytester, text: str, lab: str, mode: str, engine: str
) -> None:
    (pytester.path / "lab.toml").write_text(text, encoding="utf-8")
    read = settings(pytester, f"--aksnet-lab{lab}", "--aksnet-lab-spec=lab.toml")
    assert (read.lab_mode, read.lab_engine) == (mode, engine)
    assert read.lab_spec == pytester.path / "lab.toml"


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (None, "cannot be read (No such file or directory); name a lab spec file"),
        (b"mode = ", "is not TOML (Invalid value"),
        (b"mode = '\xff'", "is not TOML ('utf-8'"),
        (b"mode = 'bridged'", "unknown mode 'bridged'; choose one of overlay"),
        (b"engine = 7", "unknown engine 7; choose one of calico"),
    ],
)
def test_a_bad_spec_file_is_one_clear_line(
    pytester: pytest.Pytester, content: bytes | None, named: str
) -> None:
    if content is not None:
        (pytester.path / "lab.toml").write_bytes(content)
    with pytest.raises(pytest.UsageError) as raised:
        settings(pytester, "--aksnet-lab", "--aksnet-lab-spec=lab.toml")
    assert str(raised.value).startswith("--aksnet-lab-spec=")
    assert named in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_command_line_wins_over_the_ini_file(pytester: pytest.Pytester) -> None:
    pytester.makeini(
        """
        [pytest]
        aksnet_report_dir = from-ini
        aksnet_image = registry.example.com/netshoot:1
        aksnet_profile =
            mode=overlay
            cloud=azure
        aksnet_allow = load-balancer capture
        aksnet_keep = failed
        aksnet_tolerate = sku=gpu dedicated:NoSchedule
        aksnet_second_run = refuse
        aksnet_lease_namespace = ci
        """
    )
    read = settings(pytester, "--aksnet-profile=mode=node-subnet", "--aksnet-keep=always")
    assert read.report_dir == pytester.path / "from-ini"
    assert read.image == "registry.example.com/netshoot:1"
    assert read.profile == {"mode": "node-subnet", "cloud": "azure"}
    assert {"load-balancer", "capture"} <= read.allowed
    assert read.keep == "always"
    assert [one["key"] for one in read.tolerations] == ["sku", "dedicated"]
    assert (read.second_run, read.lease_namespace) == ("refuse", "ci")


def test_relative_ini_paths_start_at_the_ini_file(pytester: pytest.Pytester) -> None:
    folder = pytester.mkdir("deep")
    ini = folder / "pytest.ini"
    ini.write_text("[pytest]\naksnet_report_dir = ../reports\n", encoding="utf-8")
    read = settings(pytester, f"-c{ini}")
    assert read.report_dir == pytester.path / "reports"


def test_the_site_file_is_found_where_it_lies(pytester: pytest.Pytester) -> None:
    assert settings(pytester).site_file is None
    Path("aksnet.toml").write_text("", encoding="utf-8")
    assert settings(pytester).site_file == pytester.path / "aksnet.toml"


def test_forbid_takes_away(pytester: pytest.Pytester) -> None:
    read = settings(pytester, "--aksnet-lab", "--aksnet-forbid=host-network")
    assert "host-network" not in read.allowed


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (["--aksnet-lab=bridged"], "--aksnet-lab=bridged: unknown network mode 'bridged'"),
        (["--aksnet-lab=overlay:antrea"], "unknown policy engine 'antrea'"),
        (["--aksnet-lab=overlay:"], "unknown policy engine ''"),
        (["--aksnet-lab-fault=x"], "--aksnet-lab-fault=x needs the lab"),
        (["--aksnet-lab-spec=lab.toml"], "lab.toml needs the lab: add --aksnet-lab"),
        (["--aksnet-lab", "--aksnet-context=prod"], "exclude each other"),
        (["--aksnet-profile=mode"], "--aksnet-profile=mode: write it as KEY=VALUE"),
        (["--aksnet-profile=mood=x"], "unknown fact 'mood'; choose one of mode"),
        (["--aksnet-allow=everything"], "--aksnet-allow=everything: unknown value"),
        (["--aksnet-forbid=everything"], "--aksnet-forbid=everything: unknown value"),
        (["--aksnet-allow=capture", "--aksnet-forbid=capture"], "contradict"),
        (["--aksnet-keep=sometimes"], "choose one of never, failed, always"),
        (["--aksnet-second-run=queue"], "choose one of wait, refuse, share"),
        (["--aksnet-lease-namespace=Default"], "--aksnet-lease-namespace='Default': no name of"),
        (["--aksnet-policy-sets=0"], "--aksnet-policy-sets=0: give a whole number"),
        (
            ["--aksnet-policy-cells=some"],
            "--aksnet-policy-cells=some: unknown value; choose one of all, sample",
        ),
        (
            ["--aksnet-policy-cases=mine"],
            "--aksnet-policy-cases=mine: unknown value; choose one of all, default, netpol",
        ),
        (["--aksnet-max-nodes=0"], "--aksnet-max-nodes=0: give a whole number"),
        (["--aksnet-max-nodes=two"], "--aksnet-max-nodes=two: give a whole number"),
        (["--aksnet-image="], "--aksnet-image is empty"),
        (["--aksnet-image=a; b"], "--aksnet-image='a; b': no image reference; write it as"),
        (["--aksnet-image-pull-secret=A"], "--aksnet-image-pull-secret='A': no name of a Secret"),
        (["--aksnet-tolerate=a:Never"], "--aksnet-tolerate='a:Never': no taint; write it as KEY"),
        (["--aksnet-report-dir=r", "--aksnet-baseline=no.json"], "--aksnet-baseline="),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_value_is_one_clear_line(
    pytester: pytest.Pytester, args: list[str], named: str
) -> None:
    with pytest.raises(pytest.UsageError) as raised:
        settings(pytester, *args)
    assert named in str(raised.value)
    assert "\n" not in str(raised.value)


def test_paths_eaten_by_the_lab_option_are_explained(pytester: pytest.Pytester) -> None:
    pytester.mkdir("suites")
    with pytest.raises(pytest.UsageError, match="write the paths before --aksnet-lab"):
        settings(pytester, "--aksnet-lab", "suites")


def test_a_usage_error_ends_pytest_with_its_exit_code(pytester: pytest.Pytester) -> None:
    result = run_pytest(pytester, "--aksnet-lab=bridged")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --aksnet-lab=bridged: unknown network mode*"])


def test_print_images_needs_no_cluster(pytester: pytest.Pytester) -> None:
    result = run_pytest(pytester, "--aksnet-print-images", "--aksnet-image=mirror/n:1")
    assert result.ret == 0
    assert "mirror/n:1" in result.outlines
