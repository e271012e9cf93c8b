"""What is promised between pods, their nodes and the API server: its name, exec and logs. Pure."""

from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.probing import Answer, Finding
from pytest_aksnet.model.verdict import Outcome, Verdict

API_NAME = "kubernetes.default.svc"
TUNNEL = (
    "Kubernetes docs: concepts/architecture/control-plane-node-communication; AKS docs: "
    "troubleshoot tunnel connectivity"
)
_FROM_PODS = "Kubernetes docs: tasks/run-application/access-api-from-pod"


def judge_api_server(answer: Answer | None, *, what: str) -> Verdict:
    """Whether TLS to the API's Service was made, with a certificate of the cluster's authority."""
    if answer is None or not answer.looked:
        why = "no answer of the agent" if answer is None else answer.detail
        return Verdict(
            outcome=Outcome.INCONCLUSIVE, sentence=f"{what} could not be looked at: {why}"
        )
    if answer.finding is not Finding.OK:
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"{what} should speak TLS, but the look ended with {answer.detail}",
            source=_FROM_PODS,
        )
    if answer.facts.get("verified") is not True:
        names = answer.facts.get("names")
        listed = ", ".join(map(str, names)) if isinstance(names, list) else "unknown"
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"the certificate of {what} is not one of the cluster's authority for "
            f"{API_NAME}: {answer.facts.get('why')} (issuer {answer.facts.get('issuer')}, names "
            f"{listed})",
            source=_FROM_PODS,
        )
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"{what} has a certificate of the cluster's authority for {API_NAME}",
        source=_FROM_PODS,
    )


def judge_whole(seen: FactSheet) -> Verdict:
    """Whether the output of a command came through the tunnel as it was written."""
    good = seen.facts["sha256"] == seen.facts["expected"]
    return Verdict(
        outcome=Outcome.PASS if good else Outcome.FAIL,
        sentence=f"{seen.facts['bytes']} bytes came through the tunnel"
        + ("" if good else ", and they are not those that were written"),
        source=TUNNEL,
    )


def judge_logs(seen: FactSheet) -> Verdict:
    """Whether the log of a pod has the line that its process writes when it starts."""
    good = seen.facts["found"] == "yes"
    return Verdict(
        outcome=Outcome.PASS if good else Outcome.FAIL,
        sentence=f"{seen.what} "
        + ("is readable" if good else f"cannot be read: {seen.facts['problem']}"),
        source=TUNNEL,
    )
