"""`ExistingWorkloads`: proves the policies between pods that are there already; changes nothing.

Owns the looks: a handshake of TCP from inside the pods that the user named, nothing sent. What an
answer proves is `expectations.policy_workloads`.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from pytest_aksnet.expectations.policy_engines import engine_rules
from pytest_aksnet.expectations.policy_rules import address
from pytest_aksnet.expectations.policy_workloads import (
    Looks,
    Workload,
    cells_between,
    expected_cells,
    judge_looks,
    read_workload,
    unproven,
    unserved,
)
from pytest_aksnet.lifetime import TestScope
from pytest_aksnet.model.errors import ControlFailed, EnvironmentProblem
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.policy import Decision, Node, PortSpec
from pytest_aksnet.model.policy_table import (
    CaseResult,
    CellName,
    CellResult,
    Layout,
    ManyProber,
    PolicyCase,
    StepResult,
    TablePod,
    TableStep,
)
from pytest_aksnet.model.probing import Answer, Batch, Kind, Probe
from pytest_aksnet.policy_pods import ChosenPod, Situation, read_situation
from pytest_aksnet.policy_tables import conclude

_LOOKS = 3  # a cell that is wrong, or was not seen, is looked at again
_SELF_PORT = 9  # discard: refused where nobody listens, and that is an answer too
_TRY_S, _GRACE_S = 2.0, 15.0
_MOST_SAID = 3


class ExistingWorkloads:
    """Looks from one of the named pods at the others."""

    def __init__(self, scope: TestScope) -> None:
        self._engine = scope.engine
        self._prober: ManyProber = scope.session.agents
        self._nodes = [
            Node(name=node.name, ips=node.addresses) for node in scope.engine.view.nodes()
        ]
        self._probes = 0

    def assert_policies_hold(self, chosen: ChosenPod, note: Callable[[str], None]) -> None:
        """The source reaches what the policies allow, at declared TCP ports, and nothing else.

        `note` is told what was not looked at, in sentences. Raises ConformanceFailure for a wrong
        cell; ControlFailed for what could not be looked at; EnvironmentProblem where something may
        not be read, naming the right.
        """
        __tracebackhide__ = True
        started, clock = time.time(), time.monotonic()
        situation = read_situation(self._engine.api, chosen.pods)
        workloads = [read_workload(pod) for pod in situation.pods]
        refs = {f"{pod.namespace}/{pod.name}": pod for pod in chosen.pods}
        source = next(one for one in workloads if refs[one.key] == chosen.source)
        if source.proxy:
            raise ControlFailed(
                f"{source.key} has the proxy {source.proxy}, which answers its connections itself: "
                "they tell nothing of policies; name a pod without one"
            )
        rules = engine_rules(self._engine.profile.get("policy-engine"))
        expected = expected_cells(
            source, workloads, situation.policies, situation.namespaces, self._nodes, rules
        )
        others = {name: one for name, one in expected.items() if name.destination != source.key}
        if not others:
            raise ControlFailed(
                f"none of the other named pods declares a TCP port that {source.key} could be "
                "looked at from: name pods with containerPorts"
            )
        cells = self._look(source, workloads, others, refs, situation)
        if not cells:
            raise ControlFailed(
                "nobody listens at the ports that the other named pods declare, so nothing was "
                f"looked at from {source.key}: name pods that serve"
            )
        if any(cell.wrong for cell in cells.values()):
            self._unchanged(situation, chosen.pods)
        for sentence in _not_looked_at(workloads, situation, others.keys() - cells.keys()):
            note(sentence)
        result = CaseResult(
            case=_case(source, workloads, chosen),
            steps=(
                StepResult(
                    title="as it is",
                    pods=tuple(one.key for one in workloads),
                    ports=tuple(dict.fromkeys(name.port for name in cells)),
                    cells=cells,
                    policies=situation.policies,
                    converged_s=None,
                    duration_s=time.monotonic() - clock,
                    probes=self._probes,
                ),
            ),
            started=started,
            duration_s=time.monotonic() - clock,
            engine=rules.engine,
            document=rules.document,
            pods=refs,
        )
        conclude(self._engine, result, source=f"pod {source.key}")

    def _look(
        self,
        source: Workload,
        workloads: Sequence[Workload],
        expected: Mapping[CellName, Decision],
        refs: Mapping[str, PodRef],
        situation: Situation,
    ) -> dict[CellName, CellResult]:
        """The cells as they were last seen, without those of ports that nobody listens at.

        Those that were as they should be are asked once.
        """
        caveat = f"{_listed(situation.others)} may decide too" if situation.others else ""
        cells: dict[CellName, CellResult] = {}
        left: Mapping[CellName, Decision] = expected
        for _ in range(_LOOKS):
            looks = self._ask(source, workloads, list(left), refs)
            dead = {_place(way) for way in unserved(looks)}
            left = {name: one for name, one in left.items() if _place(name) not in dead}
            cells = {name: cell for name, cell in cells.items() if _place(name) not in dead}
            found = judge_looks(left, looks, caveat)
            if asked := unproven(found):
                looks = self._with_witnesses(looks, asked, workloads, refs)
                found = judge_looks(left, looks, caveat)
            cells.update(found)
            left = {name: left[name] for name, cell in found.items() if not cell.right}
            if not left:
                break
        return cells

    def _ask(
        self,
        source: Workload,
        workloads: Sequence[Workload],
        names: Sequence[CellName],
        refs: Mapping[str, PodRef],
    ) -> Looks:
        """Ask the source for these cells, and each destination for its way to itself."""
        own = CellName(
            source.key,
            source.key,
            PortSpec(number=_SELF_PORT),
            4 if address(source.pod, 4) else 6,
        )
        lists: dict[str, list[CellName]] = {source.key: [*names, own]}
        for other in workloads:
            if any(name.destination == other.key for name in names):
                lists.setdefault(other.key, []).extend(cells_between(other, other))
        answers, problems = self._answers(lists, workloads, refs)
        return Looks(
            answers={name: answers.get(name) for name in names},
            witnesses={name: one for name, one in answers.items() if name.source != source.key},
            self_answer=answers.get(own),
            waited_s=_TRY_S,
            problem=problems.get(source.key, ""),
        )

    def _with_witnesses(
        self,
        looks: Looks,
        silent: Sequence[CellName],
        workloads: Sequence[Workload],
        refs: Mapping[str, PodRef],
    ) -> Looks:
        """The same with what all other pods are answered by destinations that were silent."""
        wanted = {_place(name) for name in silent}
        lists = {
            other.key: [
                name
                for target in workloads
                for name in cells_between(other, target)
                if _place(name) in wanted
            ]
            for other in workloads
            if all(name.source != other.key for name in silent)
        }
        answers, _ = self._answers(lists, workloads, refs)
        return replace(looks, witnesses={**looks.witnesses, **answers})

    def _answers(
        self,
        lists: Mapping[str, Sequence[CellName]],
        workloads: Sequence[Workload],
        refs: Mapping[str, PodRef],
    ) -> tuple[dict[CellName, Answer | None], dict[str, str]]:
        """What came, and why something did not, by the pod that was asked."""
        pods = {one.key: one.pod for one in workloads}
        asked = {key: list(dict.fromkeys(names)) for key, names in lists.items() if names}
        probes = {
            refs[key]: [
                Probe(
                    kind=Kind.CONNECT,
                    host=address(pods[name.destination], name.version) or "",
                    port=name.port.number,
                    timeout_s=_TRY_S,
                )
                for name in names
            ]
            for key, names in asked.items()
        }
        self._probes += sum(map(len, probes.values()))
        batches = self._prober.probe_many(probes, budget_s=_TRY_S + _GRACE_S)
        answers: dict[CellName, Answer | None] = {}
        problems = {}
        for key, names in asked.items():
            batch = batches[refs[key]]
            answers.update(zip(names, batch.counted, strict=True))
            if not batch.complete:
                problems[key] = _problem(refs[key], batch)
        return answers, problems

    def _unchanged(self, before: Situation, pods: Sequence[PodRef]) -> None:
        """Raise EnvironmentProblem where policies or labels changed during the look."""
        if read_situation(self._engine.api, pods).versions != before.versions:
            raise EnvironmentProblem(
                "policies, or labels of pods or namespaces, changed during the look: run again"
            )


def _place(name: CellName) -> tuple[str, PortSpec, int]:
    """Where a cell leads to."""
    return name.destination, name.port, name.version


def _problem(pod: PodRef, batch: Batch) -> str:
    """Why the agent did not answer, and how to go on."""
    where = f"container {pod.container} of pod {pod.namespace}/{pod.name}"
    if "403" in batch.problem or "orbidden" in batch.problem:
        return (
            f"{where}: this takes create and get on pods/exec in namespace {pod.namespace}, which "
            f"this user may not ({batch.problem})"
        )
    return (
        f"{where} cannot look ({batch.problem or 'its agent did not answer'}): it takes python3, "
        "or a shell with nc or curl; name a pod that has them, of the same labels"
    )


def _case(source: Workload, workloads: Sequence[Workload], chosen: ChosenPod) -> PolicyCase:
    return PolicyCase(
        id=f"{chosen.name} as source",
        family="existing workloads",
        title=f"what policies let {source.key} reach",
        layout=Layout(
            namespaces={one.pod.namespace: {} for one in workloads},
            pods=tuple(
                TablePod(namespace=one.pod.namespace, name=one.pod.name, labels=one.pod.labels)
                for one in workloads
            ),
            ports=tuple(dict.fromkeys(port for one in workloads for port in one.ports)),
        ),
        steps=(TableStep(title="as it is"),),
    )


def _not_looked_at(
    workloads: Sequence[Workload], situation: Situation, unserved_ways: Collection[CellName]
) -> tuple[str, ...]:
    """What was left out, in sentences."""
    silent = [
        f"{one.key} {port.protocol} {port.number}" for one in workloads for port in one.unseen
    ]
    found = []
    if unserved_ways:
        found.append(
            f"not looked at, as nobody listens there: {_listed(sorted(map(str, unserved_ways)))}"
        )
    if silent:
        found.append(f"not looked at, as nothing is sent: {_listed(silent)}")
    if situation.others:
        found.append(f"other objects may decide too: {_listed(situation.others)}")
    if situation.not_read:
        found.append(
            f"whether others decide too is not known: {_listed(situation.not_read)} cannot be "
            "listed"
        )
    return tuple(found)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_SAID
    return ", ".join(names[:_MOST_SAID]) + (f" and {more} more" if more > 0 else "")
