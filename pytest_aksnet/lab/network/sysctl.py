"""The sysctls of namespaces that forward packets, as far as this machine lets them be set."""

from contextlib import suppress

from pytest_aksnet.lab.kernel.syscalls import in_netns

_ROUTER = {
    "ip_forward": "1",
    "conf/all/rp_filter": "0",
    "conf/default/rp_filter": "0",
    "conf/all/send_redirects": "0",
    "conf/default/send_redirects": "0",
}


def make_router(netns_fd: int) -> None:
    """Turn forwarding on, redirects and reverse path filters off, for a whole namespace.

    In containers /proc/sys may be read-only. Then the per-link settings of netlink
    (`forward_on`) have to do, and what people read in /proc/sys stays at its default.
    """
    with in_netns(netns_fd):
        for name, value in _ROUTER.items():
            with suppress(OSError), open(f"/proc/sys/net/ipv4/{name}", "w") as file:
                file.write(value)
