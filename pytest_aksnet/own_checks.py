"""The checks that the plugin brings along: of users' own policies."""

import pytest

from pytest_aksnet.existing_workloads import ExistingWorkloads
from pytest_aksnet.fixtures import STATE_KEY
from pytest_aksnet.policy_pods import ChosenPod
from pytest_aksnet.policy_sessions import CASE_KEY
from pytest_aksnet.policy_tables import PolicyTables

POD_KEY = pytest.StashKey[ChosenPod]()
"""The pod from which a check looks."""


def prove_own_policy(policy_table: PolicyTables, request: pytest.FixtureRequest) -> None:
    """A policy of the user's own opens what it allows and closes all else.

    Why: A policy is right as a text long before it is known what it does: a selector that matches
    nothing, a port that nobody listens at or an engine that reads it otherwise are not seen in it.

    Remedy: Read the first wrong cell: it names the policy, and the rule if there is one, that
    decides it, and the node that enforces otherwise. `kubectl get pods -n kube-system` shows
    whether the agent of the policy engine runs on that node.
    """
    case = request.node.stash[CASE_KEY]
    if case.note:
        request.node.stash[STATE_KEY].note(f"{case.id}: {case.note}")
    policy_table.assert_case(case)


def prove_policies_of_pod(
    policy_workloads: ExistingWorkloads, request: pytest.FixtureRequest
) -> None:
    """A running pod reaches what the policies allow it at the other named pods, and nothing else.

    Why: Policies hold between the labels that workloads have today, which is not always what their
    manifests said; and what an engine has realised is seen on packets alone.

    Remedy: Read the first wrong cell: it names the policy, and the rule if there is one, that
    decides it. Compare the labels of both pods with its selectors (`kubectl get pods
    --show-labels`) and look at the agent of the policy engine on the nodes of both.
    """
    stash = request.node.stash
    policy_workloads.assert_policies_hold(stash[POD_KEY], stash[STATE_KEY].note)
