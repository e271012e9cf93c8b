"""Which rights this user has, as the API server itself answers: SelfSubjectAccessReviews.

A review stores nothing. A review that fails says nothing about the right: it is unknown.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import EnvironmentProblem
from pytest_aksnet.model.rights import Right, Where

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_PARALLEL = 30  # below the connections that are kept open


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """The rights that the user has not, and those that could not be reviewed, with the reason."""

    denied: frozenset[Right]
    unknown: Mapping[Right, str]


def review_rights(
    cluster: Cluster, rights: Iterable[Right], namespaces: Mapping[Where, str]
) -> Reviewed:
    """Ask for each right once, all at a time. `namespaces` names the places but the cluster.

    Never raises: what cannot be asked is unknown.
    """
    asked = list(dict.fromkeys(rights))
    if not asked:
        return Reviewed(denied=frozenset(), unknown={})

    def ask(right: Right) -> str | bool:
        try:
            answer = cluster.rest.create(_REVIEWS, _review(right, namespaces.get(right.where, "")))
        except EnvironmentProblem as problem:
            return str(problem)
        status = answer.get("status") or {}
        if status.get("allowed"):
            return True
        # An authorizer that failed may have been the one to allow it (SubjectAccessReviewStatus).
        error = "" if status.get("denied") else str(status.get("evaluationError") or "")
        return f"the authorizer failed: {error}" if error else False

    with ThreadPoolExecutor(min(_PARALLEL, len(asked)), "aksnet-rights") as pool:
        answers = dict(zip(asked, pool.map(ask, asked), strict=True))
    return Reviewed(
        denied=frozenset(right for right, answer in answers.items() if answer is False),
        unknown={right: answer for right, answer in answers.items() if isinstance(answer, str)},
    )


def _review(right: Right, namespace: str) -> Json:
    if right.path:
        path = {"path": right.path, "verb": right.verb}
        return {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"nonResourceAttributes": path},
        }
    attributes = {
        "namespace": namespace,
        "verb": right.verb,
        "group": right.group,
        "resource": right.resource,
        "subresource": right.subresource,
        "name": right.name,
    }
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
    }
