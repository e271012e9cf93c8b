"""What the lab needs of the kernel; a refusal becomes one line that names a remedy."""

import errno
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_aksnet.lab.kernel import link_requests, netlink, syscalls
from pytest_aksnet.lab.kernel.nft import Nftables
from pytest_aksnet.lab.kernel.nftables_batch import Commands, NftablesSocket

_APPARMOR = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
_CLONE = "/proc/sys/kernel/unprivileged_userns_clone"
_LIMIT = "/proc/sys/user/max_user_namespaces"
_BRIDGE_FILTER = "/proc/sys/net/bridge/bridge-nf-call-iptables"
_NAT = """add table ip selftest
add chain ip selftest out { type nat hook postrouting priority 100 ; }
add rule ip selftest out ip daddr 192.0.2.1 masquerade
"""


_CHAINS = (
    ("nat", "OUTPUT"),
    ("nat", "POSTROUTING"),
    ("filter", "INPUT"),
    ("mangle", "OUTPUT"),
)
_RULES = (
    '-d 192.0.2.1/32 -p tcp -m comment --comment "selftest" -m recent --set --name selftest '
    "--mask 255.255.255.255 --rsource -m tcp -j DNAT --to-destination 192.0.2.2:80",
    "-d 192.0.2.1/32 -m addrtype --dst-type LOCAL -j MASQUERADE --random-fully",
    "-d 192.0.2.1/32 -m conntrack --ctstate NEW -m statistic --mode random "
    "--probability 0.5 -j REJECT --reject-with icmp-port-unreachable",
    "-d 192.0.2.1/32 -j MARK --set-xmark 0x4000/0x4000",
)


class LabRefused(Exception):
    """The lab cannot run here; the text is one line that names the remedy."""


def read_setting(path: str) -> str:
    """A setting of the kernel; empty where this kernel does not have it."""
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except OSError:
        return ""


def namespace_remedy(
    error: OSError,
    *,
    setting: Callable[[str], str] = read_setting,
    exists: Callable[[str], bool] = os.path.exists,
) -> str:
    """What to do where namespaces, or the first mounts in them, were refused with `error`."""
    refused = f"the lab needs user namespaces, and this machine refuses them ({error.strerror}): "
    if setting(_LIMIT) == "0" or error.errno == errno.ENOSPC:
        return f"{refused}run `sudo sysctl -w user.max_user_namespaces=15000`"
    if setting(_CLONE) == "0":
        return f"{refused}run `sudo sysctl -w kernel.unprivileged_userns_clone=1`"
    if setting(_APPARMOR) == "1":
        return f"{refused}run `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`"
    if exists("/.dockerenv") or exists("/run/.containerenv"):
        return (
            f"{refused}start the container with `--security-opt seccomp=unconfined"
            " --security-opt apparmor=unconfined --security-opt systempaths=unconfined`"
        )
    if error.errno in (errno.EINVAL, errno.ENOSYS):
        return f"{refused}use a kernel of 5.12 or later with CONFIG_USER_NS and CONFIG_NET_NS"
    return f"{refused}allow them for this user, or start the lab with sudo"


@contextmanager
def refusals_name(remedy: Callable[[OSError], str]) -> Iterator[None]:
    """Turn an OSError of the block into LabRefused with that remedy."""
    try:
        yield
    except OSError as error:
        raise LabRefused(remedy(error)) from error


def check_bridge_filter(*, exists: Callable[[str], bool] = os.path.exists) -> None:
    """What a bridge for pods needs: that netfilter sees what passes it. Raises LabRefused."""
    if not exists(_BRIDGE_FILTER):
        raise LabRefused(
            "mode kubenet needs netfilter on bridges, which this kernel has not loaded: "
            "run `sudo modprobe br_netfilter`, or choose another --mode"
        )


def check_network() -> None:
    """Make a veth pair and NAT rules in a namespace that is given up at once (some 5 ms).

    Raises LabRefused.
    """
    namespace = syscalls.new_netns()
    try:
        with refusals_name(_veth_remedy):
            _make_veth(namespace)
        with refusals_name(_nat_remedy):
            _make_nat(namespace)
        with refusals_name(_iptables_remedy):
            _make_iptables(namespace)
    finally:
        os.close(namespace)


def _veth_remedy(error: OSError) -> str:
    return f"the lab needs veth links ({error}): load the kernel module with `sudo modprobe veth`"


def _nat_remedy(error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return f"the lab needs nftables ({error.strerror}): run `sudo apt-get install nftables`"
    return (
        f"the lab needs nftables with NAT ({' '.join(str(error.strerror).split())}):"
        " run `sudo modprobe -a nf_tables nft_chain_nat nft_masq`"
    )


def _iptables_remedy(error: OSError) -> str:
    return (
        f"the lab needs iptables' matches in nftables ({error.strerror}): run `sudo modprobe -a "
        "nft_compat xt_addrtype xt_comment xt_conntrack xt_mark xt_MASQUERADE xt_nat xt_recent "
        "xt_statistic xt_tcpudp ipt_REJECT`"
    )


def _make_veth(namespace: int) -> None:
    route = netlink.RouteSocket(namespace)
    try:
        pair = link_requests.veth(
            index=100,
            name="selftest0",
            mac="02:00:00:00:00:01",
            peer_index=101,
            peer_name="selftest1",
            peer_mac="02:00:00:00:00:02",
            peer_netns_fd=namespace,
            mtu=1500,
        )
        route.apply([pair])
    finally:
        route.close()


def _make_nat(namespace: int) -> None:
    tables = Nftables(namespace)
    try:
        tables.run(_NAT)
    finally:
        tables.close()


def _make_iptables(namespace: int) -> None:
    """One rule with the matches and one with each target that service proxies write."""
    make = Commands(socket.AF_INET)
    rules = NftablesSocket(namespace)
    try:
        rules.apply(
            [
                *(make.table(table) for table in ("nat", "filter", "mangle")),
                *(make.chain(*place) for place in _CHAINS),
                *(make.rule(*place, line) for place, line in zip(_CHAINS, _RULES, strict=True)),
            ]
        )
    finally:
        rules.close()
