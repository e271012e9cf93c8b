"""Live sets of pods for truth tables: namespaces, pods and policies of one layout, in the cluster.

Owns what of a set was created and changed, and how it goes back to how it was. What a policy means,
and whether it holds, is judged by others. One thread at a time uses a set.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import groupby
from typing import Any

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.objects import not_admitted, policies_path, policy_manifest
from pytest_aksnet.cluster.pods import delete_pods, list_pods, pods_path
from pytest_aksnet.cluster.probe_pod_manifest import ProbePodRequest
from pytest_aksnet.cluster.probe_pods import start_pods
from pytest_aksnet.cluster.removal import NAMESPACES
from pytest_aksnet.cluster.rest import path_of
from pytest_aksnet.cluster.scope import RunScope
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import ApiRefused
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.policy_table import (
    Action,
    AddNamespace,
    AddPod,
    DropPolicy,
    LabelNamespace,
    LabelPod,
    Layout,
    Places,
    PutPolicy,
    RemoveNamespace,
    RemovePod,
    TablePod,
)

Bind = Callable[[Mapping[str, Any], Places], Mapping[str, Any]]
Request = Callable[[TablePod, str, int], ProbePodRequest]
_AT_ONCE = 8


class PolicySet:
    """The pods of a layout, running; `start` it first, `end` it last.

    `request` makes the request for a pod in a real namespace; its number, from 0 on, decides about
    the node. `bind` makes a policy of a description one of the cluster.
    """

    def __init__(
        self,
        cluster: Cluster,
        scope: RunScope,
        layout: Layout,
        *,
        request: Request,
        bind: Bind,
    ) -> None:
        self._cluster = cluster
        self._scope = scope
        self._layout = layout
        self._request = request
        self._bind = bind
        self._next = 0
        self._namespaces: dict[str, str] = {}
        self._pods: dict[str, PodRef] = {}
        self._wanted = {pod.key: pod for pod in layout.pods}
        self._numbers: dict[str, int] = {}
        self._policies: dict[tuple[str, str], str] = {}
        self._stored: dict[tuple[str, str], Json] = {}
        self._pod_labels = {pod.key: dict(pod.labels) for pod in layout.pods}
        self._space_labels = {name: dict(labels) for name, labels in layout.namespaces.items()}

    @property
    def layout(self) -> Layout:
        """Who takes part."""
        return self._layout

    @property
    def places(self) -> Places:
        """Where they are now."""
        return Places(namespaces=dict(self._namespaces), pods=dict(self._pods))

    @property
    def policies(self) -> tuple[Json, ...]:
        """The policies that are there, as the API server gave them back."""
        return tuple(self._stored.values())

    def start(self) -> None:
        """Create the namespaces and start the pods, all together. Raises EnvironmentProblem."""
        with ThreadPoolExecutor(_AT_ONCE, "aksnet-table") as pool:
            names = list(self._layout.namespaces)
            created = pool.map(self._scope.new_namespace, self._layout.namespaces.values())
            for name, made in zip(names, created, strict=True):
                self._namespaces[name] = made
        self._start(self._layout.pods)

    def end(self) -> None:
        """Ask for the end of all namespaces of the set; does not wait. Raises EnvironmentProblem.

        The end of the run removes what is left.
        """
        with ThreadPoolExecutor(_AT_ONCE, "aksnet-table") as pool:
            list(pool.map(self._scope.delete_namespace, self._namespaces.values()))
        self._namespaces.clear()
        self._pods.clear()

    def apply(self, actions: Sequence[Action]) -> None:
        """Do this, in this order; policies that stand next to one another all at once.

        Raises EnvironmentProblem, with the API server's own words where it refuses something.
        """
        for together, group in groupby(actions, key=_concerns_a_policy):
            if together:
                self._all_at_once([self._call(action) for action in group])
            else:
                for action in group:
                    self._call(action)()

    def reset(self) -> None:
        """Go back to the layout: no policy, first labels, no further pods and namespaces.

        Raises EnvironmentProblem.
        """
        first_pods = {pod.key: pod for pod in self._layout.pods}
        calls: list[Callable[[], None]] = [
            self._drop(namespace, name) for namespace, name in self._policies
        ]
        for key, labels in self._pod_labels.items():
            if key in first_pods and labels != first_pods[key].labels and key in self._pods:
                calls.append(self._label_pod(key, first_pods[key].labels))
        for name, first in self._layout.namespaces.items():
            if self._space_labels.get(name, first) != first and name in self._namespaces:
                calls.append(self._label_namespace(name, first))
        more = [key for key in self._wanted if key not in first_pods]
        calls += [self._remove_pod(key) for key in more]
        spaces = [name for name in self._namespaces if name not in self._layout.namespaces]
        self._all_at_once(calls)
        self._all_at_once([self._remove_namespace(name) for name in spaces])
        lost = [name for name in self._layout.namespaces if name not in self._namespaces]
        for name in lost:
            self._add_namespace(name, self._layout.namespaces[name])
        missing = [pod for key, pod in first_pods.items() if key not in self._pods]
        self._wanted = dict(first_pods)
        if missing:
            self._start(missing)

    def repair(self) -> bool:
        """Replace pods that have ended; whether there were any. Raises EnvironmentProblem."""
        running = {
            pod.uid
            for name in self._namespaces.values()
            for pod in list_pods(self._cluster, name, "")
        }
        gone = [key for key, pod in self._pods.items() if pod.uid not in running]
        if not gone:
            return False
        delete_pods(self._cluster, [self._pods.pop(key) for key in gone], quiet=True)
        self._start([replace(self._wanted[key], labels=self._pod_labels[key]) for key in gone])
        return True

    # -- one call each

    def _call(self, action: Action) -> Callable[[], None]:
        match action:
            case PutPolicy(policy=policy):
                return self._put(policy)
            case DropPolicy(namespace=namespace, name=name):
                return self._drop(namespace, name)
            case LabelPod(pod=key, labels=labels):
                return self._label_pod(key, labels)
            case LabelNamespace(namespace=namespace, labels=labels):
                return self._label_namespace(namespace, labels)
            case AddNamespace(namespace=namespace, labels=labels):
                return lambda: self._add_namespace(namespace, labels)
            case RemoveNamespace(namespace=namespace):
                return self._remove_namespace(namespace)
            case AddPod(pod=pod):
                return lambda: self._start([pod])
            case RemovePod(pod=key):
                return self._remove_pod(key)

    def _put(self, policy: Mapping[str, Any]) -> Callable[[], None]:
        key = policy["metadata"]["namespace"], policy["metadata"]["name"]
        bound = self._bind(policy, self.places)
        namespace = bound["metadata"]["namespace"]
        manifest = policy_manifest(
            namespace=namespace,
            name=key[1],
            spec=bound["spec"],
            labels=self._scope.labels(),
            annotations=self._scope.annotations(),
        )
        collection = policies_path(namespace)
        known = key in self._policies
        self._policies[key] = f"{collection}{path_of(key[1])}"

        def put() -> None:
            try:
                rest = self._cluster.rest
                self._stored[key] = (
                    rest.replace(self._policies[key], manifest)
                    if known
                    else rest.create(collection, manifest)
                )
            except ApiRefused as refused:
                raise not_admitted("NetworkPolicy", *key, refused) from refused

        return put

    def _drop(self, namespace: str, name: str) -> Callable[[], None]:
        def drop() -> None:
            path = self._policies.get((namespace, name))
            if path is not None:
                self._cluster.rest.delete(path)
                del self._policies[namespace, name]
                self._stored.pop((namespace, name), None)

        return drop

    def _label_pod(self, key: str, labels: Mapping[str, str]) -> Callable[[], None]:
        def label() -> None:
            pod = self._pods[key]
            change = _label_change(self._pod_labels.get(key, {}), labels)
            self._cluster.rest.patch(f"{pods_path(pod.namespace)}{path_of(pod.name)}", change)
            self._pod_labels[key] = dict(labels)

        return label

    def _label_namespace(self, name: str, labels: Mapping[str, str]) -> Callable[[], None]:
        def label() -> None:
            change = _label_change(self._space_labels.get(name, {}), labels)
            self._cluster.rest.patch(f"{NAMESPACES}{path_of(self._namespaces[name])}", change)
            self._space_labels[name] = dict(labels)

        return label

    def _add_namespace(self, name: str, labels: Mapping[str, str]) -> None:
        self._namespaces[name] = self._scope.new_namespace(labels)
        self._space_labels[name] = dict(labels)

    def _remove_namespace(self, name: str) -> Callable[[], None]:
        def remove() -> None:
            self._scope.delete_namespace(self._namespaces[name])
            del self._namespaces[name]
            self._space_labels.pop(name, None)
            for key in [key for key in self._wanted if key.startswith(f"{name}/")]:
                self._forget(key)
            for space, policy in [key for key in self._policies if key[0] == name]:
                del self._policies[space, policy]
                self._stored.pop((space, policy), None)

        return remove

    def _remove_pod(self, key: str) -> Callable[[], None]:
        def remove() -> None:
            if key in self._pods:
                delete_pods(self._cluster, [self._pods[key]])
            self._forget(key)

        return remove

    def _forget(self, key: str) -> None:
        self._pods.pop(key, None)
        self._wanted.pop(key, None)
        self._pod_labels.pop(key, None)

    def _start(self, pods: Sequence[TablePod]) -> None:
        requests = []
        for pod in pods:
            if pod.key not in self._numbers:
                self._numbers[pod.key] = self._next
                self._next += 1
            request = self._request(pod, self._namespaces[pod.namespace], self._numbers[pod.key])
            requests.append(replace(request, name=f"{pod.name}-{secrets.token_hex(2)}"))
        for pod, started in zip(pods, start_pods(self._cluster, requests), strict=True):
            self._pods[pod.key] = started
            self._wanted[pod.key] = pod
            self._pod_labels[pod.key] = dict(pod.labels)

    def _all_at_once(self, calls: Sequence[Callable[[], None]]) -> None:
        if len(calls) < 2:
            for call in calls:
                call()
            return
        with ThreadPoolExecutor(min(_AT_ONCE, len(calls)), "aksnet-table") as pool:
            for future in [pool.submit(call) for call in calls]:
                future.result()


def _concerns_a_policy(action: Action) -> bool:
    return isinstance(action, PutPolicy | DropPolicy)


def _label_change(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, object]:
    """The merge patch that takes the old labels away, where they are not among the new ones."""
    return {"metadata": {"labels": {**dict.fromkeys(old), **new}}}
