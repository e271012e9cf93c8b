"""Finds the pods that --aksnet-policy-pods names, and reads what decides between them. Read-only.

Loaded only with that option. What may not be read is said with the right that it takes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.pods import pod_ref, pods_path
from pytest_aksnet.cluster.rest import path_of
from pytest_aksnet.model.api import ApiReader, Json
from pytest_aksnet.model.errors import ApiRefused, EnvironmentProblem, SettingsError
from pytest_aksnet.model.peers import PodRef

OPTION = "--aksnet-policy-pods"
MOST_PODS = 30
_FORBIDDEN = 403
_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
_POLICIES = ("apis", "networking.k8s.io", "v1")
# Kinds that decide too where they are used: API, resource, whether it lies in namespaces.
_OTHERS = (
    ("cilium.io/v2", "ciliumnetworkpolicies", True),
    ("cilium.io/v2", "ciliumclusterwidenetworkpolicies", False),
    ("crd.projectcalico.org/v1", "networkpolicies", True),
    ("crd.projectcalico.org/v1", "globalnetworkpolicies", False),
    ("policy.networking.k8s.io/v1alpha1", "adminnetworkpolicies", False),
    ("policy.networking.k8s.io/v1alpha1", "baselineadminnetworkpolicies", False),
    ("policy.networking.k8s.io/v1alpha2", "clusternetworkpolicies", False),
)

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenPod:
    """One source, `name` as the user named it, and all pods that were named."""

    name: str
    source: PodRef
    pods: tuple[PodRef, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What holds between pods now. `others` are objects of other kinds that may decide too.

    `not_read` says which other kinds could not be listed.
    """

    pods: tuple[Json, ...]
    policies: tuple[Json, ...]
    namespaces: Mapping[str, Mapping[str, str]]
    others: tuple[str, ...] = ()
    not_read: tuple[str, ...] = ()

    @property
    def versions(self) -> frozenset[tuple[str, str]]:
        """What of it is new where this has changed: policies and labels."""
        return frozenset(
            [(_name(one), str(one["metadata"].get("resourceVersion"))) for one in self.policies]
            + [(_name(one), str(one["metadata"].get("labels"))) for one in self.pods]
            + [(name, str(labels)) for name, labels in self.namespaces.items()]
        )


def chosen_pods(cluster: Cluster, choices: Sequence[str]) -> list[tuple[str, ChosenPod]]:
    """The (id, value) of each named pod as a source.

    Raises SettingsError where a choice names no running pod, or all together only one.
    """
    named: dict[str, PodRef] = {}
    for choice in choices:
        for name, pod in _pods_of(cluster, choice):
            if pod not in named.values():
                named[name] = pod
    pods = tuple(named.values())
    if len(pods) < 2:
        raise SettingsError(
            f"{OPTION}={choices[0]}: that is one pod alone, and a policy decides between two; name "
            "another one that should reach it, or should not"
        )
    if len(pods) > MOST_PODS:
        raise SettingsError(
            f"{OPTION}: these are {len(pods)} pods, and every one is looked at from every one; "
            f"name at most {MOST_PODS}, such as one of each deployment (NAMESPACE/deployment/NAME)"
        )
    return [(name, ChosenPod(name=name, source=pod, pods=pods)) for name, pod in named.items()]


def read_situation(api: ApiReader, pods: Sequence[PodRef]) -> Situation:
    """Pods, policies and labels of namespaces as they are now.

    Raises EnvironmentProblem that names the right where one is missing, and the pod that has gone.
    """
    spaces = sorted({pod.namespace for pod in pods})
    found = []
    for pod in pods:
        path = f"{pods_path(pod.namespace)}{path_of(pod.name)}"
        one = _reading(f"get on pods in namespace {pod.namespace}", partial(api.get, path))
        if one is None or one["metadata"].get("uid") != pod.uid:
            raise EnvironmentProblem(
                f"pod {pod.namespace}/{pod.name} has gone since it was named: run again"
            )
        found.append(one)
    policies: list[Json] = []
    namespaces = {}
    for space in spaces:
        path = path_of(*_POLICIES, "namespaces", space, "networkpolicies")
        right = f"list on networkpolicies.networking.k8s.io in namespace {space}"
        policies += _reading(right, partial(api.items, path))
        path = path_of("api", "v1", "namespaces", space)
        namespace = _reading(f"get on namespaces {space}", partial(api.get, path)) or {}
        namespaces[space] = (namespace.get("metadata") or {}).get("labels") or {}
    others, not_read = _others(api, spaces)
    return Situation(
        pods=tuple(found),
        policies=tuple(policies),
        namespaces=namespaces,
        others=others,
        not_read=not_read,
    )


def _pods_of(cluster: Cluster, choice: str) -> list[tuple[str, PodRef]]:
    """The running pods that a choice names, by the names that they have in the run."""
    namespace, _, rest = choice.partition("/")
    kind, _, name = rest.rpartition("/") if "=" not in rest else ("", "", rest)
    if kind == "deployment":
        path = path_of("apis", "apps", "v1", "namespaces", namespace, "deployments", name)
        right = f"get on deployments.apps in namespace {namespace}"
        deployment = _reading(right, partial(cluster.rest.get_or_none, path))
        if deployment is None:
            raise SettingsError(f"{OPTION}={choice}: there is no such deployment; name another")
        selector = _selector_text(deployment["spec"]["selector"])
        return [(choice, _listed(cluster, namespace, selector, choice)[0])]
    if "=" in rest:
        return [
            (f"{pod.namespace}/{pod.name}", pod)
            for pod in _listed(cluster, namespace, rest, choice)
        ]
    path = f"{pods_path(namespace)}{path_of(name)}"
    right = f"get on pods in namespace {namespace}"
    pod = _reading(right, partial(cluster.rest.get_or_none, path))
    if pod is None or not _runs(pod):
        state = "does not run" if pod else "is not there"
        raise SettingsError(
            f"{OPTION}={choice}: pod {name} {state}; `kubectl get pods -n {namespace}` shows those "
            "that run"
        )
    return [(f"{namespace}/{name}", _ref(pod))]


def _listed(cluster: Cluster, namespace: str, selector: str, choice: str) -> list[PodRef]:
    path, query = pods_path(namespace), {"labelSelector": selector}
    right = f"list on pods in namespace {namespace}"
    found = _reading(right, partial(cluster.rest.items, path, query))
    running = sorted(map(_ref, filter(_runs, found)), key=lambda pod: pod.name)
    if not running:
        raise SettingsError(
            f"{OPTION}={choice}: no running pod there; `kubectl get pods -n {namespace} "
            f"-l {selector}` shows those that it names"
        )
    return running


def _selector_text(selector: Json) -> str:
    """A selector of the API as the query takes it."""
    terms = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for term in selector.get("matchExpressions") or ():
        key, values = term["key"], ",".join(term.get("values") or ())
        terms.append(
            {
                "In": f"{key} in ({values})",
                "NotIn": f"{key} notin ({values})",
                "Exists": key,
                "DoesNotExist": f"!{key}",
            }[term["operator"]]
        )
    return ",".join(terms)


def _runs(pod: Json) -> bool:
    status = pod.get("status") or {}
    return (
        status.get("phase") == "Running"
        and bool(status.get("podIP"))
        and not pod["metadata"].get("deletionTimestamp")
    )


def _ref(pod: Json) -> PodRef:
    """The pod with the container that kubectl would enter."""
    found = pod_ref(pod)
    wanted = (pod["metadata"].get("annotations") or {}).get(_DEFAULT_CONTAINER)
    names = [one["name"] for one in pod["spec"]["containers"]]
    return replace(found, container=str(wanted)) if wanted in names else found


def _others(api: ApiReader, spaces: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Objects of other kinds that may decide too, and the kinds that could not be listed."""
    found: list[str] = []
    not_read: list[str] = []
    for group, resource, in_namespaces in _OTHERS:
        base = ("apis", *group.split("/"))
        paths = (
            [path_of(*base, "namespaces", space, resource) for space in spaces]
            if in_namespaces
            else [path_of(*base, resource)]
        )
        for path in paths:
            try:
                found += [f"{resource}.{group} {_name(one)}" for one in api.items(path)]
            except ApiRefused as refused:
                not_read.append(f"{resource}.{group} ({refused.reason or refused.status})")
                break
    return tuple(found), tuple(not_read)


def _name(found: Json) -> str:
    metadata = found["metadata"]
    return "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))


def _reading(right: str, read: Callable[[], Found]) -> Found:
    try:
        return read()
    except ApiRefused as refused:
        if refused.status != _FORBIDDEN:
            raise
        raise EnvironmentProblem(
            f"{OPTION} needs {right}, which this user may not: see docs/policies.md ({refused})"
        ) from refused
