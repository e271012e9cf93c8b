"""Which controller is chosen, where it is looked for, and how long it is waited for."""

import dataclasses
import json
from collections.abc import Callable, Sequence

import pytest

from pytest_aksnet.assertions.ingress import PublishingClass
from pytest_aksnet.inventory import Inventory
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import (
    ConformanceFailure,
    ControlFailed,
    ExecNotCompleted,
    NotApplicable,
)
from pytest_aksnet.model.ingress import Front, PathRule, Wanted
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.probing import Answer, Batch, Finding, Kind, Probe
from pytest_aksnet.probes.self_signed import SelfSigned
from tests.unit.scripted import SERVER, SERVICE, StaticApi, World, always, reflected

NETWORKING = "/apis/networking.k8s.io/v1"
GATEWAYS = "/apis/gateway.networking.k8s.io/v1"
MANAGED = "webapprouting.kubernetes.azure.com"
FRONT = Front(what="front", host="10.0.9.9", patience_s=2.0, in_cluster=True)
WANTED = Wanted(host="web.example", pods=("server",))
RULES = [PathRule(service=SERVICE)]


def ingress_class(name: str, controller: str, *, default: bool = False) -> Json:
    annotations = {"ingressclass.kubernetes.io/is-default-class": "true"} if default else {}
    return {
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"controller": controller},
    }


def service(name: str, ip: str, *, external: str = "", port: int = 80) -> Json:
    status = {"loadBalancer": {"ingress": [{"ip": external}]}} if external else {}
    return {
        "metadata": {"namespace": "system", "name": name},
        "spec": {"clusterIP": ip, "ports": [{"port": port}]},
        "status": status,
    }


class Maker:
    """What the fixture `manifest` does, without a cluster."""

    def __init__(self) -> None:
        self.made: list[Json] = []

    def __call__(self, manifest: Json, *, namespace: str) -> Json:
        name = f"{manifest['kind'].lower()}-{len(self.made)}"
        metadata = {**manifest.get("metadata", {}), "name": name, "namespace": namespace}
        self.made.append({**manifest, "metadata": metadata})
        return self.made[-1]


def inventory(api: StaticApi) -> Inventory:
    return Inventory(World(always(reflected("")), api=api).engine)


def known(controller: str, api: StaticApi) -> PublishingClass:
    return PublishingClass(World(always(reflected("")), api=api).engine, "class", controller)


def test_no_class_means_that_nothing_is_published_here() -> None:
    found = inventory(StaticApi())
    with pytest.raises(NotApplicable, match="has no IngressClass"):
        found.ingress_class()
    with pytest.raises(NotApplicable, match="has no GatewayClass"):
        found.gateway_class()


def test_the_default_class_is_chosen_and_else_the_best_known() -> None:
    agic = ingress_class("agic", "azure/application-gateway")
    other = ingress_class("a-stranger", "example.com/x")
    path = f"{NETWORKING}/ingressclasses"
    assert inventory(StaticApi(lists={path: [other, agic]})).ingress_class().name == "agic"
    other = ingress_class("a-stranger", "example.com/x", default=True)
    assert inventory(StaticApi(lists={path: [agic, other]})).ingress_class().name == "a-stranger"


def test_what_a_controller_does_not_have_does_not_concern_it() -> None:
    stranger = known("example.com/x", StaticApi())
    with pytest.raises(NotApplicable, match="no canary annotations"):
        stranger.publish_canary(Maker(), RULES, 10)
    with pytest.raises(NotApplicable, match="redirect"):
        stranger.redirecting()


def test_the_controllers_own_service_is_the_way_in() -> None:
    api = StaticApi(lists={"/api/v1/services": [service("nginx", "10.0.7.7")]})
    make = Maker()
    front = known(f"{MANAGED}/nginx", api).publish(
        make, RULES, certificates=[SelfSigned("web.example", "CERT", "KEY")]
    )
    assert (front.host, front.in_cluster) == ("10.0.7.7", True)
    secret, ingress = make.made
    assert secret["type"] == "kubernetes.io/tls"
    assert ingress["spec"]["ingressClassName"] == "class"
    assert ingress["spec"]["tls"] == [{"hosts": ["web.example"], "secretName": "secret-0"}]
    assert ingress["spec"]["rules"][0]["host"] == RULES[0].name


def test_a_status_leads_to_the_service_with_that_address_or_to_the_address() -> None:
    api = StaticApi(
        lists={"/api/v1/services": [service("other", "10.0.1.1"), service("x", "10.0.2.2",
                                                                          external="20.0.0.1")]},
        objects={
            f"{NETWORKING}/namespaces/ns/ingresses/ingress-0": {
                "status": {"loadBalancer": {"ingress": [{"ip": "20.0.0.1"}]}}
            }
        },
    )  # fmt: skip
    front = known("example.com/x", api).publish(Maker(), RULES)
    assert (front.host, front.in_cluster) == ("10.0.2.2", True)
    outside = dataclasses.replace(api, lists={})
    front = known("azure/application-gateway", outside).publish(Maker(), RULES)
    assert (front.host, front.in_cluster) == ("20.0.0.1", False)


def test_two_services_that_could_be_the_controllers_are_not_guessed_between() -> None:
    both = [service("nginx", "10.0.7.7"), service("nginx-internal", "10.0.7.8")]
    api = StaticApi(lists={"/api/v1/services": both})
    with pytest.raises(ControlFailed, match="nowhere to look"):
        known(f"{MANAGED}/nginx", api).publish(Maker(), RULES)


def test_an_address_that_never_comes_fails_who_promises_it() -> None:
    stranger = known("example.com/x", StaticApi())
    with pytest.raises(ControlFailed, match="got no address within 60 s"):
        stranger.publish(Maker(), RULES)
    with pytest.raises(ConformanceFailure, match=r"status\.loadBalancer .* there is none"):
        stranger.assert_status_address(stranger.create(Maker(), RULES))
    with pytest.raises(ConformanceFailure, match=r"status\.addresses .* there is none"):
        stranger.publish_routes(Maker(), "web.example", [(RULES[0], {SERVICE: 1})])


def test_a_gateway_uses_the_load_balancer_that_others_of_its_class_use() -> None:
    other = {
        "metadata": {"annotations": {"alb.networking.azure.io/alb-name": "a", "x": "y"}},
        "spec": {"gatewayClassName": "class"},
    }
    address = {"status": {"addresses": [{"value": "20.0.0.1"}]}}
    api = StaticApi(
        lists={f"{GATEWAYS}/gateways": [other]},
        objects={f"{GATEWAYS}/namespaces/ns/gateways/gateway-0": address},
    )
    make = Maker()
    controller = known("alb.networking.azure.io/alb-controller", api)
    front = controller.publish_routes(make, "web.example", [(RULES[0], {SERVICE: 3})])
    gateway, route = make.made
    assert front.host == "20.0.0.1"
    assert gateway["metadata"]["annotations"] == {"alb.networking.azure.io/alb-name": "a"}
    assert route["spec"]["rules"][0]["backendRefs"] == [{"name": "web", "port": 80, "weight": 3}]


# -- requests ------------------------------------------------------------------------------

Reply = Callable[[Probe, int], Answer | None]


class Agents:
    """Answers by what is asked and how often there was a list before."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.lists = 0

    def probe(self, pod: PodRef, probes: Sequence[Probe], *, budget_s: float) -> Batch:
        self.lists += 1
        answers = tuple(self.reply(probe, self.lists) for probe in probes)
        return Batch(answers=answers, ended=None not in answers)


def ok(**facts: object) -> Answer:
    return Answer(Finding.OK, 1.0, 1.0, facts)


def served(pod: str = "server", status: int = 200, **more: object) -> Answer:
    return ok(status=status, body=json.dumps({"pod": pod, **more}))


def asks(reply: Reply) -> tuple[World, Agents]:
    agents = Agents(reply)
    return World(always(reflected("")), prober=agents), agents


def test_a_controller_that_catches_up_is_waited_for_and_the_time_is_noted() -> None:
    world, agents = asks(lambda probe, at: served("server" if at > 3 else "old"))
    world.probe_pod().assert_routed(FRONT, [WANTED], alive=SERVER, times=5)
    assert agents.lists == 4
    assert any("at look 4" in text for text in world.recorder.found)


def test_a_controller_that_does_not_catch_up_fails_after_its_patience() -> None:
    world, _ = asks(lambda probe, at: served("old"))
    with pytest.raises(ConformanceFailure, match="by pod old"):
        world.probe_pod().assert_routed(FRONT, [WANTED], alive=SERVER)
    assert world.time >= FRONT.patience_s


def test_a_backend_that_is_not_reached_directly_blames_nobody() -> None:
    def reply(probe: Probe, at: int) -> Answer:
        return Answer(Finding.TIMEOUT, 1.0, 1.0, {}) if probe.kind is Kind.TCP else served("old")

    world, _ = asks(reply)
    with pytest.raises(ControlFailed, match="positive control did not hold"):
        world.probe_pod().assert_routed(FRONT, [WANTED], alive=SERVER)


def test_what_could_not_be_looked_at_is_no_answer() -> None:
    world, _ = asks(lambda probe, at: None if probe.kind is Kind.HTTP else ok())
    with pytest.raises(ExecNotCompleted):
        world.probe_pod().assert_routed(FRONT, [WANTED], alive=SERVER)


def test_the_address_of_the_node_counts_for_the_client_only_where_it_may_be_translated() -> None:
    told = {"x-forwarded-for": "10.224.0.6"}  # another node
    world, _ = asks(lambda probe, at: served(forwarded=told))
    outside = dataclasses.replace(FRONT, in_cluster=False)
    world.probe_pod().assert_forwarded_for(outside, WANTED, alive=SERVER)
    with pytest.raises(ConformanceFailure, match=r"10\.224\.0\.6"):
        world.probe_pod().assert_forwarded_for(FRONT, WANTED, alive=SERVER)


def test_weights_are_judged_over_all_requests() -> None:
    turn = iter(range(10**6))

    def half(probe: Probe, at: int) -> Answer:
        return served("server" if next(turn) % 2 else "client")

    pods = {SERVER: 50, dataclasses.replace(SERVER, name="client"): 50}
    world, _ = asks(half)
    sheet = world.probe_pod().assert_split(FRONT, "web.example", pods, alive=SERVER)
    assert sum(map(int, sheet.facts.values())) == 600
    world, _ = asks(lambda probe, at: served())
    with pytest.raises(ConformanceFailure, match="200 went to pod server"):
        world.probe_pod().assert_split(FRONT, "web.example", pods, alive=SERVER)


def test_a_short_list_that_is_right_by_chance_does_not_decide() -> None:
    turn = iter(range(10**6))

    def by_chance_at_first(probe: Probe, at: int) -> Answer:
        return served("server" if at > 1 or next(turn) % 2 else "client")

    pods = {SERVER: 50, dataclasses.replace(SERVER, name="client"): 50}
    world, agents = asks(by_chance_at_first)
    with pytest.raises(ConformanceFailure, match="600 went to pod server"):
        world.probe_pod().assert_split(FRONT, "web.example", pods, alive=SERVER)
    assert agents.lists > 2


def test_certificates_are_asked_for_by_name_with_their_own_as_the_only_trusted() -> None:
    asked = []

    def reply(probe: Probe, at: int) -> Answer:
        asked.append(probe)
        return ok(verified=True)

    world, _ = asks(reply)
    mine = SelfSigned("web.example", "CERT", "KEY")
    world.probe_pod().assert_certificates(FRONT, [mine], alive=SERVER)
    assert asked[0].options == {"name": "web.example", "ca": "CERT"}
    world, _ = asks(lambda probe, at: ok(verified=False, names=["x"], why="self-signed"))
    with pytest.raises(ConformanceFailure, match="certificate of its own Secret"):
        world.probe_pod().assert_certificates(FRONT, [mine], alive=SERVER)


def test_a_redirect_goes_to_the_same_host() -> None:
    world, _ = asks(lambda probe, at: ok(status=308, location="https://web.example/"))
    world.probe_pod().assert_redirected(FRONT, "web.example", source="x", alive=SERVER)
    world, _ = asks(lambda probe, at: served())
    with pytest.raises(ConformanceFailure, match="answered with 200"):
        world.probe_pod().assert_redirected(FRONT, "web.example", source="x", alive=SERVER)
