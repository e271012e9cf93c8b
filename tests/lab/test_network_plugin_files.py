"""What a node shows of its network plugin: files, links and names that agree with each other."""

import base64
import json
import re
from collections.abc import Callable, Iterator

import pytest

from tests.lab.running_lab import RunningLab
from tests.lab.user import User

CONFIGS = {
    "overlay": "15-azure-swift-overlay.conflist",
    "node-subnet": "10-azure.conflist",
    "pod-subnet": "15-azure-swift.conflist",
    "kubenet": "10-containerd-net.conflist",
}
QUICK = ("node-subnet",)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(mode, marks=[] if mode in QUICK else [pytest.mark.thorough])
        for mode in CONFIGS
    ],
)
def user(request: pytest.FixtureRequest, labs: Callable[[str, str], RunningLab]) -> Iterator[User]:
    """Somebody with a pod on the first node."""
    with User(labs(request.param, "calico")) as found:
        found.create_pod("shown", node=found.nodes()[0])
        found.ready("shown")
        yield found


def on_node(user: User, script: str) -> str:
    return user.at(f"node/{user.nodes()[0]}", "sh", "-c", script).stdout


def test_the_configuration_is_that_of_the_mode(user: User) -> None:
    assert on_node(user, "ls /etc/cni/net.d").split() == [CONFIGS[user.lab.mode]]
    plugins = json.loads(on_node(user, "cat /etc/cni/net.d/*"))["plugins"]
    kinds = ["bridge" if user.lab.mode == "kubenet" else "azure-vnet", "portmap"]
    assert [plugin["type"] for plugin in plugins] == kinds


def test_the_state_of_the_plugin_is_that_of_the_node(user: User) -> None:
    ip = user.pod_ip("shown")
    if user.lab.mode == "kubenet":
        stored = f"/var/lib/cni/networks/kubenet/{ip}"
        user.eventually(lambda: "eth0" in on_node(user, f"cat {stored}"), "it is stored")
        assert "cbr0" in on_node(user, "bridge link show")
        return

    def endpoints() -> list[dict[str, object]]:
        text = on_node(user, "cat /var/run/azure-vnet.json")
        network = json.loads(text)["Network"]["ExternalInterfaces"]["eth0"]["Networks"]["azure"]
        return [one for one in network["Endpoints"].values() if one["PODName"] == "shown"]

    user.eventually(lambda: bool(endpoints()), "azure-vnet knows it")
    (endpoint,) = endpoints()
    link = endpoint["HostIfName"]
    assert f"{ip} dev {link} " in on_node(user, "ip route")
    assert re.search(rf"^{ip} .* UH .* {link}$", on_node(user, "route -n"), re.MULTILINE)
    shown = on_node(user, f"ip link show {link}")
    assert "link/ether aa:aa:aa:aa:aa:aa" in shown
    mac = base64.b64decode(str(endpoint["MacAddress"])).hex(":")
    assert mac in user.run("shown", "ip", "link", "show", "eth0").stdout
    assert f"Creating veth pair {link} {link}2." in on_node(user, "cat /var/log/azure-vnet.log")


def test_network_namespaces_have_the_names_of_containerd(user: User) -> None:
    pid_one = "for n in $(ip netns | cut -d' ' -f1); do echo $n $(ip netns pids $n); done"
    user.eventually(lambda: "cni-" in on_node(user, pid_one), "namespaces have names")
    links = on_node(user, "ip -d link")
    for line in on_node(user, pid_one).splitlines():
        name, *pids = line.split()
        assert f"link-netns {name}" in links
        entered = on_node(user, f"nsenter -t {pids[0]} -n ip -4 address show eth0")
        assert "inet 10." in entered


def test_what_a_pod_had_is_forgotten_with_it(user: User) -> None:
    user.create_pod("passing", node=user.nodes()[0])
    user.ready("passing")
    ip = user.pod_ip("passing")
    before = on_node(user, "ls /run/netns").split()
    user.core.delete_namespaced_pod("passing", user.namespace, grace_period_seconds=0)
    user.eventually(
        lambda: len(on_node(user, "ls /run/netns").split()) < len(before), "its name is gone"
    )
    stored = (
        "ls /var/lib/cni/networks/kubenet"
        if user.lab.mode == "kubenet"
        else "cat /var/run/azure-vnet.json"
    )
    user.eventually(lambda: f"{ip}" not in on_node(user, stored).split(), "its state is gone")
    assert "passing" not in on_node(user, stored)


def test_a_pod_with_a_host_path_reads_the_same_files(user: User) -> None:
    user.create_pod(
        "reader",
        node=user.nodes()[0],
        container={"volumeMounts": [{"name": "cni", "mountPath": "/host/cni"}]},
        volumes=[{"name": "cni", "hostPath": {"path": "/etc/cni/net.d"}}],
    )
    user.ready("reader")
    seen = user.run("reader", "cat", f"/host/cni/{CONFIGS[user.lab.mode]}").stdout
    assert seen == on_node(user, "cat /etc/cni/net.d/*")


def test_a_pod_may_come_back_under_its_name_at_once(user: User) -> None:
    """Its link has the same name, while the kernel may still take the former one down."""
    for _ in range(3):
        user.create_pod("again", node=user.nodes()[0])
        user.ready("again")
        user.core.delete_namespaced_pod("again", user.namespace, grace_period_seconds=0)
        user.eventually(lambda: "again" not in _names(user), "it is gone")


def _names(user: User) -> list[str]:
    pods = user.core.list_namespaced_pod(user.namespace).items
    return [pod.metadata.name for pod in pods]
