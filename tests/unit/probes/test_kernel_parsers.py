"""The texts of /proc of several kernels, and outputs that are none."""

import pytest

from pytest_aksnet.model.errors import OutputUnparsable, ToolMissing
from pytest_aksnet.model.execution import Completed
from pytest_aksnet.model.observation import HttpText
from pytest_aksnet.probes.http_text import GetText
from pytest_aksnet.probes.kernel import Kernel
from pytest_aksnet.probes.procfs import conntrack_stat, default_interface, protocol_counters

# Linux 4.15 and 6.x; the second has a column more between two blanks.
OLD = (
    "entries  searched found new invalid ignore delete delete_list insert insert_failed drop "
    "early_drop icmp_error  expect_new expect_create expect_delete search_restart\n"
    "0000012c  00000000 00000000 00000000 00000003 0000000a 00000000 00000000 00000000 00000001 "
    "0000000f 00000000 00000000  00000000 00000000 00000000 00000000\n"
    "0000012c  00000000 00000000 00000000 00000002 0000000a 00000000 00000000 00000000 00000001 "
    "00000001 00000002 00000000  00000000 00000000 00000000 00000000\n"
)
NEW = OLD.replace("searched", "clashres").replace("delete_list", "chainlength")


@pytest.mark.parametrize("text", [OLD, NEW])
def test_conntrack_is_read_by_its_heading_and_summed(text: str) -> None:
    read = conntrack_stat(text)
    assert {name: read[name] for name in ("entries", "insert_failed", "drop", "early_drop")} == {
        "entries": 300,
        "insert_failed": 2,
        "drop": 16,
        "early_drop": 2,
    }


@pytest.mark.parametrize(
    "text", ["entries drop\n", "entries drop\n1\n", "a b\n1 2\n", "entries\nzz\n"]
)
def test_what_is_no_conntrack(text: str) -> None:
    with pytest.raises(ValueError, match=r"columns of nf_conntrack|base 16"):
        conntrack_stat(text)


def test_protocol_counters() -> None:
    text = "Tcp: OutSegs RetransSegs MaxConn\nTcp: 100 3 -1\nTcpExt: ListenDrops\nTcpExt: 4\n"
    assert protocol_counters(text) == {
        "Tcp.OutSegs": 100,
        "Tcp.RetransSegs": 3,
        "Tcp.MaxConn": -1,
        "TcpExt.ListenDrops": 4,
    }


@pytest.mark.parametrize("text", ["", "Tcp: A\n", "Tcp: A\nUdp: 1\n", "Tcp: A B\nTcp: 1\n"])
def test_what_are_no_counters(text: str) -> None:
    with pytest.raises(ValueError, match=r"numbers|counters"):
        protocol_counters(text)


def test_the_uplink_is_that_of_the_default_route() -> None:
    heading = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\n"
    subnet = "cbr0\t0001F40A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\n"
    default = "eth0\t00000000\t0100E00A\t0003\t0\t0\t0\t00000000\t0\n"
    half = "wg0\t00000000\t0100E00A\t0003\t0\t0\t0\t00000080\t0\n"
    assert default_interface(heading + subnet + half + default) == "eth0"
    assert default_interface(heading + subnet) == ""


def completed(stdout: str, exit_code: int = 0) -> Completed:
    return Completed(argv=("sh",), exit_code=exit_code, stdout=stdout, stderr="", duration_s=0.1)


def test_files_that_are_missing_are_left_out() -> None:
    state = Kernel().parse(completed("file /proc/sys/net/ipv4/ip_forward\n 1\nclock 17\n"))
    assert state.settings == {"net.ipv4.ip_forward": "1"}
    assert (state.conntrack, state.protocols, state.uplink, state.mtu) == ({}, {}, "", 0)
    assert state.clock_s == 17


@pytest.mark.parametrize(
    "stdout",
    ["", "clock ", "clock now\n", "file /proc/net/snmp\n Tcp: A\nclock 1\n", "x\nclock 1\n"],
)
def test_what_the_kernel_does_not_say(stdout: str) -> None:
    with pytest.raises(OutputUnparsable):
        Kernel().parse(completed(stdout))


def test_no_shell() -> None:
    with pytest.raises(ToolMissing):
        Kernel().parse(completed("", 127))


def test_an_answer_over_http() -> None:
    probe = GetText(host="127.0.0.1", port=10249, path="/proxyMode")
    url = "http://127.0.0.1:10249/proxyMode"
    assert probe.parse(completed("iptables\n200")) == HttpText(url=url, status=200, body="iptables")
    refused = HttpText(url=url, status=0, body="", problem="refused")
    assert probe.parse(completed("\n000", 7)) == refused
    for stdout, code in (("", 0), ("x\n999", 0), ("\n000", 3)):
        with pytest.raises(OutputUnparsable):
            probe.parse(completed(stdout, code))
    assert GetText(host="fd00::4", port=1, path="/").url == "http://[fd00::4]:1/"
