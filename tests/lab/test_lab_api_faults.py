"""Faults of requests and of the API server: healthy, injected, healed, as the wire shows them."""

import contextlib
import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.lab import recordings
from tests.lab.api_server import RECORDINGS
from tests.lab.raw_api import CLOSED, STDIN, RawApi, output
from tests.lab.running_lab import RunningLab
from tests.lab.user import User

_NEEDS_RECORDINGS = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="no recordings of a real API server beside the checkout"
)
MANY = 600  # tries until something that has some chance has happened


def _pods(user: User) -> str:
    return f"/api/v1/namespaces/{user.namespace}/pods"


def _config_maps(user: User) -> str:
    return f"/api/v1/namespaces/{user.namespace}/configmaps"


def _create(api: RawApi, path: str, name: str) -> tuple[int, dict[str, str], Any]:
    return api.send("POST", path, {"metadata": {"name": name}})


def test_429_looks_as_that_of_the_priority_and_fairness_filter(api: RawApi, user: User) -> None:
    user.create_pod("p")
    user.ready("p")
    assert api.send("GET", _pods(user))[0] == 200
    api.inject("api-429=1")
    assert api.injected() == ["api-429=1"]
    status, headers, body = api.send("GET", _pods(user))
    assert (status, body) == (429, "Too many requests, please try again later.\n")
    assert headers["retry-after"] == "1"
    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert headers["x-content-type-options"] == "nosniff"
    with contextlib.closing(api.exec(user.namespace, "p", "true")) as stream:
        assert (stream.status, stream.headers["retry-after"]) == (429, "1")
    assert api.send("GET", "/readyz")[0] == 200
    api.heal("api-429")
    assert api.injected() == []
    assert api.send("GET", _pods(user))[0] == 200


def test_a_rate_hits_some_requests_only(api: RawApi, user: User) -> None:
    api.inject("api-429=0.5")
    seen = {api.send("GET", _pods(user))[0] for _ in range(60)}
    api.heal("api-429")
    assert seen == {200, 429}


def test_server_errors_have_the_forms_of_real_ones(api: RawApi, user: User) -> None:
    wanted = {
        (500, None, "etcdserver: request timed out"),
        (500, None, "etcdserver: leader changed"),
        (
            500,
            "ServerTimeout",
            "The list operation against pods could not be completed at this time, please try "
            "again.",
        ),
        (503, "ServiceUnavailable", "the server is currently unable to handle the request"),
        (504, "Timeout", "Timeout: request did not complete within the allotted timeout"),
        "the connection ended",
    }
    api.inject("api-5xx-burst=1")
    seen = set[Any]()
    for _ in range(MANY):
        seen.add(_failure(api, _pods(user)))
        if seen >= wanted:
            break
    assert seen == wanted
    api.heal("api-5xx-burst")
    assert api.send("GET", _pods(user))[0] == 200


def _failure(api: RawApi, path: str) -> object:
    try:
        status, headers, body = api.send("GET", path)
    except (http.client.RemoteDisconnected, ConnectionError):
        return "the connection ended"
    assert (body["kind"], body["status"], body["code"]) == ("Status", "Failure", status)
    assert headers.get("retry-after") == ("1" if body.get("reason") == "ServerTimeout" else None)
    return status, body.get("reason"), body["message"]


def test_a_request_whose_answer_is_lost_may_have_taken_effect(api: RawApi, user: User) -> None:
    api.inject("api-5xx-burst=1")
    lost, timed_out = [], []
    for number in range(MANY):
        try:
            status = _create(api, _config_maps(user), f"c{number}")[0]
        except (http.client.RemoteDisconnected, ConnectionError):
            lost.append(f"c{number}")
        else:
            assert status >= 500
            timed_out += [f"c{number}"] if status == 504 else []
        if lost and timed_out:
            break
    api.heal("api-5xx-burst")
    found = {item["metadata"]["name"] for item in api.send("GET", _config_maps(user))[2]["items"]}
    assert lost
    assert timed_out
    assert found >= {*lost, *timed_out}
    assert f"c{number}" in found


def test_latency_delays_requests_and_streams_and_loses_nothing(api: RawApi, user: User) -> None:
    user.create_pod("p")
    user.ready("p")
    api.inject("api-latency=1.5")
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(api.send, "GET", _pods(user))
        for _ in range(20):  # the lab's own routes are not late
            api.injected()
        assert not late.done()
        assert late.result()[0] == 200
    api.inject("api-latency=0.05")
    script = "head -c 300000 /dev/zero; echo end"
    frames, end = api.exec_to_end(user.namespace, "p", "sh", "-c", script)
    assert end == CLOSED
    assert output(frames) == bytes(300000) + b"end\n"
    api.inject("api-latency=60")  # which is more than anybody waits here
    api.heal("api-latency")
    assert api.send("GET", _pods(user))[0] == 200


def test_a_round_trip_delays_both_directions_and_is_no_less_fast(api: RawApi, user: User) -> None:
    user.create_pod("p")
    user.ready("p")
    api.inject("api-round-trip=0.4")
    began = time.monotonic()
    assert api.send("GET", _pods(user))[0] == 200
    assert time.monotonic() - began > 3 * 0.4  # of a connection's handshakes, and of the request
    with contextlib.closing(api.exec(user.namespace, "p", "cat", stdin=True)) as stream:
        began = time.monotonic()
        for number in range(100):
            stream.send(STDIN, b"%d\n" % number)
        said = b""
        while said.count(b"\n") < 100:
            frame = stream.next()
            assert not isinstance(frame, str), frame
            said += frame[1]
            assert time.monotonic() - began > 0.4
        assert time.monotonic() - began < 100 * 0.4  # which they take one after the other
    assert said.split() == [b"%d" % number for number in range(100)]
    script = "head -c 3000000 /dev/zero; echo end"
    frames, end = api.exec_to_end(user.namespace, "p", "sh", "-c", script)
    assert (end, output(frames)) == (CLOSED, bytes(3000000) + b"end\n")
    api.inject("api-round-trip=10")
    for _ in range(20):  # the lab's own routes are near
        api.injected()
    api.heal("api-round-trip")
    assert api.send("GET", _pods(user))[0] == 200


def test_a_restart_ends_all_connections_and_the_history_of_changes(
    api: RawApi, user: User, lab: RunningLab
) -> None:
    user.create_pod("p")
    user.ready("p")
    _create(api, _config_maps(user), "before")
    version = api.send("GET", _config_maps(user))[2]["metadata"]["resourceVersion"]
    _create(api, _config_maps(user), "after")
    since = f"{_config_maps(user)}?watch=1&resourceVersion={version}&timeoutSeconds=20"
    with (
        contextlib.closing(api.exec(user.namespace, "p", "cat", stdin=True)) as stream,
        api.watch(since) as events,
    ):
        assert next(events)["type"] == "ADDED"
        api.inject("api-restart=20")
        frames, end = stream.frames()
        assert end != CLOSED
        assert frames == []
        assert list(events) == []
    # While it restarts again and again, the lab's own tool gets through.
    assert lab.tool("fault", "heal", "api-restart").returncode == 0
    assert api.injected() == []
    with api.watch(since) as events:
        (event,) = events
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
    assert api.exec_to_end(user.namespace, "p", "true")[1] == CLOSED


def test_a_restarting_server_refuses_connections(api: RawApi, user: User) -> None:
    api.inject("api-restart=20")
    refused = False
    for _ in range(MANY):
        try:
            api.connect().close()
        except ConnectionRefusedError:
            refused = True
            break
        except OSError:
            continue
    assert refused
    user.heal("api-restart")
    assert api.send("GET", _pods(user))[0] == 200


def test_watches_expire_at_their_start(api: RawApi, user: User) -> None:
    version = api.send("GET", _config_maps(user))[2]["metadata"]["resourceVersion"]
    _create(api, _config_maps(user), "new")
    since = f"{_config_maps(user)}?watch=1&resourceVersion={version}&timeoutSeconds=1"
    api.inject("watch-410=1")
    with api.watch(since) as events:
        (event,) = events
    assert event["type"] == "ERROR"
    message = event["object"].pop("message")
    assert message.startswith(f"too old resource version: {version} (")
    assert event["object"] == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "reason": "Expired",
        "code": 410,
    }
    api.heal("watch-410")
    with api.watch(since) as events:
        assert [event["type"] for event in events] == ["ADDED"]


def test_a_running_watch_expires_instead_of_events(api: RawApi, user: User) -> None:
    version = api.send("GET", _config_maps(user))[2]["metadata"]["resourceVersion"]
    path = f"{_config_maps(user)}?watch=1&resourceVersion={version}&timeoutSeconds=20"
    with api.watch(path) as events:
        _create(api, _config_maps(user), "seen")
        assert next(events)["object"]["metadata"]["name"] == "seen"
        api.inject("watch-410=1")
        _create(api, _config_maps(user), "missed")
        (event,) = events
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
    assert event["object"]["message"] == ("The resourceVersion for the provided watch is too old.")


def test_a_token_expires_and_a_new_one_is_good(api: RawApi, user: User) -> None:
    path = f"/api/v1/namespaces/{user.namespace}/serviceaccounts/default/token"
    renewed = api.with_token(api.send("POST", path, {"spec": {}})[2]["status"]["token"])
    api.inject("token-expired=20")
    for _ in range(MANY):
        status, headers, body = api.send("GET", _pods(user))
        if status == 401:
            break
    assert (status, headers["content-type"]) == (401, "application/json")
    assert body == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "Unauthorized",
        "reason": "Unauthorized",
        "code": 401,
    }
    assert renewed.send("GET", "/version")[0] == 200
    api.heal("token-expired")
    assert api.send("GET", _pods(user))[0] == 200


@_NEEDS_RECORDINGS
def test_an_exceeded_quota_is_refused_in_the_recorded_words(api: RawApi, user: User) -> None:
    recorded = next(
        item
        for item in recordings.exchanges(recordings.load(RECORDINGS, "resourcequota"))
        if "requested: pods=1" in item["response"]["body"].get("message", "")
    )
    body = {**recorded["request"]["body"]}
    user.create_pod("other")
    api.inject("quota-exceeded=1")
    status, headers, refusal = api.send("POST", _pods(user), body)
    assert (status, refusal) == (recorded["response"]["status"], recorded["response"]["body"])
    assert headers["content-type"] == "application/json"
    api.heal("quota-exceeded")
    assert api.send("POST", _pods(user), body)[0] == 201


def test_all_at_random_hits_and_can_always_be_healed(api: RawApi, user: User) -> None:
    user.create_pod("p")
    user.ready("p")
    api.inject("api-trouble=0.9")
    failures = 0
    for _ in range(60):
        try:
            failures += api.send("GET", _pods(user))[0] != 200
        except (OSError, http.client.HTTPException):
            failures += 1
    assert failures
    user.heal("api-trouble")
    for _ in range(20):
        assert api.send("GET", _pods(user))[0] == 200
