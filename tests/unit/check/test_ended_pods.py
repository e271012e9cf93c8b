"""A failure counts only while every pod that the check uses still runs."""

from dataclasses import dataclass

import pytest

from pytest_aksnet.model.errors import (
    ApiUnreachable,
    ConformanceFailure,
    ControlFailed,
    EnvironmentProblem,
)
from pytest_aksnet.model.peers import PodRef
from tests.unit.scripted import CLIENT, SERVER, TIMEOUT, StaticView, World, always, reflected

EVICTED = "pod ns/server has ended (Evicted)"


@dataclass
class UnreachableView(StaticView):
    """A cluster whose API server has gone."""

    def ended(self, pod: PodRef) -> str:
        raise ApiUnreachable("the API server does not answer")


def test_a_target_that_was_evicted_is_no_failure_of_the_network() -> None:
    world = World(always(TIMEOUT), view=StaticView(gone={SERVER.name: EVICTED}))
    source, target = world.probe_pod(CLIENT), world.probe_pod(SERVER)
    with pytest.raises(ControlFailed, match="which this check uses") as raised:
        source.assert_connects(target)
    assert str(raised.value).startswith(EVICTED)
    assert "should be reached" in str(raised.value)


def test_what_fails_while_all_pods_run_fails() -> None:
    world = World(always(TIMEOUT))
    with pytest.raises(ConformanceFailure):
        world.probe_pod(CLIENT).assert_connects(world.probe_pod(SERVER))


def test_a_pod_of_another_check_changes_nothing() -> None:
    world = World(always(TIMEOUT), view=StaticView(gone={"stranger": "gone"}))
    with pytest.raises(ConformanceFailure):
        world.probe_pod(CLIENT).assert_connects(world.probe_pod(SERVER))


def test_where_it_cannot_be_asked_nothing_failed() -> None:
    world = World(always(TIMEOUT), view=UnreachableView())
    with pytest.raises(EnvironmentProblem):
        world.probe_pod(CLIENT).assert_connects(world.probe_pod(SERVER))


def test_a_pass_asks_for_no_pod() -> None:
    world = World(always(reflected(CLIENT.ip)), view=UnreachableView())
    world.probe_pod(CLIENT).assert_connects(world.probe_pod(SERVER))
