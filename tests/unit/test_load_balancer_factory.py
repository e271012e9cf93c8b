"""The Service factory where nobody gives load balancers, or where they may not be made."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_aksnet.cluster import objects
from pytest_aksnet.factories import ServiceFactory
from pytest_aksnet.lifetime import TestScope
from pytest_aksnet.model.errors import EnvironmentProblem
from pytest_aksnet.model.peers import ServiceRef
from pytest_aksnet.model.profile import Fact, NetworkProfile
from tests.unit.scripted import SERVICE


class Waits:
    """An `await_load_balancer` that never sees an address."""

    def __init__(self) -> None:
        self.timeouts: list[float | None] = []

    def __call__(
        self, cluster: object, service: ServiceRef, *, timeout_s: float | None = None
    ) -> ServiceRef:
        self.timeouts.append(timeout_s)
        raise EnvironmentProblem("no address came")


def factory(cloud: str, required: list[str] | None = None) -> ServiceFactory:
    facts = {"cloud": Fact(value=cloud, source="test")}
    session = SimpleNamespace(
        profile=NetworkProfile(facts=facts, unknown={}), cluster=None, no_load_balancer=""
    )

    def require(action: str) -> None:
        if required is not None:
            required.append(action)
        if action == "public-ip":
            pytest.skip("not allowed")

    scope: Any = SimpleNamespace(session=session, require=require)
    return ServiceFactory(cast(TestScope, scope))


def test_elsewhere_than_on_azure_an_address_is_waited_for_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits = Waits()
    monkeypatch.setattr(objects, "await_load_balancer", waits)
    made = factory("other")
    for _ in range(3):
        with pytest.raises(EnvironmentProblem, match="no address came"):
            made._balanced(SERVICE)
    assert waits.timeouts == [60.0]
    azure = factory("azure")
    for _ in range(2):
        with pytest.raises(EnvironmentProblem):
            azure._balanced(SERVICE)
    assert waits.timeouts == [60.0, None, None]


def test_a_public_load_balancer_needs_leave_for_its_address() -> None:
    required: list[str] = []
    made = factory("azure", required)
    with pytest.raises(pytest.skip.Exception):
        made(type="LoadBalancer")
    assert required == ["load-balancer", "public-ip"]
