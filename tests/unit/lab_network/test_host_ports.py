"""The table that leads ports of a node to its pods."""

from pytest_aksnet.lab.network.host_ports import HostPort, host_ports_program

WEB = HostPort(protocol="tcp", number=80, pod_port=8080)


def test_without_ports_there_is_no_table() -> None:
    assert host_ports_program([], 16) is None


def test_a_port_is_translated_and_what_the_range_sends_is_marked() -> None:
    program = host_ports_program([("10.244.1.4", WEB)], 24)
    assert program is not None
    assert "tcp dport 80 dnat to 10.244.1.4:8080" in program.base
    assert "ip saddr 10.244.1.4/24 tcp dport 80 meta mark set" in program.base
