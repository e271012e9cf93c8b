"""What becomes of a reading when ARM refuses, fails, is slow or tells nonsense: always clear."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from azure.core.exceptions import AzureError

from pytest_aksnet.arm.limits import Limits
from pytest_aksnet.arm.reader import Look, Readings, TopicReader
from pytest_aksnet.arm.refusals import refusal_of
from pytest_aksnet.arm.topics import READERS
from pytest_aksnet.lab.options import LabOptions
from pytest_aksnet.model.arm import PLACE, Refusal, Sort, Topic
from pytest_aksnet.model.azure import CLUSTER, POOLS
from pytest_aksnet.model.azure_vnet import VNETS
from tests.lab.arm_readings import readings_of
from tests.lab.arm_server import GROUP, NODE_GROUP, RunningArm, arm_server

_TOPICS = (PLACE.name, *(reader.topic.name for reader in READERS))
_MORE: Topic[Any] = Topic("one more", ("Microsoft.Network/x/action",))


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningArm]:
    options = LabOptions(arm_role="Network Auditor")
    with arm_server(tmp_path_factory.mktemp("arm"), options) as running:
        running.add_service("web", "198.51.100.17", up=[running.world.spec.nodes[0].name])
        yield running


def _with(readings: Readings, read: Callable[[Look], Any]) -> Readings:
    """The same with one topic more."""
    place = TopicReader(PLACE, lambda look: readings.reading(PLACE.name).value)
    return Readings((place, *READERS, TopicReader(_MORE, read)), readings.door_of)


def _refusal(readings: Readings, topic: str = CLUSTER.name) -> Refusal:
    refusal = readings.reading(topic).refusal
    assert refusal is not None
    assert len(refusal.why) < 1000
    assert "Traceback" not in refusal.why
    assert "\n" not in refusal.why
    return refusal


def test_forbidden_names_the_action(arm: RunningArm) -> None:
    arm.trouble.denied.add("Microsoft.ContainerService/managedClusters/agentPools/read")
    try:
        with readings_of(arm) as readings:
            assert readings.reading(CLUSTER.name).refusal is None
            refusal = _refusal(readings, POOLS.name)
            assert _refusal(readings, VNETS.name) == refusal
    finally:
        arm.trouble.denied.clear()
    assert refusal.sort is Sort.FORBIDDEN
    assert refusal.action == "Microsoft.ContainerService/managedClusters/agentPools/read"
    assert refusal.action in refusal.why


def test_a_cluster_that_cannot_be_found_is_looked_for_once(arm: RunningArm) -> None:
    arm.trouble.denied.add("*")
    before = sum(arm.asked.values()) - arm.asked.get("token", 0)
    try:
        with readings_of(arm) as readings:
            refusals = {_refusal(readings, one) for one in _TOPICS}
    finally:
        arm.trouble.denied.clear()
    assert sum(arm.asked.values()) - arm.asked["token"] == before + 1
    [refusal] = refusals
    assert refusal.sort is Sort.FORBIDDEN
    assert refusal.action in PLACE.actions


def test_what_is_not_there_is_missing(arm: RunningArm) -> None:
    subscription = arm.clients.subscription
    kind = "providers/Microsoft.ContainerService/managedClusters"
    other = f"/subscriptions/{subscription}/resourceGroups/{GROUP}/{kind}/other"
    with readings_of(arm, resource_id=other) as readings:
        refusal = _refusal(readings)
    assert refusal.sort is Sort.MISSING
    assert "other" in refusal.why


def test_a_wrong_subscription_is_said(arm: RunningArm) -> None:
    wrong = "00000000-0000-0000-0000-000000000000"
    kind = "providers/Microsoft.ContainerService/managedClusters"
    for resource_id, nodes in (
        (f"/subscriptions/{wrong}/resourceGroups/{GROUP}/{kind}/aksnet-lab", None),
        (None, [f"azure:///subscriptions/{wrong}/resourceGroups/G/providers/Microsoft.Compute/x"]),
    ):
        with readings_of(arm, resource_id=resource_id, provider_ids=nodes) as readings:
            refusal = _refusal(readings)
        assert refusal.sort is Sort.MISSING
        assert "sees no such subscription" in refusal.why
        assert wrong in refusal.why


def test_throttling_is_waited_for_only_so_long(arm: RunningArm) -> None:
    arm.trouble.throttled = 1.0
    try:
        with readings_of(arm, limits=Limits(retries=2)) as readings:
            patient = readings.reading(PLACE.name)
            arm.trouble.retry_after_seconds = 21
            given_up = readings.reading(PLACE.name, since=time.time())
    finally:
        arm.trouble.throttled, arm.trouble.retry_after_seconds = 0.0, 1
    assert [one.status for one in patient.exchanges] == [429, 429, 429]
    assert [one.status for one in given_up.exchanges] == [429]
    for reading, pause in ((patient, 1), (given_up, 21)):
        assert reading.refusal is not None
        assert reading.refusal.sort is Sort.THROTTLED
        assert f"try again in {pause} s" in reading.refusal.why


def test_a_region_in_trouble_is_tried_again_and_failed(arm: RunningArm) -> None:
    arm.trouble.broken = 1.0
    try:
        with readings_of(arm, limits=Limits(retries=1)) as readings:
            reading = readings.reading(PLACE.name)
    finally:
        arm.trouble.broken = 0.0
    assert [one.status for one in reading.exchanges] == [503, 503]
    assert reading.refusal is not None
    assert reading.refusal.sort is Sort.FAILED
    assert "503 ServerTimeout" in reading.refusal.why


@pytest.mark.parametrize(
    ("limits", "tries"),
    [(Limits(retries=1, read_s=0.3), 2), (Limits(retries=3, request_s=0.3), 1)],
    ids=["each try", "all tries"],
)
def test_a_slow_answer_is_good_and_one_too_slow_is_none(
    limits: Limits, tries: int, arm: RunningArm
) -> None:
    try:
        with readings_of(arm) as readings:
            arm.trouble.slow_seconds = 0.4
            assert readings.reading(PLACE.name).refusal is None
        with readings_of(arm, limits=limits) as readings:
            arm.trouble.slow_seconds = 20
            reading = readings.reading(PLACE.name)
    finally:
        arm.trouble.slow_seconds = 0.0
    assert [one.status for one in reading.exchanges] == [0] * tries
    assert all("Timeout" in one.problem for one in reading.exchanges)
    assert reading.refusal is not None
    assert reading.refusal.sort is Sort.UNREACHABLE


def test_half_an_answer_is_never_a_stack_trace(arm: RunningArm) -> None:
    arm.trouble.fields_missing = 1.0
    try:
        for seed in range(5):
            arm.trouble.chance.seed(seed)
            with readings_of(arm) as readings:
                for topic in _TOPICS:
                    reading = readings.reading(topic)
                    assert (reading.refusal is None) != (reading.value is None)
                    if reading.refusal is not None:
                        assert reading.refusal.sort is not Sort.FORBIDDEN
    finally:
        arm.trouble.fields_missing = 0.0


def test_an_unregistered_provider_is_not_registered(arm: RunningArm) -> None:
    arm.trouble.unregistered.add("microsoft.containerservice")
    try:
        with readings_of(arm) as readings:
            refusal = _refusal(readings)
    finally:
        arm.trouble.unregistered.clear()
    assert refusal.sort is Sort.FAILED
    assert "az provider register --namespace Microsoft.ContainerService" in refusal.why
    assert {method.split(" ")[0] for method in arm.asked} <= {"GET", "POST", "token"}
    assert not [one for one in arm.asked if "register" in one.casefold()]


def _health(look: Look) -> int:
    network = look.door.network
    [rule] = network.load_balancer_load_balancing_rules.list(NODE_GROUP, "kubernetes")
    asked = network.load_balancer_load_balancing_rules.begin_health
    found = asked(NODE_GROUP, "kubernetes", rule.name).result()
    return len(found.load_balancer_backend_addresses)


def test_a_long_running_operation_is_kept_with_its_reading(arm: RunningArm) -> None:
    with readings_of(arm) as opened:
        readings = _with(opened, _health)
        reading = readings.reading(_MORE.name)
    assert reading.value
    _, posted, *polls = reading.exchanges
    assert (posted.method, posted.status) == ("POST", 202)
    assert polls
    assert polls[-1].status == 200


def test_an_operation_that_fails_says_how(arm: RunningArm) -> None:
    arm.trouble.operations_fail = True
    try:
        with readings_of(arm) as opened:
            readings = _with(opened, _health)
            refusal = _refusal(readings, _MORE.name)
    finally:
        arm.trouble.operations_fail = False
    assert refusal.sort is Sort.FAILED
    assert "ARM began it, and it failed" in refusal.why


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(operation_s=0), "has not ended within 0 s"),
        (Limits(retry_after_s=0.5), "to be looked at again in 1 s only"),
    ],
)
def test_an_operation_without_end_is_given_up(limits: Limits, said: str, arm: RunningArm) -> None:
    with readings_of(arm, limits=limits) as opened:
        readings = _with(opened, _health)
        refusal = _refusal(readings, _MORE.name)
    assert refusal.sort in (Sort.UNREACHABLE, Sort.FAILED)
    assert said in refusal.why


def _delete(look: Look) -> Any:
    networks = look.door.network.virtual_networks
    return networks.begin_delete(GROUP, "vnet-aksnet-lab").result()


def _act(look: Look) -> Any:
    clusters = look.door.containers.managed_clusters
    return clusters.list_cluster_admin_credentials(GROUP, "aksnet-lab")


@pytest.mark.parametrize("write", [_delete, _act])
def test_nothing_is_written(write: Callable[[Look], Any], arm: RunningArm) -> None:
    before = dict(arm.asked)
    with readings_of(arm) as opened:
        readings = _with(opened, write)
        reading = readings.reading(_MORE.name)
    assert reading.refusal is not None
    assert "this run only reads" in reading.refusal.why
    assert [one for one in reading.exchanges if one.method != "GET"] == []
    assert {one for one in arm.asked if one not in before} <= {"GET Microsoft.Resources"}


def test_the_token_goes_to_arm_alone(arm: RunningArm) -> None:
    def wander(look: Look) -> Any:
        return look.door.get("https://example.com/subscriptions", "2022-12-01")

    with readings_of(arm) as opened:
        readings = _with(opened, wander)
        refusal = _refusal(readings, _MORE.name)
    assert "example.com is not Azure Resource Manager" in refusal.why


def test_two_clusters_are_not_taken_for_one(arm: RunningArm) -> None:
    """Nodes in another group than the named cluster's, in two groups, in a group of nobody."""
    subscription = arm.clients.subscription
    start = f"azure:///subscriptions/{subscription}/resourceGroups"
    here = f"{start}/{NODE_GROUP}/providers/Microsoft.Compute/virtualMachines/a"
    other = (
        f"{start}/{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/s/virtualMachines/0"
    )
    named = (
        f"/subscriptions/{subscription}/resourceGroups/{GROUP}"
        "/providers/Microsoft.ContainerService/managedClusters/aksnet-lab"
    )
    elsewhere = here.replace(subscription, "00000000-0000-0000-0000-000000000000")
    for nodes, resource_id, said in (
        ([other], named, f"/resourcegroups/{GROUP}: it is another cluster"),
        ([elsewhere], named, "it is another cluster"),
        ([here, other], None, "the nodes are in several resource groups"),
        ([other], None, "is managed by nothing"),
        (["kind://docker/a"], None, "no node has a providerID of Azure"),
    ):
        with readings_of(arm, provider_ids=nodes, resource_id=resource_id) as readings:
            for topic in _TOPICS:
                if topic == PLACE.name and resource_id:
                    continue
                refusal = _refusal(readings, topic)
                assert refusal.sort is Sort.UNNAMED
                assert said in refusal.why
    for nodes, resource_id in (([here, here.upper().replace("AZURE", "azure")], None), ([], named)):
        with readings_of(arm, provider_ids=nodes, resource_id=resource_id) as readings:
            assert readings.reading(CLUSTER.name).refusal is None


def test_a_value_of_a_wrong_type_is_unreadable(arm: RunningArm) -> None:
    """The SDK decodes an attribute when it is read, not with the answer."""

    def wrong(look: Look) -> Any:
        from azure.mgmt.network.models import EffectiveNetworkSecurityGroup

        return EffectiveNetworkSecurityGroup({"tagMap": "a text"}).tag_map

    with readings_of(arm) as opened:
        refusal = _refusal(_with(opened, wrong), _MORE.name)
    assert refusal.sort is Sort.UNREADABLE
    assert "is not what is documented (DeserializationError" in refusal.why


def test_errors_of_the_sdk_have_words() -> None:
    for error in (AzureError("x"), ValueError(""), ImportError("no module"), RecursionError("r")):
        refusal = refusal_of(error, ("a",))
        assert refusal.why
        assert refusal.sort in (Sort.FAILED, Sort.UNREADABLE)
