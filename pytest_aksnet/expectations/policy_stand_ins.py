"""Other keys for the labels that a table's namespaces and pods cannot have as a user wishes; pure.

Everything that a run creates carries labels of its own, and namespaces their Pod Security level. A
policy that asks for such a label is proved with another one in its place, wherever it stands.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_aksnet.expectations.policy_candidates import Surroundings, keys_of

_TAKEN = ("app.kubernetes.io/managed-by",)
_TAKEN_PREFIXES = ("aksnet.io/", "pod-security.kubernetes.io/")
_PREFIX = "stand-in.aksnet.io/"


def stand_ins(policies: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The keys in selectors of these policies that are taken, with those that stand for them."""
    return {
        key: _PREFIX + key.rpartition("/")[2]
        for policy in policies
        for key in keys_of(policy["spec"])
        if key in _TAKEN or key.startswith(_TAKEN_PREFIXES)
    }


def with_stand_ins(policy: Mapping[str, Any], instead: Mapping[str, str]) -> dict[str, Any]:
    """A policy that asks for these keys instead."""
    found = copy.deepcopy(dict(policy))
    found["spec"] = _renamed(found["spec"], instead)
    return found


def surroundings_with_stand_ins(around: Surroundings, instead: Mapping[str, str]) -> Surroundings:
    """The same with labels of these keys instead."""
    return Surroundings(
        namespaces={name: _labels(labels, instead) for name, labels in around.namespaces.items()},
        workloads=tuple(
            replace(pod, labels=_labels(pod.labels, instead)) for pod in around.workloads
        ),
    )


def _labels(labels: Mapping[str, str], instead: Mapping[str, str]) -> dict[str, str]:
    return {instead.get(key, key): value for key, value in labels.items()}


def _renamed(part: Any, instead: Mapping[str, str]) -> Any:
    if isinstance(part, list):
        return [_renamed(one, instead) for one in part]
    if not isinstance(part, dict):
        return part
    if "operator" in part:
        return {**part, "key": instead.get(part["key"], part["key"])}
    found = {name: _renamed(one, instead) for name, one in part.items()}
    if found.get("matchLabels"):
        found["matchLabels"] = _labels(part["matchLabels"], instead)
    return found
