"""Whoever is looked at may answer with anything: it stays data, bounded, and is still judged."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_aksnet.model.errors import OutputUnparsable, SettingsError
from pytest_aksnet.model.execution import Completed
from pytest_aksnet.model.observation import ConnectOutcome, DnsStatus
from pytest_aksnet.probes.curl import Curl
from pytest_aksnet.probes.dig import Dig
from pytest_aksnet.probes.iperf3 import Iperf3
from pytest_aksnet.probes.nc import Nc

HOSTS = [
    "-o/tmp/x",
    "a b",
    "a\nb",
    "a\0b",
    "$(id)",
    "a/b",
    "a?b",
    "u@h",
    "{a,b}",
    "[1-9]",
    "",
    "a;b",
]
TIMED_OUT = 28


def curl_run(body: str, exit_code: int = 0, **facts: object) -> Completed:
    """What curl leaves behind a body: its facts on a line of their own."""
    known = {"exitcode": exit_code, "time_connect": 0.1, "http_code": 200, **facts}
    return Completed(
        argv=("curl",),
        exit_code=exit_code,
        stdout=f"{body}\n{json.dumps(known)}",
        stderr="",
        duration_s=0.1,
    )


@pytest.mark.parametrize("host", HOSTS)
def test_no_tool_is_given_what_is_no_host(host: str) -> None:
    for build in (
        lambda: Curl(host=host, port=80),
        lambda: Nc(host=host, port=80),
        lambda: Iperf3(host=host),
    ):
        with pytest.raises(SettingsError, match="is no host to look at"):
            build()


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "fd00::1", "fe80::1%eth0", "a-b.example", "_x.y", "grün.de"]
)
def test_hosts_are_taken(host: str) -> None:
    assert Curl(host=host, port=80).build()[-1].startswith("http://")
    assert Nc(host=host, port=80).build()[-2] == host


@pytest.mark.parametrize("name", ["", "a\0b", "a\nb", "\x1b[31m", "\ud800", "a" * 2000])
def test_no_dns_server_is_asked_for_what_cannot_be_shown(name: str) -> None:
    with pytest.raises(SettingsError, match="is no name to look up"):
        Dig(name=name)


@pytest.mark.parametrize(
    "name", ["-f/etc/passwd", "+trace", "@evil", "a b", "$(id)", "x;y", "\\027"]
)
def test_a_name_is_a_name_to_dig(name: str) -> None:
    assert Dig(name=name).build()[-2:] == ("-q", name)


@pytest.mark.parametrize("qtype", ["AXFR", "ixfr", "-f", "A B", ""])
def test_no_zone_is_fetched_whole(qtype: str) -> None:
    with pytest.raises(SettingsError, match="is no type of record"):
        Dig(name="a", qtype=qtype)


@pytest.mark.parametrize("path", ["", "x", "/a b", "/a\nb", "/\x1b", "/ü"])
def test_no_path_breaks_the_request(path: str) -> None:
    with pytest.raises(SettingsError, match="is no path"):
        Curl(host="10.0.0.1", port=80, path=path)


@given(st.text(max_size=500))
def test_any_body_is_an_answer(body: str) -> None:
    seen = Curl(host="10.0.0.1", port=80).parse(curl_run(body))
    assert seen.outcome is ConnectOutcome.CONNECTED
    assert len(seen.answered_by) <= 253


@pytest.mark.parametrize(
    "source", ["fe80::1%<script>", "fe80::1%\x1b[31m", "10.0.0.1\n", "10.0.0.1%x", "<b>", "0x7f.1"]
)
def test_a_source_is_an_address_and_nothing_more(source: str) -> None:
    body = json.dumps({"source": source, "pod": "a"})
    assert Curl(host="10.0.0.1", port=80).parse(curl_run(body)).source_seen == ""


@pytest.mark.parametrize("depth", [10, 60_000])
def test_deep_nesting_is_no_reflector(depth: int) -> None:
    assert Curl(host="10.0.0.1", port=80).parse(curl_run("[" * depth)).answered_by == ""


def test_the_name_of_whom_answers_is_bounded() -> None:
    body = json.dumps({"source": "10.0.0.1", "pod": "x" * 60_000})
    assert Curl(host="10.0.0.1", port=80).parse(curl_run(body)).answered_by == "x" * 253


def test_who_answers_at_length_is_connected() -> None:
    long = curl_run("x" * 70_000, TIMED_OUT, size_download=70_000)
    assert Curl(host="10.0.0.1", port=80).parse(long).outcome is ConnectOutcome.CONNECTED
    drip = curl_run("x" * 10, TIMED_OUT, size_download=10)
    assert Curl(host="10.0.0.1", port=80).parse(drip).outcome is ConnectOutcome.OTHER


def test_a_curl_that_did_not_look_is_no_observation() -> None:
    with pytest.raises(OutputUnparsable, match="did not look"):
        Curl(host="10.0.0.1", port=80).parse(curl_run("", 27, errormsg="out of memory"))


def dig_run(answer: str) -> Completed:
    text = (
        ";; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 1\n"
        ";; flags: qr rd ra; QUERY: 1, ANSWER: 1\n\n;; ANSWER SECTION:\n" + answer + "\n\n"
        ";; Query time: 0 msec\n;; SERVER: 10.0.0.10#53(10.0.0.10) (UDP)\n"
    )
    return Completed(argv=("dig",), exit_code=0, stdout=text, stderr="", duration_s=0.1)


def test_what_a_record_says_is_no_word_of_dig() -> None:
    said = r'a. 5 IN TXT "Truncated, retrying" "\;\; connection timed out" "$(id)\027[31m<b>"'
    answer = Dig(name="a", qtype="TXT").parse(dig_run(said))
    assert answer.status is DnsStatus.NOERROR
    assert not answer.truncated
    assert answer.detail == ""
    assert len(answer.addresses) == 1
