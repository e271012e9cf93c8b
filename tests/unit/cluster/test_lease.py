"""A Lease: who gets it, how it is kept, how it is lost, and what is never touched."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_aksnet.cluster.connect import Cluster, connect
from pytest_aksnet.cluster.lease import Lease
from pytest_aksnet.cluster.owner import process_mark
from pytest_aksnet.model.errors import ApiRefused, ApiUnreachable, EnvironmentProblem
from tests.plugin.mini_cluster import MiniCluster
from tests.unit.cluster.scripted_api import Answer, Json, Request, status

PATH = "/apis/coordination.k8s.io/v1/namespaces/default/leases/run"
PATIENCE_S = 20.0
Make = Callable[..., Lease]


@pytest.fixture
def cluster(mini: MiniCluster, tmp_path: Path) -> Iterator[Cluster]:
    connected = connect(mini.kubeconfig(tmp_path), None)
    yield connected
    connected.close()


@pytest.fixture
def make(cluster: Cluster) -> Iterator[Make]:
    made: list[Lease] = []

    def lease(run_id: str, **terms: float) -> Lease:
        timing = {"duration_s": 40, "renew_s": 10.0, **terms}
        made.append(
            Lease(
                cluster,
                namespace="default",
                name="run",
                run_id=run_id,
                duration_s=int(timing["duration_s"]),
                renew_s=timing["renew_s"],
            )
        )
        return made[-1]

    yield lease
    for one in made:
        one.release()


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def strip_process(mini: MiniCluster) -> None:
    """Let the holder be a process of another machine."""
    del mini.objects[PATH]["metadata"]["annotations"]["aksnet.io/process"]


def test_the_first_has_it_and_the_second_is_told_who(mini: MiniCluster, make: Make) -> None:
    first, second = make("r1"), make("r2")
    assert first.try_take() == ""
    held = mini.objects[PATH]
    assert held["metadata"]["labels"]["aksnet.io/run"] == "r1"
    assert held["spec"]["holderIdentity"] == first.holder
    assert held["spec"]["leaseDurationSeconds"] == 40
    assert held["spec"]["leaseTransitions"] == 0
    holder = second.try_take()
    assert holder == first.holder
    assert "@" in holder
    assert "run r1 pid " in holder
    assert first.release() == ""
    assert mini.left() == []
    assert second.try_take() == ""


def test_of_many_at_once_one_has_it(make: Make) -> None:
    leases = [make(f"r{number}") for number in range(6)]
    won: list[Lease] = []
    start = threading.Barrier(len(leases))

    def race(lease: Lease) -> None:
        start.wait()
        if not lease.try_take():
            won.append(lease)

    threads = [threading.Thread(target=race, args=(lease,)) for lease in leases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def test_it_is_renewed_and_says_so(mini: MiniCluster, make: Make) -> None:
    lease = make("r1", renew_s=0.05)
    assert lease.try_take() == ""
    first = mini.objects[PATH]["spec"]
    until(lambda: mini.objects[PATH]["spec"]["renewTime"] != first["renewTime"])
    assert mini.objects[PATH]["spec"]["acquireTime"] == first["acquireTime"]
    assert lease.lost == ""


def test_a_holder_that_does_not_renew_is_succeeded_after_its_duration(
    mini: MiniCluster, make: Make
) -> None:
    assert make("r1", duration_s=1).try_take() == ""
    strip_process(mini)
    mini.objects[PATH]["spec"]["renewTime"] = "2999-01-01T00:00:00.000000Z"  # a clock that is wrong
    second = make("r2")
    waited_for: list[str] = []
    second.take(waited_for.append)
    assert len(waited_for) == 1
    assert mini.objects[PATH]["spec"]["holderIdentity"] == second.holder
    assert mini.objects[PATH]["spec"]["leaseTransitions"] == 1
    assert mini.objects[PATH]["metadata"]["annotations"]["aksnet.io/process"] == process_mark()


def test_a_holder_that_renews_is_waited_for(mini: MiniCluster, make: Make) -> None:
    first, second = make("r1", duration_s=1, renew_s=0.1), make("r2")
    assert first.try_take() == ""
    strip_process(mini)
    waited_for: list[str] = []
    waiting = threading.Thread(target=second.take, args=(waited_for.append,))
    waiting.start()
    until(lambda: waited_for)
    waiting.join(1.5)
    assert waiting.is_alive()
    assert first.release() == ""
    waiting.join(PATIENCE_S)
    assert not waiting.is_alive()
    assert waited_for == [first.holder]


def test_a_process_of_this_machine_that_has_ended_is_succeeded_at_once(
    mini: MiniCluster, make: Make
) -> None:
    assert make("r1").try_take() == ""
    machine, pid, begun = process_mark().split("/")
    annotations = mini.objects[PATH]["metadata"]["annotations"]
    annotations["aksnet.io/process"] = f"{machine}/{pid}/{int(begun) - 1}"
    assert make("r2").try_take() == ""


def test_one_that_another_has_taken_is_lost_and_not_taken_from_them(
    mini: MiniCluster, make: Make
) -> None:
    lease = make("r1", renew_s=0.05)
    assert lease.try_take() == ""
    theirs: Json = {**mini.objects[PATH], "spec": {"holderIdentity": "them"}}
    theirs["metadata"] = {**theirs["metadata"], "resourceVersion": "999"}
    mini.objects[PATH] = theirs
    until(lambda: lease.lost)
    assert lease.lost == "them has taken it over"
    assert lease.release() == ""
    assert mini.objects[PATH]["spec"] == {"holderIdentity": "them"}


def test_one_that_somebody_deleted_is_made_again(mini: MiniCluster, make: Make) -> None:
    lease = make("r1", renew_s=0.05)
    assert lease.try_take() == ""
    del mini.objects[PATH]
    until(lambda: PATH in mini.objects)
    assert lease.lost == ""


def test_trouble_is_borne_until_the_duration_is_over_and_then_named(
    mini: MiniCluster, make: Make
) -> None:
    serve = mini.routes.get(("GET", "/"))
    assert serve is not None
    lease = make("r1", renew_s=0.05, duration_s=1)
    assert lease.try_take() == ""
    refusals: list[Request] = []

    def trouble(request: Request) -> Answer | None:
        refusals.append(request)
        return status(500, "InternalError", "etcd is away")

    mini.answer_all(trouble)
    until(lambda: len(refusals) > 2)
    assert lease.lost == ""
    until(lambda: lease.lost)
    assert "could not be renewed for 1 s" in lease.lost
    assert "etcd is away" in lease.lost
    mini.answer_all(serve)
    renewed = mini.objects[PATH]["spec"]["renewTime"]
    until(lambda: mini.objects[PATH]["spec"]["renewTime"] != renewed)
    assert lease.lost
    assert lease.release() == ""
    assert mini.left() == []


def test_a_renewal_whose_answer_is_lost_loses_nothing(mini: MiniCluster, make: Make) -> None:
    serve = mini.routes.get(("GET", "/"))
    assert serve is not None
    cuts = iter(range(2))

    def cut(request: Request) -> Answer | None:
        answer = serve(request)
        return None if request.method == "PUT" and next(cuts, None) is not None else answer

    lease = make("r1", renew_s=0.05)
    assert lease.try_take() == ""
    mini.answer_all(cut)
    until(lambda: next(cuts, None) is None)
    renewed = mini.objects[PATH]["spec"]["renewTime"]
    until(lambda: mini.objects[PATH]["spec"]["renewTime"] != renewed)
    assert lease.lost == ""
    assert lease.release() == ""
    assert mini.left() == []


def test_who_may_not_delete_clears_the_holder(mini: MiniCluster, make: Make) -> None:
    serve = mini.routes.get(("GET", "/"))
    assert serve is not None

    def refuse(request: Request) -> Answer | None:
        if request.method == "DELETE":
            return status(403, "Forbidden", "not for you")
        return serve(request)

    mini.answer_all(refuse)
    lease = make("r1")
    assert lease.try_take() == ""
    assert lease.release() == ""
    assert mini.objects[PATH]["spec"]["holderIdentity"] == ""
    assert mini.objects[PATH]["spec"]["leaseDurationSeconds"] == 1
    assert make("r2").try_take() == ""


def test_a_lease_that_cannot_be_given_back_is_named(mini: MiniCluster, make: Make) -> None:
    lease = make("r1")
    assert lease.try_take() == ""
    mini.answer_all(lambda request: None)
    assert "default/run still names this run" in lease.release()


def test_what_another_process_of_the_run_left_is_removed_and_no_other(
    mini: MiniCluster, make: Make
) -> None:
    assert make("r1").try_take() == ""
    assert make("r2").remove_forsaken() == ""
    assert PATH in mini.objects
    assert make("r1").remove_forsaken() == ""
    assert mini.left() == []
    assert make("r1").remove_forsaken() == ""


def test_one_of_others_is_never_touched(mini: MiniCluster, make: Make) -> None:
    theirs: Json = {"metadata": {"name": "run", "resourceVersion": "1"}, "spec": {}}
    mini.objects[PATH] = theirs
    with pytest.raises(EnvironmentProblem, match="--aksnet-lease-namespace"):
        make("r1").try_take()
    assert mini.objects[PATH] == {"metadata": {"name": "run", "resourceVersion": "1"}, "spec": {}}


def test_missing_rights_and_a_lost_server_are_told_apart(mini: MiniCluster, make: Make) -> None:
    mini.answer_all(lambda request: status(403, "Forbidden", "not for you"))
    with pytest.raises(ApiRefused, match="not for you"):
        make("r1").try_take()
    mini.answer_all(lambda request: None)
    with pytest.raises(ApiUnreachable):
        make("r1", duration_s=1).take(lambda holder: None)


def test_an_api_server_that_is_away_for_a_moment_is_waited_for(
    mini: MiniCluster, make: Make
) -> None:
    serve = mini.routes.get(("GET", "/"))
    assert serve is not None
    refusals = iter(range(7))

    def away(request: Request) -> Answer | None:
        return serve(request) if next(refusals, None) is None else None

    mini.answer_all(away)
    assert make("r1").ask() == ""
