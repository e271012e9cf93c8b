"""The truth tables of one session: which cases are queued, and what their sets of pods are made of.

Glue between session, live sets and campaign; judges nothing.
"""

from collections.abc import Callable, Iterable, Sequence

import pytest

from pytest_aksnet.check import Pacing
from pytest_aksnet.check_table import TablePacing, TableRunner, Tempo
from pytest_aksnet.cluster.policy_sets import PolicySet
from pytest_aksnet.cluster.probe_pod_manifest import ProbePodRequest
from pytest_aksnet.expectations.policy_cases import all_cases
from pytest_aksnet.expectations.policy_engines import engine_rules
from pytest_aksnet.expectations.policy_world import bind_policy
from pytest_aksnet.model.peers import NodeRef
from pytest_aksnet.model.policy import Node
from pytest_aksnet.model.policy_table import Layout, PolicyCase, TablePod
from pytest_aksnet.policy_campaign import PolicyCampaign
from pytest_aksnet.session import AksnetSession

CASE_KEY = pytest.StashKey[PolicyCase]()
"""The case of a test that no parameter names."""

_PARAMETER = "case"
_NETPOL = "netpol"


def campaign_of(session: AksnetSession) -> PolicyCampaign:
    """The campaign for the queue of a session. Creates nothing yet."""
    settings = session.settings
    tempo = Tempo()
    rules = engine_rules(session.profile.get("policy-engine"))
    nodes = [Node(name=node.name, ips=node.addresses) for node in session.nodes]
    pacing = _pacing(session.engine().pacing)

    def runner(ending: Callable[[], bool]) -> TableRunner:
        return TableRunner(
            session.agents,
            rules,
            nodes=nodes,
            pacing=pacing,
            tempo=tempo,
            ending=ending,
            sampled=settings.policy_cells == "sample",
        )

    def start(layout: Layout, number: int) -> PolicySet:
        numbers = sorted(
            {port.number for port in layout.ports}
            | {port.number for pod in layout.pods for port in pod.ports}
        )

        def request(pod: TablePod, namespace: str, index: int) -> ProbePodRequest:
            node = node_of(session.nodes, layout, index, number)
            return session.pods.table_pod(pod, node, namespace, numbers)

        made = PolicySet(session.cluster, session.scope, layout, request=request, bind=bind_policy)
        made.start()
        return made

    campaign = PolicyCampaign(
        session.policy_queue, sets=settings.policy_sets, start=start, runner=runner
    )
    session.background.append(campaign.stop)
    return campaign


def node_of(nodes: Sequence[NodeRef], layout: Layout, index: int, number: int) -> NodeRef:
    """The node of a pod by its index in the set of that number.

    Nodes come in turn, and each turn, as each set, begins one node further: else pods of one name
    would be on one node in all namespaces. Where there are enough, each set has its own nodes.
    """
    size = len(layout.pods)
    first = number * size if len(nodes) > size else number
    return nodes[(first + index + index // len(nodes)) % len(nodes)]


def uses_tables(item: pytest.Item) -> bool:
    """Whether a test looks at truth tables."""
    return "policy_table" in getattr(item, "fixturenames", ())


def case_of(item: pytest.Item) -> PolicyCase | None:
    """The case of a test, None where it has none."""
    if CASE_KEY in item.stash:
        return item.stash[CASE_KEY]
    named = getattr(getattr(item, "callspec", None), "params", {}).get(_PARAMETER)
    if isinstance(named, PolicyCase):
        return named
    return all_cases().get(named) if isinstance(named, str) else None


def left_out(items: Iterable[pytest.Item], which: str) -> list[pytest.Item]:
    """The tests whose cases --aksnet-policy-cases leaves out."""
    return [
        item for item in items if (case := case_of(item)) is not None and not _is_in(case, which)
    ]


def queue_of(items: Iterable[pytest.Item]) -> tuple[PolicyCase, ...]:
    """The cases of these tests, in their order, each once."""
    found = {case.id: case for item in items if (case := case_of(item)) is not None}
    return tuple(found.values())


def _is_in(case: PolicyCase, which: str) -> bool:
    if case.id not in all_cases() or which == "all":
        return True
    return case.default if which == "default" else case.family == _NETPOL


def _pacing(pacing: Pacing) -> TablePacing:
    return TablePacing(patience_s=pacing.policy_patience_s, open_s=pacing.connect_timeout_s)
