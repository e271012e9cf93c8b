"""What the lab needs of the kernel; a refusal becomes one line that names a remedy."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_aksnet.lab.kernel import netlink, syscalls
from pytest_aksnet.lab.kernel.nft import Nftables

_APPARMOR = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
_CLONE = "/proc/sys/kernel/unprivileged_userns_clone"
_LIMIT = "/proc/sys/user/max_user_namespaces"
_NAT = """add table ip selftest
add chain ip selftest out { type nat hook postrouting priority 100 ; }
add rule ip selftest out ip daddr 192.0.2.1 masquerade
"""


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


def check_network() -> None:
    """Make a veth pair and a NAT rule in a namespace that is given up at once (some 5 ms).

    Raises LabRefused.
    """
    namespace = syscalls.new_netns()
    try:
        with refusals_name(_veth_remedy):
            _make_veth(namespace)
        with refusals_name(_nat_remedy):
            _make_nat(namespace)
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


def _make_veth(namespace: int) -> None:
    route = netlink.RouteSocket(namespace)
    try:
        pair = netlink.veth(
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
