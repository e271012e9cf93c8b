"""Leases are checked as an API server checks them, and serve as a lock between runs."""

import threading
from typing import Any

import pytest

from pytest_aksnet.cluster.connect import connect
from pytest_aksnet.cluster.lease import Lease
from tests.lab.raw_api import RawApi
from tests.lab.running_lab import RunningLab

LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"


def lease(name: str, **spec: object) -> dict[str, Any]:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name},
        "spec": spec,
    }


@pytest.mark.parametrize(
    ("spec", "code", "message"),
    [
        ({"leaseDurationSeconds": 0}, 422, "spec.leaseDurationSeconds: Invalid value: 0: must be"),
        ({"leaseTransitions": -1}, 422, "spec.leaseTransitions: Invalid value: -1: must be"),
        ({"preferredHolder": "b"}, 422, "spec.preferredHolder: Forbidden: may only be specified"),
        ({"leaseDurationSeconds": "40"}, 400, "cannot unmarshal string"),
        (
            {"renewTime": "2026-01-02T03:04:05Z"},
            400,
            'parsing time "2026-01-02T03:04:05Z" as "2006-01-02T15:04:05.000000Z07:00": '
            'cannot parse "Z" as ".000000"',
        ),
        ({"acquireTime": "2026-01-02T03:04:05.1234567Z"}, 400, 'cannot parse "7Z" as "Z07:00"'),
        ({"acquireTime": "2026-01-02T03:04:05.123456Zx"}, 400, 'extra text: "x"'),
        ({"renewTime": "yesterday"}, 400, 'cannot parse "yesterday" as "2006"'),
    ],
)
def test_a_lease_that_says_nonsense_is_refused(
    api: RawApi, spec: dict[str, object], code: int, message: str
) -> None:
    status, _, body = api.send("POST", LEASES, body=lease("nonsense", **spec))
    assert status == code
    assert message in body["message"]


def test_an_update_must_name_the_state_that_it_replaces(api: RawApi) -> None:
    status, _, made = api.send("POST", LEASES, body=lease("state", holderIdentity="a"))
    assert status == 201
    wanted = lease("state", holderIdentity="b")
    status, _, body = api.send("PUT", f"{LEASES}/state", body=wanted)
    assert status == 422
    assert "metadata.resourceVersion: Invalid value: 0x0: must be specified" in body["message"]
    wanted["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"]
    assert api.send("PUT", f"{LEASES}/state", body=wanted)[0] == 200
    status, _, body = api.send("PUT", f"{LEASES}/state", body=wanted)
    assert (status, body["reason"]) == (409, "Conflict")
    condition = {"resourceVersion": made["metadata"]["resourceVersion"]}
    status, _, body = api.send("DELETE", f"{LEASES}/state", body={"preconditions": condition})
    assert (status, body["reason"]) == (409, "Conflict")
    assert api.send("DELETE", f"{LEASES}/state")[0] == 200


def test_of_several_runs_one_has_it_and_the_next_gets_it(lab: RunningLab, api: RawApi) -> None:
    cluster = connect(str(lab.kubeconfig), None)
    runs = [
        Lease(cluster, namespace="default", name="of-runs", run_id=f"r{number}", renew_s=0.05)
        for number in range(3)
    ]
    order: list[Lease] = []
    waited_for: list[str] = []

    def run(one: Lease) -> None:
        one.take(waited_for.append)
        order.append(one)
        assert [other.holder for other in runs if other is one or not other.try_take()] == [
            one.holder
        ]
        assert one.release() == ""

    threads = [threading.Thread(target=run, args=(one,)) for one in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(order) == 3
    assert set(waited_for) <= {one.holder for one in runs}
    assert [one.lost for one in runs] == ["", "", ""]
    assert api.send("GET", f"{LEASES}/of-runs")[0] == 404
    cluster.close()
