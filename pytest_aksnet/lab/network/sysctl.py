"""The sysctls of namespaces that forward packets, as far as this machine lets them be set."""

from collections.abc import Mapping
from contextlib import suppress

from pytest_aksnet.lab.kernel.syscalls import in_netns

_ROUTER = {
    "ipv4/ip_forward": "1",
    "ipv4/conf/all/rp_filter": "0",
    "ipv4/conf/default/rp_filter": "0",
    "ipv4/conf/all/send_redirects": "0",
    "ipv4/conf/default/send_redirects": "0",
}
_ROUTER6 = {"ipv6/conf/all/forwarding": "1"}


def set_forwarding(netns_fd: int, *, on: bool) -> None:
    """Whether a namespace forwards, as far as /proc/sys lets that be set (see `make_router`)."""
    names = ("ipv4/ip_forward", "ipv6/conf/all/forwarding")
    _set(netns_fd, dict.fromkeys(names, "1" if on else "0"))


def make_router(netns_fd: int, *, ipv6: bool = False) -> None:
    """Turn forwarding on, redirects and reverse path filters off, for a whole namespace.

    In containers /proc/sys may be read-only. Then the per-link settings of netlink
    (`forward_on`) have to do, and what people read in /proc/sys stays at its default; for IPv6
    there are no such settings, so it is not forwarded then.
    """
    _set(netns_fd, _ROUTER | _ROUTER6 if ipv6 else _ROUTER)


def serve_node_ports_on_loopback(netns_fd: int) -> None:
    """What kube-proxy sets in iptables mode (--iptables-localhost-nodeports), if it may be set."""
    _set(netns_fd, {"ipv4/conf/all/route_localnet": "1"})


def _set(netns_fd: int, settings: Mapping[str, str]) -> None:
    with in_netns(netns_fd):
        for name, value in settings.items():
            with suppress(OSError), open(f"/proc/sys/net/{name}", "w") as file:
                file.write(value)
