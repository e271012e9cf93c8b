"""Faults of the lab: healthy, injected, healed, each shown by what packets do."""

from collections.abc import Iterator

import pytest

from tests.lab.running_lab import LabDidNotStart, start_lab
from tests.lab.user import User

STORAGE = "aksnetlab.blob.core.windows.net"
VM = "10.225.0.4"


@pytest.fixture
def broken(user: User) -> Iterator[User]:
    """A user whose lab is healed afterwards, whatever the test did."""
    yield user
    user.heal_all()


def test_an_unlinked_private_zone_gives_the_public_address(broken: User) -> None:
    user = broken

    def resolved() -> str:
        # From the VM: no cluster DNS cache between the question and Azure DNS.
        return user.at("host/vm", "dig", "+short", STORAGE).stdout.split()[-1]

    assert resolved() == "10.226.0.5"
    user.inject("private-zone-unlinked")
    assert resolved() == "203.0.113.90"
    user.heal("private-zone-unlinked")
    assert resolved() == "10.226.0.5"


def test_masquerading_inside_the_vnet_hides_pods(broken: User) -> None:
    user = broken
    first, second, _ = user.nodes()
    user.create_reflector("server", node=first)
    user.create_pod("client", node=second)
    user.ready("server", "client")

    def seen() -> str:
        return user.seen_by("client", user.pod_ip("server"))

    assert seen() == user.pod_ip("client")
    user.inject("masquerade-inside-vnet")
    assert seen() in {user.node_ip(node) for node in user.nodes()}
    config = user.core.read_namespaced_config_map(
        "azure-ip-masq-agent-config-reconciled", "kube-system"
    )
    assert "NonMasqueradeCIDRs: []" in config.data["ip-masq-agent-reconciled"]
    user.heal("masquerade-inside-vnet")
    assert seen() == user.pod_ip("client")


def test_a_policy_does_not_hold_on_the_broken_node_only(broken: User) -> None:
    user = broken
    first, second, last = user.nodes()
    user.create_reflector("on-first", node=first)
    user.create_reflector("on-last", node=last)
    user.create_pod("client", node=second)
    user.ready("on-first", "on-last", "client")
    user.create_policy("deny", {"podSelector": {}, "policyTypes": ["Ingress"]})

    def reached(pod: str) -> bool:
        return user.seen_by("client", user.pod_ip(pod), seconds=1) != ""

    user.eventually(lambda: not reached("on-first") and not reached("on-last"), "denied")
    user.inject("policy-not-enforced-on-node")
    assert reached("on-last")
    assert not reached("on-first")
    user.heal("policy-not-enforced-on-node")
    assert not reached("on-last")


def test_without_kube_proxy_rules_services_fail_on_the_chosen_node_only(broken: User) -> None:
    user = broken
    first, second, _ = user.nodes()
    user.create_reflector("web", node=first)
    service = user.create_service("web")
    user.create_pod("client", node=second)
    user.ready("web", "client")
    address = service.spec.cluster_ip
    user.eventually(lambda: user.seen_by("client", address, 80) != "", "served")
    user.inject(f"kube-proxy-rules-missing@{second}")
    assert user.seen_by("client", address, 80, seconds=1) == ""
    assert user.seen_by("web", address, 80) != ""
    user.heal(f"kube-proxy-rules-missing@{second}")
    assert user.seen_by("client", address, 80) != ""


def test_a_broken_local_policy_hides_the_client(broken: User) -> None:
    user = broken
    user.create_reflector("web", node=user.nodes()[0])
    service = user.create_service("web", kind="NodePort", externalTrafficPolicy="Local")
    user.ready("web")
    url = f"http://{user.node_ip(user.nodes()[0])}:{service.spec.ports[0].node_port}/"

    def seen() -> str:
        return user.at("host/vm", "curl", "-s", "-m", "2", url).stdout.strip()

    user.eventually(lambda: seen() == VM, "the VM is seen as itself")
    user.inject("local-policy-loses-source")
    assert seen() not in ("", VM)
    user.heal("local-policy-loses-source")
    assert seen() == VM


def test_a_node_without_its_vf_is_slow_and_says_so(broken: User) -> None:
    user = broken
    last = user.nodes()[2]
    user.create_pod("looker", node=last, hostNetwork=True)
    user.create_pod("server", node=user.nodes()[0], command=["iperf3", "-s"])
    user.ready("looker", "server")

    def vf_counters() -> list[str]:
        lines = user.run("looker", "ethtool", "-S", "eth0").stdout.splitlines()
        return [line.split()[1] for line in lines if line.strip().startswith("vf_rx_bytes")]

    def gbps() -> float:
        script = f"iperf3 -c {user.pod_ip('server')} -t 1 -f g | tail -3 | head -1"
        return float(user.run("looker", "sh", "-c", script).stdout.split()[6])

    user.eventually(lambda: gbps() > 2.5, "the node is faster than without its VF")
    assert vf_counters() != ["0"]
    user.inject("nic-without-vf")
    assert gbps() < 1.7
    assert vf_counters() == ["0"]
    user.heal("nic-without-vf")
    user.eventually(lambda: gbps() > 2.5, "the node is faster than without its VF")


def test_a_lab_can_start_with_faults() -> None:
    broken = start_lab("overlay", "calico", "private-zone-unlinked", "api-429=0.9")
    try:
        assert "api-429=0.9, private-zone-unlinked\n" in broken.tool("status").stdout
        assert broken.tool("fault", "heal", "api-429").returncode == 0
        assert "  private-zone-unlinked\n" in broken.tool("status").stdout
    finally:
        broken.end()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("nonsense", "unknown fault 'nonsense': known are accelerated-networking-off, "),
        ("api-429=2", "api-429=2: expected is the probability per request, a number above 0"),
        ("nic-without-vf@nowhere", "unknown node 'nowhere': the lab has aks-system-"),
    ],
)
def test_an_unknown_fault_is_one_line_that_names_the_known_ones(fault: str, words: str) -> None:
    with pytest.raises(LabDidNotStart) as refused:
        start_lab("overlay", "calico", fault)
    assert str(refused.value).startswith(words)
    assert "\n" not in str(refused.value)
