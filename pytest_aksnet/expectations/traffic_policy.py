"""Which pods serve a Service and which source they see, per traffic policy."""

import enum
from collections.abc import Collection
from dataclasses import dataclass

from pytest_aksnet.model.observation import Connection, ConnectOutcome
from pytest_aksnet.model.verdict import Outcome, Verdict


class Policy(enum.Enum):
    """The fields of a Service and their values."""

    EXTERNAL_CLUSTER = "externalTrafficPolicy: Cluster"
    EXTERNAL_LOCAL = "externalTrafficPolicy: Local"
    INTERNAL_LOCAL = "internalTrafficPolicy: Local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One row. `source` is a noun; `without_endpoint` are the outcomes on a node that has none."""

    policy: Policy
    servers: str
    source: str
    without_endpoint: frozenset[ConnectOutcome]
    document: str


_SILENT = frozenset({ConnectOutcome.TIMEOUT})
_SOURCE_IP = "Kubernetes docs: tutorials/services/source-ip"

PROMISES = {
    row.policy: row
    for row in (
        Promise(
            policy=Policy.EXTERNAL_CLUSTER,
            servers="any ready endpoint",
            source="an address of the node that received the packet",
            without_endpoint=frozenset(),
            document=f"{_SOURCE_IP}; AKS docs: load-balancer-standard",
        ),
        Promise(
            policy=Policy.EXTERNAL_LOCAL,
            servers="a ready endpoint on the node that received the packet",
            source="the client's own address",
            without_endpoint=_SILENT,
            document=f"{_SOURCE_IP}; AKS docs: load-balancer-standard",
        ),
        Promise(
            policy=Policy.INTERNAL_LOCAL,
            servers="a ready endpoint on the client's node",
            source="the client's own address",
            without_endpoint=_SILENT | {ConnectOutcome.REFUSED},
            document="Kubernetes docs: services-networking/service-traffic-policy",
        ),
    )
}


def judge_served(
    policy: Policy, seen: Connection, *, servers: Collection[str], sources: Collection[str]
) -> Verdict:
    """Whether one of the pods `servers` answered and saw one of the addresses `sources`."""
    row = PROMISES[policy]
    peer = f"{seen.host}:{seen.port}"
    problem = ""
    if seen.outcome is not ConnectOutcome.CONNECTED:
        problem = f"no endpoint answered ({seen.outcome.value}: {seen.detail or 'no detail'})"
    elif seen.answered_by not in servers:
        problem = f"{seen.answered_by or 'a stranger'} answered"
    elif seen.source_seen not in sources:
        whose = "entered node's" if policy is Policy.EXTERNAL_CLUSTER else "client's"
        problem = (
            f"{seen.answered_by} saw {seen.source_seen}, so the {whose} address was masqueraded "
            "on the way"
        )
    expected = (
        f"{peer} ({policy.value}) should be served by {row.servers} ({', '.join(sorted(servers))}) "
        f"who sees {row.source} ({', '.join(sorted(sources))})"
    )
    if problem:
        return Verdict(
            outcome=Outcome.FAIL, sentence=f"{expected}, but {problem}", source=row.document
        )
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"{peer} ({policy.value}) was served by {seen.answered_by}, "
        f"who saw {row.source} {seen.source_seen}",
        source=row.document,
    )


def judge_not_served(policy: Policy, seen: Connection, *, at_connect: bool = False) -> Verdict:
    """Whether a node without a ready endpoint dropped the connection, in the promised way.

    With `at_connect` the client's own node may choose the endpoint in connect(), as eBPF service
    proxies do for node ports of any node: what it then sees only warns, as no packet entered.
    """
    row = PROMISES[policy]
    peer = f"{seen.host}:{seen.port}"
    if seen.outcome is ConnectOutcome.CONNECTED and at_connect:
        return Verdict(
            outcome=Outcome.PASS,
            sentence=f"{peer} ({policy.value}) was served by {seen.answered_by or 'somebody'}",
            source=row.document,
            warning=f"{peer} ({policy.value}) was served through a node without an endpoint: the "
            "client's node has an eBPF service proxy that may choose the endpoint in connect(), "
            "so only a client outside the cluster can show what that node does",
        )
    if seen.outcome is ConnectOutcome.CONNECTED:
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"{peer} ({policy.value}) should not be served by a node without an endpoint, "
            f"but {seen.answered_by or 'somebody'} answered: the policy is not honoured there",
            source=row.document,
        )
    if seen.outcome in row.without_endpoint:
        return Verdict(
            outcome=Outcome.PASS,
            sentence=f"{peer} ({policy.value}) was not served ({seen.outcome.value})",
            source=row.document,
        )
    if seen.outcome is ConnectOutcome.REFUSED:
        # The packet met no rule of a service proxy: nothing listens, so the node itself refuses.
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"{peer} ({policy.value}) should be dropped by a node without an endpoint, "
            "but was refused: that node's service proxy has no rule for it",
            source=row.document,
        )
    return Verdict(
        outcome=Outcome.INCONCLUSIVE,
        sentence=f"{peer} failed with {seen.outcome.value} ({seen.detail}), which is not how a "
        f"node without an endpoint treats {policy.value}",
        source=row.document,
    )


def judge_health(seen: Connection, *, status: int) -> Verdict:
    """Whether the health check port of a node answered with `status` (200 or 503)."""
    meaning = "it has" if status == 200 else "it has not"
    expected = (
        f"the health check {seen.host}:{seen.port} should answer {status}, as the node should say "
        f"that {meaning} a ready endpoint"
    )
    source = "KEP-1669 and Kubernetes docs: healthCheckNodePort; AKS docs: load-balancer-standard"
    if seen.outcome is ConnectOutcome.CONNECTED and seen.http_status == status:
        return Verdict(
            outcome=Outcome.PASS,
            sentence=f"the health check {seen.host}:{seen.port} answered {status}",
            source=source,
        )
    saw = (
        f"it answered {seen.http_status}"
        if seen.outcome is ConnectOutcome.CONNECTED
        else f"it was not reached ({seen.outcome.value}: {seen.detail or 'no detail'})"
    )
    if seen.outcome is ConnectOutcome.REFUSED:
        saw += ": the service proxy of that node does not serve the port"
    return Verdict(outcome=Outcome.FAIL, sentence=f"{expected}, but {saw}", source=source)
