"""How AKS' policy engines depart from the API text, as data with its sources."""

from pytest_aksnet.model.policy import EngineRules
from pytest_aksnet.model.verdict import Outcome, Verdict

API_TEXT = EngineRules(engine="api", document="Kubernetes docs: network-policies")

_USE = "AKS docs: use-network-policies"
_FELIX = "Calico docs: Felix configuration, DefaultEndpointToHostAction"
_MIGRATE = "AKS docs: migrate-from-npm-to-cilium-network-policy"

_ROWS = {
    row.engine: row
    for row in (
        EngineRules(engine="none", enforces=False, document=_USE),
        EngineRules(
            engine="calico",
            own_node_open=False,
            document=_FELIX,
            ends_connections=False,
            connections_document="projectcalico/calico issue 6399: policies do not change "
            "established connections",
        ),
        EngineRules(
            engine="azure",
            node_ingress_judged=False,
            ipv6=False,
            document=_MIGRATE,
            ends_connections=False,
            connections_document="Azure/azure-container-networking, npm: chain AZURE-NPM is asked "
            "about new connections (ctstate NEW)",
        ),
        EngineRules(
            engine="cilium",
            ip_blocks_match_cluster=False,
            own_node_open=False,
            sctp=False,
            one_number_per_port_name=True,
            document=_MIGRATE,
            ends_connections=True,
            connections_document="cilium/cilium, bpf/bpf_lxc.c: a policy is looked up for every "
            "packet that is no reply",
        ),
    )
}


def engine_rules(engine: str | None) -> EngineRules:
    """The row of an engine; the API text for one that is unknown."""
    return _ROWS.get(engine or "", API_TEXT)


def is_documented(engine: str) -> bool:
    """Whether there is a row of this engine's own, and not only the API text."""
    return engine in _ROWS


def judge_engine_present(engine: str, *, source: str) -> Verdict:
    """Whether anything enforces NetworkPolicies; `source` is where the engine was read."""
    absent = engine == "none"
    return Verdict(
        outcome=Outcome.FAIL if absent else Outcome.PASS,
        sentence=(
            f"no engine enforces NetworkPolicies in this cluster ({source}): the API server "
            "accepts them, and they do nothing"
            if absent
            else f"policy engine {engine} enforces NetworkPolicies ({source})"
        ),
        source="CIS AKS Benchmark 1.8, 5.4.4; Kubernetes docs: network-policies, prerequisites",
    )
