"""Rows of the faults of kubelets, agents and kernels of nodes: what they answer and show."""

from kubernetes import client

from pytest_aksnet.lab.controllers.agent_defects import OLD_TAG
from pytest_aksnet.lab.faults.node_agents import OLD_KUBELET
from pytest_aksnet.lab.faults.node_kernel import OTHER_MTU
from tests.lab.fault_rows import FaultRow, Scene

_LAST = -1
_AGENT = "azure-ip-masq-agent"


# -- ports -------------------------------------------------------------------------------------


def _proxy_modes(scene: Scene) -> list[str]:
    url = "http://127.0.0.1:10249/proxyMode"
    return [scene.run(scene.node(n), "curl", "-s", url).stdout for n in (1, _LAST)]


def modes_are_the_same(scene: Scene) -> None:
    assert _proxy_modes(scene) == ["iptables", "iptables"]


def one_mode_is_another(scene: Scene) -> None:
    assert _proxy_modes(scene) == ["iptables", "nftables"]


def _kubelets(scene: Scene, url: str) -> list[str]:
    """The status of each kubelet to a pod without credentials; 000 is no answer."""
    command = ("curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "2")
    addresses = [scene.ip(scene.node(node)) for node in (1, _LAST)]
    return [scene.run(scene.pod(0), *command, url.format(one)).stdout for one in addresses]


def kubelets_want_credentials(scene: Scene) -> None:
    assert _kubelets(scene, "https://{}:10250/pods") == ["401", "401"]
    assert _kubelets(scene, "http://{}:10255/pods") == ["000", "000"]


def one_kubelet_lets_anybody_in(scene: Scene) -> None:
    assert _kubelets(scene, "https://{}:10250/pods") == ["401", "200"]


def one_kubelet_has_its_read_only_port(scene: Scene) -> None:
    assert _kubelets(scene, "http://{}:10255/pods") == ["000", "200"]
    assert _kubelets(scene, "https://{}:10250/pods") == ["401", "401"]


# -- objects -----------------------------------------------------------------------------------


def _versions(scene: Scene) -> list[str]:
    nodes = [scene.user.core.read_node(scene.nodes[node]) for node in (1, _LAST)]
    return [node.status.node_info.kubelet_version for node in nodes]


def kubelets_are_of_one_version(scene: Scene) -> None:
    assert _versions(scene) == [scene.spec.kubernetes_version] * 2


def one_kubelet_is_old(scene: Scene) -> None:
    assert _versions(scene) == [scene.spec.kubernetes_version, OLD_KUBELET]


def _addresses(scene: Scene) -> list[str]:
    """All InternalIPs, as often as they are listed."""
    nodes = scene.user.core.list_node().items
    listed = [one for node in nodes for one in node.status.addresses]
    return [one.address for one in listed if one.type == "InternalIP"]


def addresses_are_listed_once(scene: Scene) -> None:
    assert len(_addresses(scene)) == len(set(_addresses(scene))) == len(scene.nodes)


def one_address_is_listed_twice(scene: Scene) -> None:
    assert len(_addresses(scene)) == len(set(_addresses(scene))) + 1


def _ready_agents(scene: Scene) -> int:
    apps = client.AppsV1Api(scene.user.core.api_client)
    ready: int = apps.read_namespaced_daemon_set(_AGENT, "kube-system").status.number_ready
    return ready


def agents_are_ready(scene: Scene) -> None:
    assert _ready_agents(scene) == len(scene.nodes)


def one_agent_is_not_ready(scene: Scene) -> None:
    assert _ready_agents(scene) == len(scene.nodes) - 1


def _old_agents(scene: Scene) -> list[str]:
    """The nodes where the agent's image is the old one."""
    pods = scene.user.core.list_namespaced_pod("kube-system", label_selector=f"k8s-app={_AGENT}")
    return [
        pod.spec.node_name
        for pod in pods.items
        if pod.spec.containers[0].image.endswith(f":{OLD_TAG}")
    ]


def agents_are_of_one_version(scene: Scene) -> None:
    assert _old_agents(scene) == []


def one_agent_is_old(scene: Scene) -> None:
    assert _old_agents(scene) == [scene.nodes[_LAST]]


# -- kernels -----------------------------------------------------------------------------------


def _read(scene: Scene, path: str) -> list[str]:
    return [scene.run(scene.node(node), "cat", path).stdout.strip() for node in (1, _LAST)]


def interfaces_have_one_mtu(scene: Scene) -> None:
    assert _read(scene, "/sys/class/net/eth0/mtu") == ["1500", "1500"]


def one_interface_has_another_mtu(scene: Scene) -> None:
    assert _read(scene, "/sys/class/net/eth0/mtu") == ["1500", str(OTHER_MTU)]
    assert scene.tcp(scene.pod(0), scene.ip(scene.pod(_LAST))).ok


_RP_FILTER = "/proc/sys/net/ipv4/conf/all/rp_filter"


def nobody_filters_by_reverse_path(scene: Scene) -> None:
    assert _read(scene, _RP_FILTER) == ["0", "0"]


def one_node_filters_by_reverse_path(scene: Scene) -> None:
    assert _read(scene, _RP_FILTER) == ["0", "1"]


def _plugin_files(scene: Scene) -> str:
    """What the plugin of the last node has in its two places."""
    last = scene.node(_LAST)
    configs = scene.run(last, "ls", "/etc/cni/net.d").stdout
    return f"{configs}{scene.run(last, 'cat', '/var/run/azure-vnet.json').stdout}"


_GONE = "00000000-eth0"


def files_are_as_they_belong(scene: Scene) -> None:
    found = _plugin_files(scene)
    assert "15-azure-swift-overlay.conflist" in found
    assert "leftover" not in found
    assert _GONE not in found


def a_leftover_comes_first(scene: Scene) -> None:
    assert _plugin_files(scene).startswith("01-leftover.conflist\n15-azure")


def a_pod_that_is_gone_has_an_address(scene: Scene) -> None:
    assert _GONE in _plugin_files(scene)


ROWS = (
    FaultRow(
        fault="cni-config-leftover@LAST",
        healthy=files_are_as_they_belong,
        broken=a_leftover_comes_first,
        modes=("overlay",),
    ),
    FaultRow(
        fault="cni-state-leaked@LAST",
        healthy=files_are_as_they_belong,
        broken=a_pod_that_is_gone_has_an_address,
        modes=("overlay",),
    ),
    FaultRow(
        fault="kube-proxy-fell-back@LAST",
        healthy=modes_are_the_same,
        broken=one_mode_is_another,
        modes=("overlay",),
    ),
    FaultRow(
        fault="kubelet-anonymous@LAST",
        healthy=kubelets_want_credentials,
        broken=one_kubelet_lets_anybody_in,
        modes=("overlay",),
    ),
    FaultRow(
        fault="kubelet-read-only-port@LAST",
        healthy=kubelets_want_credentials,
        broken=one_kubelet_has_its_read_only_port,
        modes=("overlay",),
    ),
    FaultRow(
        fault="kubelet-version-mixed@LAST",
        healthy=kubelets_are_of_one_version,
        broken=one_kubelet_is_old,
        modes=("overlay",),
    ),
    FaultRow(
        fault="node-address-twice@LAST",
        healthy=addresses_are_listed_once,
        broken=one_address_is_listed_twice,
        modes=("overlay",),
    ),
    FaultRow(
        fault="agent-not-ready@LAST",
        healthy=agents_are_ready,
        broken=one_agent_is_not_ready,
        modes=("overlay",),
    ),
    FaultRow(
        fault="agent-version-mixed@LAST",
        healthy=agents_are_of_one_version,
        broken=one_agent_is_old,
        modes=("overlay",),
    ),
    FaultRow(
        fault="node-mtu-differs@LAST",
        healthy=interfaces_have_one_mtu,
        broken=one_interface_has_another_mtu,
        modes=("overlay",),
    ),
    FaultRow(
        fault="rp-filter-strict@LAST",
        healthy=nobody_filters_by_reverse_path,
        broken=one_node_filters_by_reverse_path,
        engine="cilium",
        modes=("overlay",),
    ),
)
