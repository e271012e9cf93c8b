"""What nodes and the API server say of Services: health of the proxy, health check ports, slices.

Pure.
"""

from collections.abc import Collection, Mapping

from pytest_aksnet.model.errors import NotApplicable
from pytest_aksnet.model.probing import Answer, Finding
from pytest_aksnet.model.verdict import Outcome, Verdict

HEALTHZ_PORT = 10256
_HEALTHZ = "Kubernetes docs: kube-proxy, --healthz-bind-address; KEP-3836"
_HEALTH_CHECKS = (
    "KEP-1669 and Kubernetes docs: healthCheckNodePort; AKS docs: load-balancer-standard"
)
_SLICES = "Kubernetes docs: concepts/services-networking/endpoint-slices"


def judge_proxies(answers: Mapping[str, Answer | None], *, proxy_mode: str | None) -> Verdict:
    """Whether the service proxy of each node (keys) says that it is healthy.

    A kube-proxy that refuses where others answer does not run. Raises NotApplicable where no node
    serves the port and an eBPF proxy is known to be there: it need not serve it.
    """
    status = {node: _status(answer) for node, answer in answers.items() if answer and answer.looked}
    silent = sorted(node for node, code in status.items() if code is None)
    sick = {node: code for node, code in sorted(status.items()) if code not in (None, 200)}
    refused = sorted(
        node
        for node in silent
        if (answer := answers[node]) is not None and answer.finding is Finding.REFUSED
    )
    if not any(status.values()) and status and proxy_mode == "none":
        raise NotApplicable(
            f"eBPF serves Services here, and nothing listens at port {HEALTHZ_PORT} of the nodes"
        )
    problems = [f"node {node} answers {code}" for node, code in sick.items()]
    if any(status.values()):
        problems += [
            f"node {node} refuses while others answer: the service proxy there does not run"
            for node in refused
        ]
    if problems:
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"/healthz at port {HEALTHZ_PORT} should answer 200 on every node, but "
            f"{'; '.join(problems)}",
            source=_HEALTHZ,
        )
    blind = sorted({*answers} - {*status}) + silent
    if blind:
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence=f"port {HEALTHZ_PORT} of {', '.join(blind)} did not answer, which a firewall "
            "or --healthz-bind-address may be the reason for: ask on the node itself",
            source=_HEALTHZ,
        )
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"the service proxies of all {len(status)} nodes say that they are healthy",
        source=_HEALTHZ,
    )


def judge_health_port(answer: Answer | None, *, what: str, has_endpoint: bool) -> Verdict:
    """Whether a health check node port says 200 with a local endpoint, and 503 without."""
    if answer is None or not answer.looked:
        why = "no answer of the agent" if answer is None else answer.detail
        return Verdict(outcome=Outcome.INCONCLUSIVE, sentence=f"{what} was not looked at: {why}")
    wanted, code = 200 if has_endpoint else 503, _status(answer)
    if code == wanted:
        return Verdict(
            outcome=Outcome.PASS, sentence=f"{what} answered {code}", source=_HEALTH_CHECKS
        )
    saw = f"answered {code}" if code else f"did not answer ({answer.detail})"
    if answer.finding is Finding.REFUSED:
        saw += ", so the service proxy of that node does not serve it"
    has = "has a ready endpoint" if has_endpoint else "has no ready endpoint"
    return Verdict(
        outcome=Outcome.FAIL,
        sentence=f"{what} should answer {wanted}, as its node {has}, but {saw}: load balancers "
        f"take the node {'out' if has_endpoint else 'in'}",
        source=_HEALTH_CHECKS,
    )


def judge_listed(
    listed: Collection[str], ready: Collection[str], *, what: str, after_s: float
) -> Verdict:
    """Whether the ready endpoints of a Service are the addresses of its ready pods."""
    if set(listed) == set(ready):
        return Verdict(
            outcome=Outcome.PASS,
            sentence=f"the EndpointSlices of {what} list its {len(ready)} ready pods, "
            f"{after_s:.1f} s after it was made",
            source=_SLICES,
        )
    return Verdict(
        outcome=Outcome.FAIL,
        sentence=f"the EndpointSlices of {what} should list {', '.join(sorted(ready)) or 'nobody'} "
        f"as ready, but list {', '.join(sorted(listed)) or 'nobody'} after {after_s:.0f} s: the "
        "endpoint slice controller does not follow the pods, or the kubelet is late with probes",
        source=_SLICES,
    )


def _status(answer: Answer | None) -> int | None:
    """The HTTP status that came, or None."""
    status = answer.facts.get("status") if answer and answer.finding is Finding.OK else None
    return status if isinstance(status, int) else None
