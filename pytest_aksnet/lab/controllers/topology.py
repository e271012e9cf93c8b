"""Where a pod may and should go for the sake of other pods: affinity and topology spread.

Pure. Source: Kubernetes docs, "Assigning Pods to Nodes" (inter-pod affinity) and "Pod Topology
Spread Constraints"; texts as the scheduler's plugins InterPodAffinity and PodTopologySpread have
them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.selectors import matches_label_selector
from pytest_aksnet.lab.controllers import fit
from pytest_aksnet.lab.controllers.fit import Refusal
from pytest_aksnet.lab.controllers.node_room import NodeRoom

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_SPREAD = "node(s) didn't match pod topology spread constraints"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The nodes with their pods, and the labels of the namespaces."""

    rooms: Sequence[NodeRoom]
    namespaces: Mapping[str, Mapping[str, str]]


class Neighbours:
    """What one pod's place means for it and for the pods that are there; made anew per pod."""

    def __init__(self, pod: JsonObject, cluster: Cluster) -> None:
        self._pod = pod
        self._cluster = cluster
        affinity = pod["spec"].get("affinity") or {}
        self._wanted = _terms(affinity, "podAffinity", _REQUIRED)
        self._unwanted = _terms(affinity, "podAntiAffinity", _REQUIRED)
        self._near = [self._domains_with(term) for term in self._wanted]
        self._far = [self._domains_with(term) for term in self._unwanted]
        self._repelling = set(self._repelled_domains())
        self._spread = [
            _Spread(item, pod, cluster)
            for item in pod["spec"].get("topologySpreadConstraints") or []
        ]
        self._tastes = [
            (sign * int(item["weight"]), item["podAffinityTerm"])
            for sign, kind in ((1, "podAffinity"), (-1, "podAntiAffinity"))
            for item in _terms(affinity, kind, _PREFERRED)
        ]
        self._taste_domains = [
            (weight, term["topologyKey"], self._domains_with(term)) for weight, term in self._tastes
        ]

    def why_not(self, room: NodeRoom) -> Refusal | None:
        """Why a node is not for the pod; None where it is."""
        for spread in self._spread:
            refusal = spread.why_not(room)
            if refusal is not None:
                return refusal
        if not self._is_near(room):
            return Refusal("node(s) didn't match pod affinity rules")
        for term, domains in zip(self._unwanted, self._far, strict=True):
            if room.labels.get(term["topologyKey"]) in domains:
                return Refusal("node(s) didn't match pod anti-affinity rules", helpless=False)
        if any(room.labels.get(key) == value for key, value in self._repelling):
            text = "node(s) didn't satisfy existing pods anti-affinity rules"
            return Refusal(text, helpless=False)
        return None

    def score(self, room: NodeRoom) -> int:
        """How much the pod would like a node: more is better."""
        found = sum(
            weight * domains.get(room.labels.get(key, ""), 0)
            for weight, key, domains in self._taste_domains
        )
        return found - sum(spread.crowd(room) for spread in self._spread if not spread.hard)

    def _is_near(self, room: NodeRoom) -> bool:
        keys = [term["topologyKey"] for term in self._wanted]
        if any(key not in room.labels for key in keys):
            return False
        if all(room.labels[key] in near for key, near in zip(keys, self._near, strict=True)):
            return True
        # The first of a group that wants to be together may go anywhere.
        nobody = not any(self._near)
        return nobody and all(self._selects(term, self._pod, self._pod) for term in self._wanted)

    def _domains_with(self, term: JsonObject) -> Counter[str]:
        """How many pods that a term selects there are per value of its topology key."""
        found: Counter[str] = Counter()
        for room in self._cluster.rooms:
            domain = room.labels.get(term["topologyKey"])
            if domain is not None:
                number = sum(self._selects(term, self._pod, other) for other in room.pods.values())
                if number:
                    found[domain] += number
        return found

    def _repelled_domains(self) -> Iterator[tuple[str, str]]:
        """Where pods are that do not want this one near them."""
        for room in self._cluster.rooms:
            for other in room.repelling.values():
                for term in _terms(other["spec"]["affinity"], "podAntiAffinity", _REQUIRED):
                    domain = room.labels.get(term["topologyKey"])
                    if domain is not None and self._selects(term, other, self._pod):
                        yield term["topologyKey"], domain

    def _selects(self, term: JsonObject, owner: JsonObject, other: JsonObject) -> bool:
        """Whether a term of `owner` is about another pod."""
        place = other["metadata"]["namespace"]
        named = term.get("namespaces") or []
        by_labels = term.get("namespaceSelector")
        if not named and by_labels is None:
            named = [owner["metadata"]["namespace"]]
        in_scope = place in named or (
            by_labels is not None
            and matches_label_selector(by_labels, self._cluster.namespaces.get(place, {}))
        )
        return in_scope and matches_label_selector(
            term.get("labelSelector"), other["metadata"].get("labels") or {}
        )


class _Spread:
    """One topology spread constraint of a pod."""

    def __init__(self, constraint: JsonObject, pod: JsonObject, cluster: Cluster) -> None:
        self.hard = constraint.get("whenUnsatisfiable") == "DoNotSchedule"
        self._key: str = constraint["topologyKey"]
        self._skew = int(constraint["maxSkew"])
        labels = pod["metadata"].get("labels") or {}
        selector = _with_label_keys(constraint, labels)
        self._counts: Counter[str] = Counter()
        for room in cluster.rooms:
            if self._key not in room.labels or not _counts_in(constraint, pod, room):
                continue
            self._counts[room.labels[self._key]] += sum(
                other["metadata"]["namespace"] == pod["metadata"]["namespace"]
                and "deletionTimestamp" not in other["metadata"]
                and matches_label_selector(selector, other["metadata"].get("labels") or {})
                for other in room.pods.values()
            )
        self._self = int(matches_label_selector(selector, labels))
        enough = len(self._counts) >= int(constraint.get("minDomains") or 1)
        self._least = min(self._counts.values(), default=0) if enough else 0

    def why_not(self, room: NodeRoom) -> Refusal | None:
        if not self.hard:
            return None
        domain = room.labels.get(self._key)
        if domain is None:
            return Refusal(f"{_SPREAD} (missing required label)")
        if self._counts[domain] + self._self - self._least > self._skew:
            return Refusal(_SPREAD, helpless=False)
        return None

    def crowd(self, room: NodeRoom) -> int:
        """How many are in the node's domain."""
        return self._counts.get(room.labels.get(self._key, ""), 0)


def _with_label_keys(constraint: JsonObject, labels: Mapping[str, str]) -> JsonObject | None:
    selector: JsonObject | None = constraint.get("labelSelector")
    keys = [key for key in constraint.get("matchLabelKeys") or [] if key in labels]
    if selector is None or not keys:
        return selector
    own = {key: labels[key] for key in keys}
    return {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), **own}}


def _counts_in(constraint: JsonObject, pod: JsonObject, room: NodeRoom) -> bool:
    """Whether a node's pods count; nodeAffinityPolicy is Honor, nodeTaintsPolicy Ignore."""
    if constraint.get("nodeAffinityPolicy", "Honor") == "Honor" and not fit.affinity_matches(
        pod["spec"], room.node
    ):
        return False
    if constraint.get("nodeTaintsPolicy", "Ignore") == "Honor":
        taints: Iterable[JsonObject] = (room.node.get("spec") or {}).get("taints") or []
        return all(
            fit.tolerates(pod["spec"], taint)
            for taint in taints
            if taint.get("effect") != "PreferNoSchedule"
        )
    return True


def _terms(affinity: JsonObject, kind: str, when: str) -> list[JsonObject]:
    found: list[JsonObject] = (affinity.get(kind) or {}).get(when) or []
    return found
