"""Address families of Services, as the API server settles and refuses them."""

from typing import Any

import pytest

from pytest_aksnet.lab.api import ip_families
from pytest_aksnet.lab.api.errors import ApiError
from pytest_aksnet.lab.api.resources import NAMESPACES, SERVICES
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.layout import make_spec
from pytest_aksnet.lab.options import LabOptions

ONE, TWO = ("IPv4",), ("IPv4", "IPv6")
PORTS = [{"port": 80}]


def store(*, dual_stack: bool) -> Store:
    made = Store(make_spec(LabOptions(dual_stack=dual_stack)))
    made.create(NAMESPACES, {"metadata": {"name": "default"}})
    return made


def create(cluster: Store, **spec: Any) -> dict[str, Any]:
    body = {"metadata": {"name": "web"}, "spec": {"ports": PORTS, **spec}}
    made: dict[str, Any] = cluster.create(SERVICES, body, "default")["spec"]
    return made


def update(cluster: Store, **spec: Any) -> dict[str, Any]:
    value = cluster.get(SERVICES, "web", "default")
    value["spec"] |= spec
    made: dict[str, Any] = cluster.update(SERVICES, value, "default")["spec"]
    return made


def families(spec: dict[str, Any]) -> list[str]:
    return [ip_families.family_of(ip) for ip in spec["clusterIPs"]]


@pytest.mark.parametrize(
    ("policy", "asked", "given"),
    [
        (None, None, ["IPv4"]),
        ("SingleStack", ["IPv6"], ["IPv6"]),
        ("PreferDualStack", None, ["IPv4", "IPv6"]),
        ("RequireDualStack", None, ["IPv4", "IPv6"]),
        ("RequireDualStack", ["IPv6"], ["IPv6", "IPv4"]),
        ("PreferDualStack", ["IPv6", "IPv4"], ["IPv6", "IPv4"]),
    ],
)
def test_a_dual_stack_cluster_gives_the_families_in_order(
    policy: str | None, asked: list[str] | None, given: list[str]
) -> None:
    spec = create(store(dual_stack=True), ipFamilyPolicy=policy, ipFamilies=asked)
    assert spec["ipFamilies"] == given == families(spec)
    assert spec["clusterIP"] == spec["clusterIPs"][0]
    assert spec["ipFamilyPolicy"] == (policy or "SingleStack")


def test_a_single_stack_cluster_gives_one_where_two_are_only_preferred() -> None:
    spec = create(store(dual_stack=False), ipFamilyPolicy="PreferDualStack")
    assert (spec["ipFamilies"], spec["ipFamilyPolicy"]) == (["IPv4"], "PreferDualStack")
    assert families(spec) == ["IPv4"]


def test_headless_services_get_families_and_no_addresses() -> None:
    cluster = store(dual_stack=True)
    wanted = {"clusterIP": "None", "selector": {"app": "web"}}
    spec = create(cluster, **wanted, ipFamilyPolicy="PreferDualStack")
    assert (spec["clusterIPs"], spec["ipFamilies"]) == (["None"], ["IPv4", "IPv6"])


@pytest.mark.parametrize("dual_stack", [False, True])
def test_headless_services_without_a_selector_are_of_both_families_on_any_cluster(
    dual_stack: bool,
) -> None:
    spec = create(store(dual_stack=dual_stack), clusterIP="None")
    assert spec["ipFamilyPolicy"] == "RequireDualStack"
    assert spec["ipFamilies"] == ["IPv4", "IPv6"]


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (
            {"ipFamilyPolicy": "RequireDualStack"},
            'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not '
            "configured for dual-stack services",
        ),
        (
            {"ipFamilies": ["IPv6"]},
            'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster',
        ),
        (
            {"clusterIP": "fd00::5"},
            'spec.clusterIPs[0]: Invalid value: ["fd00::5"]: IPv6 is not configured on this '
            "cluster",
        ),
        (
            {"ipFamilies": ["IPv5"]},
            'spec.ipFamilies[0]: Unsupported value: "IPv5": supported values: "IPv4", "IPv6"',
        ),
        (
            {"ipFamilies": ["IPv4", "IPv4"], "ipFamilyPolicy": "PreferDualStack"},
            'spec.ipFamilies[1]: Duplicate value: "IPv4"',
        ),
        (
            {"ipFamilies": ["IPv4", "IPv6"]},
            "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or "
            "'PreferDualStack' when multiple IP families are specified",
        ),
        (
            {"ipFamilyPolicy": "Both"},
            'spec.ipFamilyPolicy: Unsupported value: "Both": supported values: '
            '"PreferDualStack", "RequireDualStack", "SingleStack"',
        ),
        (
            {"clusterIPs": ["10.0.0.9"]},
            'spec.clusterIPs: Invalid value: ["10.0.0.9"]: must be empty when `clusterIP` is not '
            "specified",
        ),
        (
            {"clusterIP": "10.0.0.9", "ipFamilies": ["IPv6"]},
            'spec.clusterIPs[0]: Invalid value: "10.0.0.9": expected an IPv6 value as indicated '
            "by `ipFamilies[0]`",
        ),
    ],
)
def test_a_single_stack_cluster_refuses_in_the_api_servers_words(
    spec: dict[str, Any], text: str
) -> None:
    with pytest.raises(ApiError) as refusal:
        create(store(dual_stack=False), **spec)
    assert text in str(refusal.value)


def test_a_service_becomes_dual_stack_and_single_stack_again() -> None:
    cluster = store(dual_stack=True)
    first = create(cluster)["clusterIP"]
    both = update(cluster, ipFamilyPolicy="PreferDualStack")
    assert both["clusterIPs"][0] == first
    assert families(both) == ["IPv4", "IPv6"]
    one = update(cluster, ipFamilyPolicy="SingleStack")
    assert (one["clusterIPs"], one["ipFamilies"]) == ([first], ["IPv4"])
    again = update(cluster, ipFamilyPolicy="RequireDualStack", clusterIPs=both["clusterIPs"])
    assert again["clusterIPs"] == both["clusterIPs"], "the address had not been given back"


def test_the_second_address_is_not_given_up_without_saying_so() -> None:
    cluster = store(dual_stack=True)
    spec = create(cluster, ipFamilyPolicy="RequireDualStack")
    with pytest.raises(ApiError, match="must be 'SingleStack' to release the secondary cluster IP"):
        update(cluster, clusterIPs=spec["clusterIPs"][:1])
    with pytest.raises(ApiError, match=r"spec\.clusterIPs\[0\].*may not change once set"):
        update(cluster, clusterIP="10.0.0.9", clusterIPs=["10.0.0.9"])


def test_wanted_addresses_are_taken_once() -> None:
    cluster = store(dual_stack=True)
    wanted = ["10.0.0.9", "fd9a:6b1f:5e00::9"]
    spec = create(
        cluster, clusterIP=wanted[0], clusterIPs=wanted, ipFamilyPolicy="RequireDualStack"
    )
    assert (spec["clusterIPs"], spec["ipFamilies"]) == (wanted, list(TWO))
    body = {"metadata": {"name": "other"}, "spec": {"ports": PORTS, "clusterIP": wanted[1]}}
    with pytest.raises(ApiError, match="provided IP is already allocated"):
        cluster.create(SERVICES, body, "default")


def test_what_prefers_two_families_is_left_alone_when_the_cluster_changes() -> None:
    before = {
        "type": "ClusterIP",
        "ipFamilyPolicy": "PreferDualStack",
        "ipFamilies": ["IPv4"],
        "clusterIP": "10.0.0.9",
        "clusterIPs": ["10.0.0.9"],
    }
    after = dict(before)
    assert ip_families.settle(after, before, TWO) == []
    assert after == before
    assert ip_families.settle(fresh := {**before}, None, TWO) == []
    assert fresh["ipFamilies"] == list(TWO)
    assert ip_families.settle(single := {**before}, None, ONE) == []
    assert single["ipFamilies"] == list(ONE)
