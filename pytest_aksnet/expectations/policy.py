"""Which way of failing counts as "blocked by a NetworkPolicy", per engine."""

from dataclasses import dataclass

from pytest_aksnet.expectations.policy_paths import Unclosable
from pytest_aksnet.model.observation import Connection, ConnectOutcome
from pytest_aksnet.model.verdict import Outcome, Verdict

API = "Kubernetes API: networking.k8s.io/v1 NetworkPolicy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enforcement:
    """How an engine blocks. `blocked` are the outcomes that count; empty: it blocks nothing."""

    engine: str
    blocked: frozenset[ConnectOutcome]
    document: str


_SILENT = frozenset({ConnectOutcome.TIMEOUT})
_USE = "AKS docs: use-network-policies"

# No engine that AKS offers documents a reset or an ICMP error for a NetworkPolicy: all drop.
_ENFORCEMENTS = {
    row.engine: row
    for row in (
        Enforcement(engine="none", blocked=frozenset(), document=_USE),
        Enforcement(engine="azure", blocked=_SILENT, document=_USE),
        Enforcement(engine="calico", blocked=_SILENT, document=_USE),
        Enforcement(engine="cilium", blocked=_SILENT, document=_USE),
    )
}


def enforcement(engine: str | None) -> Enforcement:
    """The row of an engine. An engine that is unknown is judged by the API: it drops."""
    if engine in _ENFORCEMENTS:
        return _ENFORCEMENTS[engine]
    return Enforcement(engine=engine or "unknown", blocked=_SILENT, document=API)


def judge_blocked(
    seen: Connection, *, rule: Enforcement, where: str, unclosable: Unclosable | None = None
) -> Verdict:
    """Whether the connection was blocked. `where` names the nodes whose engine had to do it.

    Any failure that is not a way in which this engine blocks says nothing about the policy. A way
    that is `unclosable` may be open although the engine works: then that is what the verdict says.
    """
    peer = f"{seen.host}:{seen.port}"
    if seen.outcome is ConnectOutcome.CONNECTED and rule.blocked and unclosable is not None:
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"the connection to {peer} should be blocked by a NetworkPolicy, but it was "
            f"established. The engine is not at fault: {unclosable.why}",
            source=unclosable.document,
        )
    if seen.outcome is ConnectOutcome.CONNECTED:
        cause = (
            "no engine enforces NetworkPolicies in this cluster (policy engine none): "
            "policies are accepted and not enforced"
            if not rule.blocked
            else f"the policy is not enforced on {where} (policy engine {rule.engine})"
        )
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"the connection to {peer} should be blocked by a NetworkPolicy, but it was "
            f"established: {cause}",
            source=rule.document if not rule.blocked else API,
        )
    if seen.outcome in rule.blocked:
        return Verdict(
            outcome=Outcome.PASS,
            sentence=f"the connection to {peer} was blocked ({seen.outcome.value})",
            source=API,
        )
    return Verdict(
        outcome=Outcome.INCONCLUSIVE,
        sentence=f"the connection to {peer} failed with {seen.outcome.value} ({seen.detail}), "
        f"which is not how policy engine {rule.engine} blocks: it proves nothing about the policy",
        source=rule.document,
    )
