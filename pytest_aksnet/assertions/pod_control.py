"""Verbs about pods and the control plane: the API's Service, exec and logs by the tunnel."""

from pytest_aksnet.assertions.authority import cluster_authority
from pytest_aksnet.assertions.looker import Looker
from pytest_aksnet.assertions.target import AnyPod, pod_of, resolve
from pytest_aksnet.check import Engine
from pytest_aksnet.check_facts import judge_facts
from pytest_aksnet.check_many import Cell, look_at_all
from pytest_aksnet.expectations.pod_control import (
    API_NAME,
    TUNNEL,
    judge_api_server,
    judge_logs,
    judge_whole,
)
from pytest_aksnet.model.errors import (
    ApiRefused,
    ApiUnreachable,
    ControlFailed,
    ExecNotCompleted,
)
from pytest_aksnet.model.observation import ConnectOutcome, FactSheet
from pytest_aksnet.model.peers import PodRef, ServiceRef
from pytest_aksnet.model.probing import Answer, Batch, Finding, Kind, Probe
from pytest_aksnet.model.verdict import Outcome, Verdict
from pytest_aksnet.probes.nc import Nc
from pytest_aksnet.probes.numbers import Numbers

_FIRST_LINE = "reflector on port"
_GRACE_S = 6.0  # bounds a list only where the pod gets too little CPU to answer
_MOST_ENDPOINTS = 3
_HANDSHAKE_S = 10.0  # what a busy API server may take is not for the network to answer for
_NOT_CONNECTED = frozenset({Finding.TIMEOUT, Finding.REFUSED, Finding.UNREACH, Finding.PROHIBITED})
_FIRST_ERROR = 500


class ControlPlaneVerbs(Looker):
    """What connects a pod and its node with the API server."""

    def assert_api_server(self, api: ServiceRef) -> Batch:
        """The API's Service answers TLS with a certificate of the cluster's authority.

        Raises FactUnknown where the pod's namespace has no ConfigMap kube-root-ca.crt.
        """
        engine, target = self._engine, resolve(api)
        authority = cluster_authority(engine, self._pod.namespace)
        probe = Probe(
            kind=Kind.TLS,
            host=target.host,
            port=target.port,
            timeout_s=_HANDSHAKE_S,
            options={"name": API_NAME, "ca": authority},
            until=frozenset({Finding.OK}),
            within_s=_HANDSHAKE_S,
        )
        what = f"the API server at {target.host}:{target.port}"

        def judge(batch: Batch, index: int) -> Verdict:
            return judge_api_server(batch.answers[index], what=what)

        def diagnose(answer: Answer) -> str:
            lost = answer.finding in _NOT_CONNECTED
            return _why_unserved(engine, self._pod, api) if lost else ""

        url = f"https://{API_NAME}:{target.port}/readyz"
        connect = f"{API_NAME}:{target.port}:{target.host}:{target.port}"
        return look_at_all(
            engine,
            self._pod,
            [Cell(probe=probe, judge=judge, diagnose=diagnose)],
            what=f"the API server from pods of node {self._pod.node}",
            by_hand=("curl", "-sk", "-v", "--connect-to", connect, url),
            budget_s=2 * _HANDSHAKE_S + _GRACE_S,
        )

    def assert_exec_whole(self, control: AnyPod) -> FactSheet:
        """The output of a command, 100 KiB, comes whole through the tunnel to the pod's node.

        An exec that does not get through counts where it does into the pod `control`, on another
        node, in between. Raises ControlFailed where it does not.
        """
        engine, probe = self._engine, Numbers()
        try:
            return engine.converge(self._pod, probe, judge_whole)
        except ExecNotCompleted as lost:
            first = lost
        _hold(engine, self._pod, pod_of(control), first)
        try:
            return engine.converge(self._pod, probe, judge_whole)
        except ExecNotCompleted as lost:
            engine.fail(
                engine.message(
                    f"from here into pod {self._pod.namespace}/{self._pod.name}",
                    f"no exec gets through to node {self._pod.node}, and into node "
                    f"{pod_of(control).node} it does: {lost}",
                    "two rounds",
                    source=TUNNEL,
                    why=f"diagnosis: {_tunnel(self._pod.node)}",
                    command_line=engine.command_line(self._pod, probe.build()),
                )
            )

    def assert_logs_readable(self, control: AnyPod) -> FactSheet:
        """The log of the pod comes through the tunnel to its node.

        A log that cannot be read counts where the one of `control`, a pod on another node, can be.
        Raises ControlFailed where it cannot, EnvironmentProblem where logs may not be read.
        """
        engine, other = self._engine, pod_of(control)
        sheet = _log(engine, self._pod)
        if judge_logs(sheet).outcome is not Outcome.PASS:
            if (of_other := _log(engine, other)).facts["found"] != "yes":
                raise ControlFailed(
                    f"neither the log of a pod on node {self._pod.node} nor of one on node "
                    f"{other.node} can be read: {sheet.facts['problem']}; "
                    f"{of_other.facts['problem']}"
                )
            sheet = _log(engine, self._pod)
        verdict = judge_logs(sheet)
        if verdict.outcome is not Outcome.PASS:
            engine.recorder.diagnosis(_tunnel(self._pod.node))
        pod = self._pod
        return judge_facts(
            engine,
            sheet,
            verdict,
            by_hand=("kubectl", "logs", "-n", pod.namespace, pod.name, "-c", pod.container),
        )


def _why_unserved(engine: Engine, pod: PodRef, api: ServiceRef) -> str:
    """Ask the endpoints of the API's Service directly, and say whether it alone is to blame."""
    frontend = f"the Service address {api.cluster_ip}:{api.port}"
    endpoints = engine.view.endpoints(api)[:_MOST_ENDPOINTS]
    answering = [
        f"{one.ip}:{one.port}"
        for one in endpoints
        if engine.diagnose_look(
            pod, Nc(host=one.ip, port=one.port, connect_timeout_s=engine.pacing.deny_timeout_s)
        ).outcome
        is ConnectOutcome.CONNECTED
    ]
    if not endpoints:
        return f"{frontend} has no endpoint"
    if answering:
        return (
            f"the API server answers at {', '.join(answering)} directly, but {frontend} does not "
            f"from node {pod.node}: service proxy rules on that node"
        )
    asked = ", ".join(f"{one.ip}:{one.port}" for one in endpoints)
    return (
        f"the API server does not answer at {asked} either: the way from pods of node {pod.node} "
        "to it, such as a firewall or its authorised ranges"
    )


def _hold(engine: Engine, pod: PodRef, control: PodRef, first: ExecNotCompleted) -> None:
    try:
        engine.converge(control, Numbers(last=10), judge_whole, role="control")
    except ExecNotCompleted as lost:
        raise ControlFailed(
            f"the positive control that exec into node {control.node} works did not hold ({lost}), "
            f"so it is not node {pod.node}: {first}"
        ) from lost


def _log(engine: Engine, pod: PodRef) -> FactSheet:
    """What the log says, asked again until the patience is over."""
    path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/log"
    end, problem = engine.now() + engine.pacing.patience_s, ""
    while True:
        try:
            text = engine.api.text(path, {"container": pod.container, "limitBytes": "65536"})
            problem = f"it has {len(text)} characters, none of them of the process"
            if _FIRST_LINE in text:
                problem = ""
        except ApiUnreachable as lost:
            problem = str(lost)
        except ApiRefused as refused:
            if refused.status < _FIRST_ERROR:
                raise
            problem = str(refused)
        if not problem or engine.now() > end:
            return FactSheet(
                what=f"the log of pod {pod.namespace}/{pod.name} on node {pod.node}",
                source=path,
                facts={"found": "no" if problem else "yes", "problem": problem},
            )
        engine.rest(engine.pacing.first_pause_s)


def _tunnel(node: str) -> str:
    return (
        f"the API server does not reach the kubelet of node {node} at port 10250: see the pods "
        "konnectivity-agent in kube-system, and security groups and firewalls between them"
    )
