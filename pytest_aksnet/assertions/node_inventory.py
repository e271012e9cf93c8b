"""Verbs about what the API server says of the nodes and of the agents that run on them."""

from collections.abc import Mapping

from pytest_aksnet.assertions.looker import Reader
from pytest_aksnet.check_facts import judge_facts
from pytest_aksnet.expectations import node_agents, node_objects
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import FactUnknown
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.verdict import Outcome, merge

_NODES = "/api/v1/nodes"
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
_SETS = "/apis/apps/v1/daemonsets"
_PODS = "/api/v1/pods"
_LONGEST_RENEWAL_S = 60.0
_POOL_LABELS = ("kubernetes.azure.com/agentpool", "agentpool")


class NodeInventoryVerbs(Reader):
    """Of Inventory: nodes, their Leases, and their agents."""

    def assert_nodes_ready(self) -> FactSheet:
        """Every node is Ready, its network is available, and it is short of nothing."""
        nodes = self._all_nodes()
        verdict = merge(map(node_objects.judge_conditions, nodes))
        facts = {
            node["metadata"]["name"]: ", ".join(
                f"{item['type']}={item['status']}"
                for item in node.get("status", {}).get("conditions") or ()
            )
            for node in nodes
        }
        sheet = FactSheet(what="conditions of nodes", source=_NODES, facts=facts)
        return judge_facts(self._engine, sheet, verdict, by_hand=("kubectl", "get", "nodes"))

    def assert_leases_renewed(self) -> FactSheet:
        """The kubelet of every node renews its Lease in time.

        They are watched until one is renewed, and those whose age it does not tell as well.
        """
        names = [node["metadata"]["name"] for node in self._all_nodes()]
        leases = {name: lease for name, lease in self._node_leases().items() if name in names}
        silent = self._watch_leases(leases)
        verdict = node_objects.judge_leases(names, leases, silent)
        facts = {name: str(lease["spec"].get("renewTime")) for name, lease in leases.items()}
        sheet = FactSheet(what="Leases of kubelets", source=_LEASES, facts=facts)
        by_hand = ("kubectl", "get", "leases", "-n", "kube-node-lease", "-o", "yaml")
        return judge_facts(self._engine, sheet, verdict, by_hand=by_hand)

    def _watch_leases(self, leases: Mapping[str, Json]) -> dict[str, float]:
        """Those of the Leases that may be old and were not renewed while they held (seconds)."""
        engine = self._engine
        began, fresh = engine.now(), set[str]()
        while True:
            now = {**leases, **self._node_leases()}
            fresh |= {
                name
                for name, lease in leases.items()
                if now[name]["spec"].get("renewTime") != lease["spec"].get("renewTime")
            }
            doubtful = node_objects.doubtful_leases({name: now[name] for name in leases}, fresh)
            passed = engine.now() - began
            if all(passed > _renewal_s(leases[name]) for name in doubtful):
                return dict.fromkeys(doubtful, passed)
            engine.rest(engine.pacing.longest_pause_s)

    def assert_node_addresses_unique(self) -> FactSheet:
        """Every node has an InternalIP of its own, in the nodes' subnets where they are known."""
        nodes = self._all_nodes()
        profile = self._engine.profile
        known = profile.get("node-cidrs") is not None
        subnets = profile.networks("node-cidrs") if known else ()
        verdict = node_objects.judge_addresses(nodes, subnets)
        facts = {
            node["metadata"]["name"]: ", ".join(node_objects.internal_addresses(node))
            for node in nodes
        }
        sheet = FactSheet(what="addresses of nodes", source=_NODES, facts=facts)
        by_hand = ("kubectl", "get", "nodes", "-o", "wide")
        return judge_facts(self._engine, sheet, verdict, by_hand=by_hand)

    def assert_kubelet_versions(self) -> FactSheet:
        """The kubelets of a pool have one version, and none that the API server rules out."""
        nodes = self._all_nodes()
        server = self._engine.profile.need("kubernetes-version")
        pools = {node["metadata"]["name"]: _pool(node) for node in nodes}
        verdict = node_objects.judge_versions(nodes, server, pools)
        facts = {
            node["metadata"]["name"]: node.get("status", {})
            .get("nodeInfo", {})
            .get("kubeletVersion", "")
            for node in nodes
        }
        sheet = FactSheet(what="versions of kubelets", source=_NODES, facts=facts)
        by_hand = ("kubectl", "get", "nodes", "-L", "agentpool")
        return judge_facts(self._engine, sheet, verdict, by_hand=by_hand)

    def assert_agents_ready(self) -> FactSheet:
        """The network's DaemonSets are those of the mode, and are ready on all their nodes.

        They are waited for for a while: a rolling update is not a fault. Raises FactUnknown where
        none is known that the network rests on.
        """
        engine = self._engine
        began = engine.now()
        while True:
            sets, expected = self._network_agents()
            verdict = node_agents.judge_ready(sets, expected)
            late = engine.now() - began > engine.pacing.patience_s
            if verdict.outcome is Outcome.PASS or late:
                break
            engine.rest(engine.pacing.longest_pause_s)
        facts = {
            node_agents.named(one): f"{one['status'].get('numberReady', 0)} of "
            f"{one['status'].get('desiredNumberScheduled', 0)} ready"
            for one in sets
        }
        sheet = FactSheet(what="agents of the network", source=_SETS, facts=facts)
        by_hand = ("kubectl", "get", "daemonsets", "-A")
        return judge_facts(engine, sheet, verdict, by_hand=by_hand)

    def assert_agents_same_version(self) -> FactSheet:
        """The pods of each of the network's DaemonSets run the images that it has now."""
        sets, _ = self._network_agents()
        pods = self._engine.api.items(_PODS)
        verdict = node_agents.judge_images(sets, pods)
        facts = {
            f"{node_agents.named(one)} on {pod['spec'].get('nodeName', '')}": ", ".join(
                container["image"] for container in pod["spec"]["containers"]
            )
            for one in sets
            for pod in node_agents.pods_of(one, pods)
        }
        sheet = FactSheet(what="images of agents", source=f"{_SETS}, {_PODS}", facts=facts)
        by_hand = ("kubectl", "get", "pods", "-A", "-o", "wide")
        return judge_facts(self._engine, sheet, verdict, by_hand=by_hand)

    def _network_agents(self) -> tuple[list[Json], dict[str, str]]:
        expected = node_agents.expected_agents(self._engine.profile)
        sets = node_agents.network_agents(self._engine.api.items(_SETS), expected)
        if not sets and not expected:
            raise FactUnknown(
                "no DaemonSet is known that this cluster's network rests on; for AKS the fact "
                "'mode' says which: set it with --aksnet-profile mode=VALUE"
            )
        return sets, expected

    def _all_nodes(self) -> list[Json]:
        return self._engine.api.items(_NODES)

    def _node_leases(self) -> dict[str, Json]:
        return {one["metadata"]["name"]: one for one in self._engine.api.items(_LEASES)}


def _renewal_s(lease: Json) -> float:
    """For how long a Lease is watched at the most (seconds)."""
    return min(node_objects.duration_s(lease), _LONGEST_RENEWAL_S)


def _pool(node: Json) -> str:
    labels = node["metadata"].get("labels") or {}
    return next((labels[key] for key in _POOL_LABELS if key in labels), "")
