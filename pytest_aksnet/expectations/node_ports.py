"""What the agents of a node must answer at their own ports, and to whom. Pure."""

from pytest_aksnet.model.observation import Connection, ConnectOutcome, HttpText
from pytest_aksnet.model.verdict import Outcome, Verdict

KUBELET_PORT = 10250
READ_ONLY_PORT = 10255
PROXY_PORT = 10249
_MODE = "Kubernetes docs: virtual-ips, proxy modes; AKS docs: configure-kube-proxy"
_RULES = "Kubernetes docs: Virtual IPs and Service Proxies"
_READ_ONLY = "CIS AKS 3.2.4; Kubernetes docs: KubeletConfiguration readOnlyPort"
_ANONYMOUS = "CIS Kubernetes 4.2.1; Kubernetes docs: Kubelet authentication"
_UNAUTHORIZED = 401
_OK = 200


def judge_mode(seen: HttpText, wanted: str, *, node: str) -> Verdict:
    """Whether kube-proxy of a node runs in the mode that the cluster is configured for."""
    if seen.status != _OK:
        return _inconclusive(
            f"kube-proxy of node {node} does not tell its mode at {seen.url} "
            f"({seen.problem or f'status {seen.status}'})",
            _MODE,
        )
    mode = seen.body.strip().casefold()
    if mode == wanted.casefold():
        return _passed(f"kube-proxy of node {node} runs in mode {mode}", _MODE)
    return _failed(
        f"kube-proxy of node {node} should run in mode {wanted}, as the cluster is configured, but "
        f"says {mode[:40]!r}: it fell back, or was not restarted",
        _MODE,
    )


def judge_rules(seen: Connection, *, node: str) -> Verdict:
    """Whether a node's own processes get to the API server by its Service's cluster address."""
    if seen.outcome is ConnectOutcome.CONNECTED:
        return _passed(f"node {node} has rules for Services", _RULES)
    return _failed(
        f"node {node} should lead {seen.host}:{seen.port}, the cluster address of the Service "
        f"kubernetes, to the API server, but the connection ends with {seen.outcome.value}, while "
        "the server itself is reached: its service proxy has no rules for the Service",
        _RULES,
    )


def judge_read_only_port(seen: Connection, *, node: str) -> Verdict:
    """Whether nothing listens at a kubelet's port without credentials."""
    if seen.outcome is ConnectOutcome.REFUSED:
        return _passed(f"port {READ_ONLY_PORT} of node {node} is closed", _READ_ONLY)
    if seen.outcome is ConnectOutcome.CONNECTED:
        return _failed(
            f"port {READ_ONLY_PORT} of the kubelet of node {node} should be closed, but takes "
            "connections: whoever reaches the node reads all its pods without credentials",
            _READ_ONLY,
        )
    return _inconclusive(
        f"port {READ_ONLY_PORT} of node {node} neither refuses nor answers "
        f"({seen.outcome.value}): a filter hides whether it is open",
        _READ_ONLY,
    )


def judge_credentials(seen: HttpText, *, node: str) -> Verdict:
    """Whether a kubelet refuses a request without credentials as one of nobody (401).

    403 says that it let somebody anonymous in and then did not allow this one request.
    """
    if seen.status == _UNAUTHORIZED:
        return _passed(f"the kubelet of node {node} wants credentials", _ANONYMOUS)
    if seen.status == 0:
        return _inconclusive(
            f"the kubelet of node {node} does not answer at {seen.url} ({seen.problem})", _ANONYMOUS
        )
    return _failed(
        f"the kubelet of node {node} should answer 401 to {seen.url} without credentials, but "
        f"answers {seen.status}: it takes anonymous requests",
        _ANONYMOUS,
    )


def _passed(sentence: str, source: str) -> Verdict:
    return Verdict(outcome=Outcome.PASS, sentence=sentence, source=source)


def _failed(sentence: str, source: str) -> Verdict:
    return Verdict(outcome=Outcome.FAIL, sentence=sentence, source=source)


def _inconclusive(sentence: str, source: str) -> Verdict:
    return Verdict(outcome=Outcome.INCONCLUSIVE, sentence=sentence, source=source)
