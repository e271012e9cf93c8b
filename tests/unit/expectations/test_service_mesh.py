"""What is concluded of pods of a mesh and of their traffic."""

import json

import pytest

from pytest_aksnet.expectations.service_mesh import (
    has_sidecar,
    identities,
    judge_identity,
    judge_injected,
    judge_plaintext_refused,
    split_objects,
)
from pytest_aksnet.model.ingress import Wanted
from pytest_aksnet.model.probing import Answer, Finding
from pytest_aksnet.model.verdict import Outcome

WANTED = Wanted(host="web.a.svc.cluster.local", pods=("one",))
OURS = "spiffe://cluster.local/ns/a/sa/default"


def answer(finding: Finding = Finding.OK, **facts: object) -> Answer:
    return Answer(finding, 1.0, 1.0, facts)


def http(pod: str = "", *, told: str = "", status: int = 200) -> Answer:
    body = {"source": "127.0.0.6", "pod": pod, "forwarded": {"x-forwarded-client-cert": told}}
    return answer(status=status, body=json.dumps(body) if pod else "no healthy upstream")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"containers": [{"name": "app"}, {"name": "istio-proxy"}]}, True),
        ({"initContainers": [{"name": "istio-proxy", "restartPolicy": "Always"}]}, True),
        ({"initContainers": [{"name": "istio-proxy"}], "containers": [{"name": "app"}]}, False),
        ({"containers": [{"name": "app"}]}, False),
    ],
)
def test_a_sidecar_is_a_container_or_an_init_container_that_is_restarted(
    spec: dict[str, object], expected: bool
) -> None:
    pod = {"metadata": {"namespace": "a", "name": "b"}, "spec": spec}
    assert has_sidecar(pod) is expected
    verdict = judge_injected(pod, label="istio.io/rev=asm-1-27")
    assert verdict.outcome is (Outcome.PASS if expected else Outcome.FAIL)
    assert "istio.io/rev=asm-1-27" in verdict.sentence


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        (answer(Finding.RESET), Outcome.PASS),
        (answer(Finding.EOF), Outcome.PASS),
        (answer(Finding.REFUSED), Outcome.PASS),
        (http("one"), Outcome.FAIL),
        (http(status=503), Outcome.INCONCLUSIVE),
        (answer(Finding.TIMEOUT), Outcome.INCONCLUSIVE),
        (answer(Finding.MUTE), Outcome.INCONCLUSIVE),
        (answer(Finding.LOCAL), Outcome.INCONCLUSIVE),
        (None, Outcome.INCONCLUSIVE),
    ],
)
def test_only_a_refusal_is_one_and_only_the_pods_answer_fails(
    seen: Answer | None, outcome: Outcome
) -> None:
    assert judge_plaintext_refused(seen, what="pod one").outcome is outcome


def test_identities_of_a_header() -> None:
    whole = f'By=spiffe://x/ns/b/sa/c;Hash=0a;Subject="";URI={OURS},By=d;URI="spiffe://y/ns/e/sa/f"'
    assert identities(whole) == [OURS, "spiffe://y/ns/e/sa/f"]
    assert identities("") == identities("By=spiffe://x/ns/b/sa/c;Hash=0a") == []


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        (http("one", told=f'By=x;Hash=0;Subject="";URI={OURS}'), Outcome.PASS),
        (http("one", told="URI=spiffe://other.domain/ns/a/sa/default"), Outcome.PASS),
        (http("one", told=f"URI={OURS},URI=spiffe://cluster.local/ns/b/sa/x"), Outcome.FAIL),
        (http("one", told=f"URI={OURS}-other"), Outcome.FAIL),
        (http("one", told=f"By={OURS}"), Outcome.FAIL),
        (http("one"), Outcome.FAIL),
        (http("other", told=f"URI={OURS}"), Outcome.FAIL),
        (None, Outcome.INCONCLUSIVE),
    ],
)
def test_the_nearest_identity_counts(seen: Answer | None, outcome: Outcome) -> None:
    verdict = judge_identity(seen, WANTED, namespace="a", account="default")
    assert verdict.outcome is outcome, verdict.sentence


def test_the_objects_of_a_split_name_the_same_host_and_subsets() -> None:
    rule, service = split_objects("web.a", "version", {"v1": 75, "v2": 25})
    subsets = {one["name"]: one["labels"] for one in rule["spec"]["subsets"]}
    assert subsets == {"v1": {"version": "v1"}, "v2": {"version": "v2"}}
    [http_rule] = service["spec"]["http"]
    weights = {one["destination"]["subset"]: one["weight"] for one in http_rule["route"]}
    assert weights == {"v1": 75, "v2": 25}
    hosts = {one["destination"]["host"] for one in http_rule["route"]}
    assert hosts == {rule["spec"]["host"], *service["spec"]["hosts"]}
