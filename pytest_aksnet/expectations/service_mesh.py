"""What Istio promises of the pods of a mesh, and judgements of what became of their traffic. Pure.

Sources are the documentation of Istio, whose add-on AKS has (AKS docs: istio-about).
"""

import re
from collections.abc import Mapping, Sequence

from pytest_aksnet.expectations.ingress import judge_routed, reply_of
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.ingress import Wanted
from pytest_aksnet.model.probing import Answer, Finding
from pytest_aksnet.model.verdict import Outcome, Verdict

INJECTION = "AKS docs: istio-deploy-addon, enable sidecar injection; Istio docs: sidecar injection"
MUTUAL_TLS = "Istio docs: PeerAuthentication, MutualTLS.Mode STRICT"
IDENTITY = (
    "Istio docs: security, Istio identity; ProxyConfig.ProxyHeaders, ForwardClientCertDetails "
    "(APPEND_FORWARD for sidecars)"
)
WAY_OUT = "Istio docs: traffic management, Kubernetes Services are part of the service registry"

SIDECAR = "istio-proxy"
_REFUSALS = (Finding.RESET, Finding.EOF, Finding.REFUSED)
_URI = re.compile(r"(?:^|;)URI=\"?(spiffe://[^;\"]+)")


def has_sidecar(pod: Json) -> bool:
    """Whether a pod has the sidecar, as a container or as an init container that is restarted."""
    spec = pod.get("spec") or {}
    return any(one.get("name") == SIDECAR for one in spec.get("containers") or ()) or any(
        one.get("name") == SIDECAR and one.get("restartPolicy") == "Always"
        for one in spec.get("initContainers") or ()
    )


def judge_injected(pod: Json, *, label: str) -> Verdict:
    """Whether a pod of a namespace with the mesh's label got its sidecar."""
    metadata, spec = pod["metadata"], pod.get("spec") or {}
    good = has_sidecar(pod)
    names = [
        one.get("name") for key in ("initContainers", "containers") for one in spec.get(key, ())
    ]
    sentence = (
        f"pod {metadata['namespace']}/{metadata['name']} should get the container {SIDECAR}, as "
        f"its namespace has the label {label}; it has {', '.join(map(str, names))}"
    )
    outcome = Outcome.PASS if good else Outcome.FAIL
    return Verdict(outcome=outcome, sentence=sentence, source=INJECTION)


def judge_plaintext_refused(answer: Answer | None, *, what: str) -> Verdict:
    """Whether plaintext to a pod that wants mutual TLS was refused; silence proves nothing.

    `what` is the noun for the pod's port.
    """
    should = f"{what} should refuse a client outside the mesh, which has no mutual TLS"
    if answer is None or not answer.looked:
        why = "no answer of the agent" if answer is None else answer.detail
        return Verdict(
            outcome=Outcome.INCONCLUSIVE, sentence=f"{what} could not be looked at: {why}"
        )
    if answer.finding in _REFUSALS:
        return Verdict(
            outcome=Outcome.PASS, sentence=f"{should}; it did: {answer.detail}", source=MUTUAL_TLS
        )
    if answer.finding is Finding.OK and reply_of(answer).pod:
        pod = reply_of(answer).pod
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"{should}; pod {pod} answered a plaintext request",
            source=MUTUAL_TLS,
        )
    said = f"status {reply_of(answer).status}" if answer.finding is Finding.OK else answer.detail
    return Verdict(
        outcome=Outcome.INCONCLUSIVE,
        sentence=f"{should}; what came is neither a refusal nor an answer of the pod: {said}",
        source=MUTUAL_TLS,
    )


def identities(header: str) -> Sequence[str]:
    """The SPIFFE ids of clients in an X-Forwarded-Client-Cert, the nearest last."""
    found = (_URI.search(element) for element in header.split(","))
    return [match[1] for match in found if match]


def judge_identity(
    answer: Answer | None, wanted: Wanted, *, namespace: str, account: str
) -> Verdict:
    """Whether the server is told the caller's identity; the trust domain may be any."""
    routed = judge_routed(answer, wanted, source=IDENTITY)
    if answer is None or routed.outcome is not Outcome.PASS:
        return routed
    reply = reply_of(answer)
    told = identities(reply.forwarded.get("x-forwarded-client-cert", ""))
    path = f"/ns/{namespace}/sa/{account}"
    good = bool(told) and told[-1].removeprefix("spiffe://").partition("/")[2] == path[1:]
    sentence = (
        f"the header X-Forwarded-Client-Cert that pod {reply.pod} gets should name the caller "
        f"spiffe://TRUST-DOMAIN{path}; " + (f"it names {told[-1]}" if told else "it names nobody")
    )
    outcome = Outcome.PASS if good else Outcome.FAIL
    return Verdict(outcome=outcome, sentence=sentence, source=IDENTITY)


def peer_authentication(mode: str) -> Json:
    """A PeerAuthentication for a whole namespace."""
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "PeerAuthentication",
        "spec": {"mtls": {"mode": mode}},
    }


def split_objects(host: str, label: str, percents: Mapping[str, int]) -> tuple[Json, Json]:
    """A DestinationRule with a subset for each value of a label, a VirtualService of weights."""
    subsets = [{"name": value, "labels": {label: value}} for value in percents]
    route = [
        {"destination": {"host": host, "subset": value}, "weight": percent}
        for value, percent in percents.items()
    ]
    version = "networking.istio.io/v1"
    rule = {"apiVersion": version, "kind": "DestinationRule"}
    service = {"apiVersion": version, "kind": "VirtualService"}
    return (
        {**rule, "spec": {"host": host, "subsets": subsets}},
        {**service, "spec": {"hosts": [host], "http": [{"route": route}]}},
    )
