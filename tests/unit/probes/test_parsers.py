"""What the parsers make of texts that no tool of this machine prints, and of any text at all."""

import contextlib
import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_aksnet.check import Probe
from pytest_aksnet.model.errors import OutputUnparsable, SettingsError, ToolMissing
from pytest_aksnet.model.execution import Completed
from pytest_aksnet.model.observation import ConnectOutcome, DnsStatus, Observation
from pytest_aksnet.probes.curl import Curl
from pytest_aksnet.probes.dig import Dig
from pytest_aksnet.probes.iperf3 import Iperf3
from pytest_aksnet.probes.nc import Nc
from pytest_aksnet.probes.nic import Nics
from tests.unit import scripted

PROBES: dict[str, Probe[Observation]] = {
    "curl": Curl(host="10.0.0.1", port=80),
    "nc": Nc(host="10.0.0.1", port=80),
    "dig": Dig(name="x.example"),
    "dig-txt": Dig(name="x.example", qtype="TXT", server="10.0.0.10"),
    "iperf3": Iperf3(host="10.0.0.1"),
    "nic": Nics(),
}
each_probe = pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES.keys())
CURL = Curl(host="x", port=80)


def completed(exit_code: int, stdout: str = "", stderr: str = "") -> Completed:
    return Completed(argv=(), exit_code=exit_code, stdout=stdout, stderr=stderr, duration_s=0.1)


def of(text: scripted.Text) -> Completed:
    return completed(text.exit_code, text.stdout, text.stderr)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_CURL_KEYS = st.sampled_from(["exitcode", "errormsg", "http_code", "remote_ip", "time_connect"])
_WORDS = st.sampled_from(
    [
        "interface eth0", "address", "driver hv_netvsc", "mtu 1500", "rx_packets 1", "end",
        "counter vf_rx_packets: 1", ";; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 1",
        ";; ANSWER SECTION:", "x. 5 IN A 10.0.0.1", "x. 5 IN A nonsense", ";; flags: qr tc; Q",
        ";; no servers could be reached", "nc: connect to x port 1 (tcp) failed: what",
        "* connect to x failed: Connection refused", "", "\x00", ";; Query time: 9 msec",
    ]
)  # fmt: skip
_TEXTS = (
    st.text()
    | st.lists(_WORDS, max_size=12).map("\n".join)
    | _JSON.map(json.dumps)
    | st.dictionaries(_CURL_KEYS, _JSON).map(lambda facts: f"\n{json.dumps(facts)}")
)


@each_probe
@given(exit_code=st.integers(-64, 300) | st.just(0), stdout=_TEXTS, stderr=_TEXTS)
def test_any_text_is_read_or_refused_and_never_crashes(
    probe: Probe[Observation], exit_code: int, stdout: str, stderr: str
) -> None:
    missing = exit_code in (126, 127)
    with pytest.raises(ToolMissing) if missing else contextlib.suppress(OutputUnparsable):
        probe.parse(completed(exit_code, stdout, stderr))


@each_probe
@pytest.mark.parametrize("exit_code", [126, 127])
def test_a_tool_that_cannot_be_run_is_missing(probe: Probe[Observation], exit_code: int) -> None:
    with pytest.raises(ToolMissing):
        probe.parse(completed(exit_code, "", "not found"))


@each_probe
@pytest.mark.parametrize("exit_code", [0, 1, 2, 137, -1])
def test_silence_is_unparsable(probe: Probe[Observation], exit_code: int) -> None:
    with pytest.raises(OutputUnparsable):
        probe.parse(completed(exit_code))


@each_probe
def test_argv_has_no_shell_and_only_strings(probe: Probe[Observation]) -> None:
    argv = probe.build()
    assert all(isinstance(argument, str) and argument for argument in argv)
    assert argv[0] in ("curl", "nc", "dig", "iperf3", "sh")
    if argv[0] == "sh":
        assert argv == Nics().build()


# The lines of libcurl 8.23: both forms for a connect that fails at once, ports of both ends.
CURL_8 = {
    "* connect to 127.0.0.1 port 1 from 127.0.0.1 port 60702 failed: Connection refused": (
        ConnectOutcome.REFUSED
    ),
    "* Immediate connect fail for 10.2.0.1: No route to host\n"
    "* connect to 10.2.0.1 port 80 from 0.0.0.0 port 0 failed: No route to host": (
        ConnectOutcome.UNREACHABLE
    ),
    "* connect to 10.2.0.1 port 80 from 0.0.0.0 port 0 failed: Host is unreachable": (
        ConnectOutcome.UNREACHABLE
    ),
    "* connect to 10.2.0.1 port 80 failed: Operation not permitted": ConnectOutcome.OTHER,
    "* connect to ::1 port 1 failed: Connection refused\n"
    "* connect to 127.0.0.1 port 1 failed: No route to host": ConnectOutcome.OTHER,
}


@pytest.mark.parametrize("stderr", CURL_8)
def test_curl_8_names_the_errno_in_other_words(stderr: str) -> None:
    text = scripted.curl(7, error="Could not connect to server")
    seen = CURL.parse(completed(7, text.stdout, stderr))
    assert seen.outcome is CURL_8[stderr]


def test_curl_that_hung_in_the_look_up_is_a_dns_outcome() -> None:
    seen = CURL.parse(of(scripted.curl(28, error="Resolving timed out after 3000 milliseconds")))
    assert seen.outcome is ConnectOutcome.DNS


def test_curl_that_connected_and_heard_nothing_is_no_timeout() -> None:
    seen = CURL.parse(of(scripted.curl(28, error="Operation timed out", connect=0.01)))
    assert seen.outcome is ConnectOutcome.OTHER


def test_curl_whose_exit_status_disagrees_with_its_facts_is_unparsable() -> None:
    with pytest.raises(OutputUnparsable):
        CURL.parse(dataclasses.replace(of(scripted.TIMEOUT), exit_code=0))


def test_a_body_that_is_no_address_names_no_source() -> None:
    seen = CURL.parse(of(scripted.curl(body="<html>sign in</html>")))
    assert (seen.outcome, seen.source_seen) == (ConnectOutcome.CONNECTED, "")


def test_curl_brackets_an_ipv6_host() -> None:
    assert Curl(host="fd00::1", port=80).build()[-1] == "http://[fd00::1]:80/"


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        ("failed: Host is unreachable", ConnectOutcome.UNREACHABLE),
        ("failed: Operation timed out", ConnectOutcome.TIMEOUT),
        ("failed: Permission denied", ConnectOutcome.OTHER),
    ],
)
def test_nc_on_musl_uses_other_words(reason: str, outcome: ConnectOutcome) -> None:
    stderr = f"nc: connect to 10.0.0.1 port 80 (tcp) {reason}\n"
    assert Nc(host="10.0.0.1", port=80).parse(completed(1, "", stderr)).outcome is outcome


def test_dig_status_of_its_own_is_other() -> None:
    answer = Dig(name="x").parse(of(scripted.dig(status="NOTAUTH")))
    assert (answer.status, answer.detail) == (DnsStatus.OTHER, "status NOTAUTH")


def test_dig_older_than_9_18_says_that_it_timed_out_in_other_words() -> None:
    old = completed(9, ";; connection timed out; no servers could be reached\n")
    assert Dig(name="x").parse(old).status is DnsStatus.TIMEOUT


def test_iperf3_server_that_is_busy_measured_nothing() -> None:
    busy = json.dumps({"error": "the server is busy running a test. try again later"})
    with pytest.raises(OutputUnparsable, match="busy"):
        Iperf3(host="x").parse(completed(1, busy))


def test_iperf3_that_moved_nothing_measured_nothing() -> None:
    with pytest.raises(OutputUnparsable):
        Iperf3(host="x").parse(of(scripted.iperf(0)))


@pytest.mark.parametrize(("seconds", "streams"), [(0, 1), (31, 1), (1, 0), (1, 17)])
def test_iperf3_cannot_be_built_without_bounds(seconds: int, streams: int) -> None:
    with pytest.raises(SettingsError):
        Iperf3(host="x", seconds=seconds, streams=streams)


def test_nic_list_that_is_cut_is_unparsable() -> None:
    whole = scripted.nics(packets=10).stdout
    with pytest.raises(OutputUnparsable):
        Nics().parse(completed(0, whole[: whole.rindex("end")]))


def test_nic_of_a_pod_that_ends_meanwhile_is_left_out() -> None:
    whole = scripted.nics(packets=10).stdout
    leaving = "interface azv1\naddress \ndriver \nmaster \nmtu \nrx_packets \ntx_packets \n"
    without = Nics().parse(completed(0, f"{leaving}gone\n{whole}"))
    assert without == Nics().parse(completed(0, whole))
    with pytest.raises(OutputUnparsable, match="azv1"):
        Nics().parse(completed(0, leaving + whole))


def test_nic_counters_belong_to_their_interface() -> None:
    state = Nics().parse(of(scripted.nics(packets=10, through=8)))
    assert state.vf_counters == {"eth0": {"vf_rx_packets": 4, "vf_tx_packets": 4}}
    assert [interface.driver for interface in state.interfaces] == ["hv_netvsc", "mlx5_core"]
