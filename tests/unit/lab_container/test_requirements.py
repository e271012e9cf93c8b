"""What is said where the kernel refuses what the lab needs."""

import errno
import os

import pytest

from pytest_aksnet.lab.container.requirements import (
    LabRefused,
    check_bridge_filter,
    namespace_remedy,
    refusals_name,
)

LIMIT = "/proc/sys/user/max_user_namespaces"
CLONE = "/proc/sys/kernel/unprivileged_userns_clone"
APPARMOR = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"


@pytest.mark.parametrize(
    ("number", "settings", "files", "remedy"),
    [
        (errno.ENOSPC, {}, (), "sudo sysctl -w user.max_user_namespaces=15000"),
        (errno.EPERM, {LIMIT: "0"}, (), "sudo sysctl -w user.max_user_namespaces=15000"),
        (errno.EPERM, {CLONE: "0"}, (), "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
        (
            errno.EACCES,
            {CLONE: "1", APPARMOR: "1", LIMIT: "1000"},
            (),
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        (errno.EPERM, {}, ("/.dockerenv",), "--security-opt seccomp=unconfined"),
        (errno.EPERM, {}, ("/run/.containerenv",), "--security-opt seccomp=unconfined"),
        (errno.EINVAL, {}, (), "CONFIG_USER_NS"),
        (errno.EPERM, {}, (), "start the lab with sudo"),
    ],
)
def test_a_refusal_names_its_remedy_in_one_line(
    number: int, settings: dict[str, str], files: tuple[str, ...], remedy: str
) -> None:
    said = namespace_remedy(
        OSError(number, os.strerror(number)),
        setting=lambda path: settings.get(path, ""),
        exists=lambda path: path in files,
    )
    assert remedy in said
    assert os.strerror(number) in said
    assert "\n" not in said


def test_an_error_of_the_block_becomes_a_refusal() -> None:
    with pytest.raises(LabRefused, match=r"^do this$"), refusals_name(lambda error: "do this"):
        raise OSError(errno.EPERM, "refused")


def test_a_bridge_of_pods_needs_netfilter_on_bridges() -> None:
    check_bridge_filter(exists=lambda path: path == "/proc/sys/net/bridge/bridge-nf-call-iptables")
    with pytest.raises(LabRefused, match="sudo modprobe br_netfilter"):
        check_bridge_filter(exists=lambda path: False)
