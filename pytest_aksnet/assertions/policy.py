"""Verbs about NetworkPolicies: what they must block, with its controls, and what they allow."""

from pytest_aksnet.assertions.target import AnyPod, Target, To, pod_of, resolve
from pytest_aksnet.check import Control, Engine, Probe
from pytest_aksnet.expectations.connectivity import judge_connected
from pytest_aksnet.expectations.policy import API, enforcement, judge_blocked
from pytest_aksnet.expectations.policy_paths import unclosable
from pytest_aksnet.model.errors import ControlFailed
from pytest_aksnet.model.observation import Connection
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.policy import Direction
from pytest_aksnet.model.verdict import Verdict


def assert_policy_allows(engine: Engine, pod: PodRef, to: To, port: int | None) -> Connection:
    """See ProbePod.assert_policy_allows."""
    target = resolve(to, port)
    rule = enforcement(engine.profile.get("policy-engine"))

    def judge(seen: Connection) -> Verdict:
        return judge_connected(seen, what=f"{target.what}, which a policy allows", source=API)

    def diagnose(seen: Connection) -> str:
        if target.pod is None:
            return ""
        itself = engine.diagnose_look(target.pod, target.probe(engine.pacing.deny_timeout_s))
        return (
            f"the target answers itself with {itself.outcome.value}; policy engine {rule.engine} "
            f"drops what is allowed on {_where(pod, target, None)}, or the way is broken"
        )

    return engine.converge(
        pod,
        target.probe(engine.pacing.connect_timeout_s),
        judge,
        patience_s=engine.pacing.policy_patience_s,
        diagnose=diagnose,
    )


def assert_policy_blocks(
    engine: Engine,
    pod: PodRef,
    to: To,
    port: int | None,
    *,
    control: To | None,
    witness: AnyPod | None,
    direction: Direction | None,
) -> Connection:
    """See ProbePod.assert_policy_blocks."""
    target = resolve(to, port)
    rule = enforcement(engine.profile.get("policy-engine"))
    if control is None and not engine.was_connected(pod, target.host, target.port):
        raise ControlFailed(
            f"this test never saw {pod.namespace}/{pod.name} connect to {target.what} "
            f"({target.host}:{target.port}), so a missing answer would prove nothing: call "
            "assert_connects before the policy exists, or name a control="
        )

    open_anyway = unclosable(
        rule.engine,
        pod,
        pod=target.pod,
        node=target.node,
        port=target.port,
        direction=direction,
    )

    def probe(connect_timeout_s: float) -> Probe[Connection]:
        return target.probe(connect_timeout_s)

    def judge(seen: Connection) -> Verdict:
        return judge_blocked(
            seen, rule=rule, where=_where(pod, target, direction), unclosable=open_anyway
        )

    return engine.deny(
        pod,
        probe,
        judge,
        controls=_controls(engine, pod, target, control, witness),
        # An engine that enforces nothing is not waited for.
        patience_s=engine.pacing.policy_patience_s if rule.blocked else 0.0,
    )


def _controls(
    engine: Engine, pod: PodRef, target: Target, control: To | None, witness: AnyPod | None
) -> list[Control]:
    wait = engine.pacing.connect_timeout_s
    controls = []
    if pod.port:
        controls.append(
            Control(
                what="the source reaches its own address",
                pod=pod,
                probe=resolve(pod).probe(wait),
            )
        )
    if control is not None:
        peer = resolve(control)
        controls.append(
            Control(what=f"the source reaches {peer.what}", pod=pod, probe=peer.probe(wait))
        )
    if not controls:
        raise ControlFailed(
            f"pod {pod.namespace}/{pod.name} runs no reflector to prove that it can connect at "
            "all: name a control="
        )
    if target.pod is not None:
        controls.append(
            Control(what="the target answers itself", pod=target.pod, probe=target.probe(wait))
        )
    elif witness is not None:
        other = pod_of(witness)
        controls.append(
            Control(
                what=f"pod {other.namespace}/{other.name}, which no policy selects, reaches "
                f"{target.what}",
                pod=other,
                probe=target.probe(wait),
            )
        )
    else:
        raise ControlFailed(
            f"{target.what} cannot be asked whether it is alive: name a pod that no policy "
            "selects with witness="
        )
    return controls


def _where(pod: PodRef, target: Target, direction: Direction | None) -> str:
    receiving = f"node {target.pod.node}" if target.pod is not None else "the receiving side"
    match direction:
        case "ingress":
            return f"{receiving}, where the target is"
        case "egress":
            return f"node {pod.node}, where the source is"
        case _:
            return f"node {pod.node} (egress of the source) or {receiving} (ingress of the target)"
