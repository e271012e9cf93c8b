"""Verbs about the network plugin's files, for pods that have the directories of their node."""

from collections.abc import Mapping, Sequence

from pytest_aksnet.assertions.looker import Looker
from pytest_aksnet.assertions.target import AnyPod, pod_of
from pytest_aksnet.check_facts import judge_facts
from pytest_aksnet.expectations.cni import expected_plugin, judge_configs, judge_state
from pytest_aksnet.model.errors import ControlFailed, NotApplicable
from pytest_aksnet.model.observation import CniState, FactSheet
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.verdict import Outcome, Verdict
from pytest_aksnet.probes.cni import CONFIG_MOUNT, STATE_MOUNT, CniFiles

_PODS = "/api/v1/pods"
# What a pod needs for these verbs, as further fields of its spec and of its container. Root, as the
# files are root's alone on some images; without any capability it can do no more than read them.
POD_SPEC = {
    "volumes": [
        {"name": "cni", "hostPath": {"path": "/etc/cni/net.d", "type": "Directory"}},
        {"name": "run", "hostPath": {"path": "/var/run", "type": "Directory"}},
    ]
}
CONTAINER = {
    "volumeMounts": [
        {"name": "cni", "mountPath": CONFIG_MOUNT, "readOnly": True},
        {"name": "run", "mountPath": STATE_MOUNT, "readOnly": True},
    ],
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsUser": 0,
    },
}


class CniVerbs(Looker):
    """Of ProbePod: the network plugin of its node; made with POD_SPEC and CONTAINER."""

    def assert_cni_configured(self, hosts: Sequence[AnyPod]) -> FactSheet:
        """The nodes of these pods are configured for the network plugin of the mode."""
        states = {pod.node: self._plugin_files(pod) for pod in map(pod_of, hosts)}
        verdict = judge_configs(states, expected_plugin(self._engine.profile))
        facts = {
            node: f"{', '.join(state.configs)}: {', '.join(state.plugins)}, IPAM {state.ipam}"
            for node, state in states.items()
        }
        return self._conclude_files("configuration of network plugins", facts, verdict)

    def assert_cni_holds_no_leftovers(self, hosts: Sequence[AnyPod]) -> FactSheet:
        """Azure's plugin on the nodes of these pods holds no address for a pod that is gone.

        Only what stays while one looks counts: pods come and go. Raises NotApplicable where the
        plugin keeps no such state (Cilium, kubenet, others), ControlFailed where it does on some
        nodes and does not have there the pod that looks.
        """
        engine, pods = self._engine, [pod_of(host) for host in hosts]
        suspects: dict[str, set[str]] = {}
        began = engine.now()
        while True:
            states = {pod.node: self._plugin_files(pod) for pod in pods}
            held = {
                node: set(state.addresses)
                for node, state in states.items()
                if state.addresses is not None
            }
            if not held:
                raise NotApplicable(
                    "no node has /var/run/azure-vnet.json: its network plugin keeps no such state"
                )
            self._need_own_address(pods, held)
            known = self._addresses_of_pods()
            found = {node: addresses - known for node, addresses in held.items()}
            suspects = {node: found[node] & suspects.get(node, found[node]) for node in found}
            verdict = judge_state(suspects)
            if verdict.outcome is Outcome.PASS or engine.now() - began > engine.pacing.patience_s:
                break
            engine.rest(engine.pacing.longest_pause_s)
        facts = {node: ", ".join(sorted(addresses)) or "none" for node, addresses in held.items()}
        return self._conclude_files("addresses that network plugins hold", facts, verdict)

    @staticmethod
    def _need_own_address(pods: Sequence[PodRef], held: Mapping[str, set[str]]) -> None:
        """The plugin gave each pod its address, so its state has it where the state is current."""
        for pod in pods:
            if not pod.host_network and pod.ip not in held.get(pod.node, set()):
                raise ControlFailed(
                    f"/var/run/azure-vnet.json of node {pod.node} does not have the address "
                    f"{pod.ip} of pod {pod.namespace}/{pod.name}, which runs there: it is not what "
                    "the plugin keeps now, so that nothing is left over in it proves nothing"
                )

    def _addresses_of_pods(self) -> set[str]:
        return {
            entry["ip"]
            for pod in self._engine.api.items(_PODS)
            for entry in pod.get("status", {}).get("podIPs") or ()
        }

    def _plugin_files(self, pod: PodRef) -> CniState:
        step = Verdict(outcome=Outcome.INCONCLUSIVE, sentence=f"files of node {pod.node}")
        return self._engine.look(pod, CniFiles(), lambda _: step).observation

    def _conclude_files(self, what: str, facts: dict[str, str], verdict: Verdict) -> FactSheet:
        sheet = FactSheet(what=what, source="/etc/cni/net.d, /var/run of the nodes", facts=facts)
        by_hand = ("kubectl", "debug", f"node/{self.pod.node}", "-it", "--image=busybox")
        return judge_facts(self._engine, sheet, verdict, by_hand=by_hand)
