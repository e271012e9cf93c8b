"""`PolicyTables`: what the fixture `policy_table` hands to tests, truth tables with assertions.

Owns how what came of a case becomes evidence and the end of a check, and what a test may expect of
policies of its own.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_aksnet.check import Engine
from pytest_aksnet.expectations.policy_cases import all_cases
from pytest_aksnet.expectations.policy_cases.layout import LAYOUT
from pytest_aksnet.expectations.policy_entries import Way, read_entries, unlike_entries
from pytest_aksnet.expectations.policy_verdicts import case_tables, judge_case
from pytest_aksnet.model.command_line import shell_line
from pytest_aksnet.model.errors import (
    ConformanceFailure,
    ControlFailed,
    NotApplicable,
    SettingsError,
)
from pytest_aksnet.model.execution import Completed
from pytest_aksnet.model.policy_table import (
    CaseResult,
    Layout,
    PolicyCase,
    PutPolicy,
    TableStep,
)
from pytest_aksnet.model.record import Attempt
from pytest_aksnet.model.verdict import Outcome, Verdict
from pytest_aksnet.policy_campaign import PolicyCampaign
from pytest_aksnet.report.redaction import one_line
from pytest_aksnet.report.table_text import difference_text

_SOURCE = "Kubernetes docs: network-policies"
_LIST = ("kubectl", "get", "networkpolicies", "--all-namespaces")
_MOST_UNLIKE = 5
_NUMBERS = itertools.count(1)


class PolicyTables:
    """Truth tables for one test. Every verb raises ConformanceFailure where a cell is wrong,
    ControlFailed where something could not be looked at, and EnvironmentProblem where the cluster
    could not be used."""

    def __init__(self, engine: Engine, campaign: PolicyCampaign) -> None:
        self._engine = engine
        self._campaign = campaign

    def assert_case(self, case: PolicyCase | str) -> CaseResult:
        """Every step of a case gives the table that its policies, and the engine's documents, say.

        A case is one of the catalogue, by its id ("generated-001", "netpol-01"), or one's own.
        """
        __tracebackhide__ = True
        return self._run(all_cases()[case] if isinstance(case, str) else case)

    def assert_policy_table(
        self,
        policies: Sequence[Mapping[str, Any]],
        expected: Mapping[str, Way] | None = None,
        *,
        layout: Layout | None = None,
        title: str = "policies of a test",
    ) -> CaseResult:
        """These policies give the truth table that they say, with packets.

        `policies` are objects of networking.k8s.io/v1 in namespaces of the layout: by default x, y
        and z (label ns), each with pods a, b and c (label pod) that answer at 8080 and 8081 over
        TCP and UDP. `expected` says further what the writer of the policies expects, from
        "SOURCE -> DESTINATION" or "SOURCE -> DESTINATION PROTOCOL/PORT" to "open" or "closed", with
        the wildcards of fnmatch, later entries winning: {"* -> x/a": "closed", "y/* -> x/a
        TCP/8080": "open"}. A wildcard never means a pod's way to itself. Where the policies
        themselves say otherwise, the check fails. Raises SettingsError, before anything is
        created, for an entry that names no cell and a policy that is in no namespace of the layout.
        """
        __tracebackhide__ = True
        chosen = layout or LAYOUT
        entries = read_entries(expected or {}, chosen)
        _check_policies(policies, chosen)
        actions = tuple(PutPolicy(policy=policy) for policy in policies)
        case = PolicyCase(
            id=f"own-{next(_NUMBERS)}",
            family="own",
            title=title,
            layout=chosen,
            steps=(TableStep(title="the policies", actions=actions),),
        )
        result = self._run(case)
        if unlike := unlike_entries(result, entries):
            more = len(unlike) - _MOST_UNLIKE
            listed = "; ".join(unlike[:_MOST_UNLIKE]) + (f"; and {more} more" if more > 0 else "")
            raise ConformanceFailure(f"the policies do not say what is expected of them: {listed}")
        return result

    def _run(self, case: PolicyCase) -> CaseResult:
        __tracebackhide__ = True
        result = self._campaign.result(case)
        absent = self._campaign.absent
        if absent and not self._campaign.tells_absent():
            raise NotApplicable(f"{absent}: that is one finding, of the first check that met it")
        if not absent and (unspoken := _unspoken(result)):
            raise NotApplicable(unspoken)
        conclude(self._engine, result, absent)
        return result


def conclude(engine: Engine, result: CaseResult, absent: str = "", *, source: str = "") -> None:
    """Leave every step as evidence, and end the check by the whole.

    `source` says in words who looked, `absent` why no policy has any effect. Raises
    ConformanceFailure or ControlFailed.
    """
    __tracebackhide__ = True
    verdict = judge_case(result, {key: pod.node for key, pod in result.pods.items()})
    if absent:
        verdict = Verdict(outcome=Outcome.FAIL, sentence=absent, source=_SOURCE)
    source = source or f"{len(result.pods)} pods of a truth table"
    argv, command_line = _by_hand(engine, result)
    tables = case_tables(result)
    for table in tables:
        engine.recorder.attempt(
            Attempt(
                role="probe",
                source=source,
                command_line=command_line,
                started=result.started,
                execution=Completed(
                    argv=argv,
                    exit_code=0,
                    stdout="",
                    stderr="",
                    duration_s=table.duration_s,
                ),
                observation=table,
                verdict=verdict,
            )
        )
    if verdict.outcome is Outcome.PASS:
        return
    probes = sum(step.probes for step in result.steps)
    message = engine.message(
        f"from: {source}",
        one_line(verdict.sentence, 4000),
        f"{probes} probes in {result.duration_s:.1f} s",
        source=verdict.source,
        why=f"the table: {result.problem}" if result.problem else "",
        command_line=command_line,
    )
    message = "\n".join(filter(None, (message, difference_text(tables))))
    if verdict.outcome is Outcome.FAIL:
        engine.fail(message)
    raise ControlFailed(message)


def _check_policies(policies: Sequence[Mapping[str, Any]], layout: Layout) -> None:
    """Raises SettingsError for what cannot be a policy of this layout."""
    for number, policy in enumerate(policies):
        metadata = policy.get("metadata") or {}
        placed = metadata.get("namespace") in layout.namespaces
        if not (placed and metadata.get("name") and "spec" in policy):
            raise SettingsError(
                f"policies[{number}] has metadata {metadata!r}: a policy needs a name, a spec, and "
                f"one of the layout's namespaces, which are {', '.join(layout.namespaces)}"
            )


def _by_hand(engine: Engine, result: CaseResult) -> tuple[tuple[str, ...], str]:
    """What repeats the first wrong cell, else the first cell: argv in the pod, and command line."""
    cells = [(name, cell) for step in result.steps for name, cell in step.cells.items()]
    wrong = [name for name, cell in cells if cell.wrong]
    for name in (*wrong, *(name for name, _ in cells)):
        source, target = result.pods.get(name.source), result.pods.get(name.destination)
        if source is not None and target is not None:
            host = target.address(name.version) or target.ip
            udp = ("-u",) if name.port.protocol == "UDP" else ()
            argv = ("nc", "-nvz", *udp, "-w", "1", host, str(name.port.number))
            return argv, engine.command_line(source, argv)
    return _LIST, shell_line(_LIST)


def _unspoken(result: CaseResult) -> str:
    """Why nothing of a case can be asked here: its protocols are not spoken; else empty."""
    protocols = {
        port.protocol
        for step in result.case.steps
        for port in step.ports or result.case.layout.ports
    }
    asked = any(step.cells for step in result.steps[: len(result.case.steps)])
    if result.problem or asked:
        return ""
    if not protocols <= {"SCTP"}:
        return ""
    return "pods of this cluster speak no SCTP: their nodes' kernel has no module for it"
