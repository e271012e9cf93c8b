"""Which network plugin a node of each mode must be configured for, and what it may hold. Pure."""

from collections.abc import Collection, Mapping

from pytest_aksnet.model.observation import CniState
from pytest_aksnet.model.profile import NetworkProfile
from pytest_aksnet.model.verdict import Outcome, Verdict, merge

_CONFIG = "Azure/azure-container-networking: cni/*.conflist; libcni: the first file by name counts"
_STATE = "Azure docs: troubleshoot-network-aks, compare the IPAM store with the running pods"
# Plugin and IPAM by mode; Cilium takes the plugin's place in every mode.
_EXPECTED = {
    "overlay": ("azure-vnet", "azure-cns"),
    "pod-subnet": ("azure-vnet", "azure-cns"),
    "node-subnet": ("azure-vnet", "azure-vnet-ipam"),
    "kubenet": ("bridge", "host-local"),
}
_CILIUM = ("cilium-cni", "azure-ipam")


def expected_plugin(profile: NetworkProfile) -> tuple[str, str] | None:
    """Plugin and IPAM, or None where no fact promises one."""
    if profile.get("cloud") != "azure":
        return None
    if profile.get("policy-engine") == "cilium":
        return _CILIUM
    return _EXPECTED.get(profile.get("mode") or "")


def judge_configs(states: Mapping[str, CniState], expected: tuple[str, str] | None) -> Verdict:
    """Whether every node is configured for the plugin of the mode, and all for the same."""
    if not states:
        return Verdict(outcome=Outcome.INCONCLUSIVE, sentence="no node was looked at")
    usual = expected or _most([(_first(one), one.ipam) for one in states.values()])
    return merge(_judge_config(state, usual, node) for node, state in sorted(states.items()))


def _judge_config(state: CniState, usual: tuple[str, str], node: str) -> Verdict:
    if not state.configs:
        return _failed(
            f"node {node} has no configuration of a network plugin in /etc/cni/net.d: new pods do "
            "not start there",
            _CONFIG,
        )
    seen = (_first(state), state.ipam)
    if seen == usual:
        return _passed(f"node {node}: {state.configs[0]}, {'/'.join(seen)}", _CONFIG)
    return _failed(
        f"containerd of node {node} should load a configuration for {'/'.join(usual)}, but the "
        f"first of {', '.join(state.configs)} is for {'/'.join(seen)}: a leftover comes before it",
        _CONFIG,
    )


def judge_state(leftover: Mapping[str, Collection[str]]) -> Verdict:
    """Whether the plugins hold no address for a pod that is gone, by node."""
    verdicts = [
        _failed(
            f"the network plugin of node {node} should hold no address that no pod has, but holds "
            f"{', '.join(sorted(addresses))}: leaked, and not given to anybody again",
            _STATE,
        )
        for node, addresses in sorted(leftover.items())
        if addresses
    ]
    return merge(verdicts or [_passed(f"{len(leftover)} nodes hold what their pods have", _STATE)])


def _first(state: CniState) -> str:
    return state.plugins[0] if state.plugins else ""


def _most(seen: list[tuple[str, str]]) -> tuple[str, str]:
    return max(sorted(set(seen)), key=seen.count)


def _passed(sentence: str, source: str) -> Verdict:
    return Verdict(outcome=Outcome.PASS, sentence=sentence, source=source)


def _failed(sentence: str, source: str) -> Verdict:
    return Verdict(outcome=Outcome.FAIL, sentence=sentence, source=source)
