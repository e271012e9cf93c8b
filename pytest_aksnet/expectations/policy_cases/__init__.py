"""The cases of NetworkPolicies that truth tables are made of: data, with no expectation in it.

Two lists, numbered as they are known elsewhere: the 230 cases that cyclonus generates, and the 48
of the suite Netpol in Kubernetes' own end-to-end tests. All are written on one layout; what should
come of them says `expectations.policy_world`.
"""

import functools
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from pytest_aksnet.expectations.policy_cases import (
    changes,
    conflicts,
    netpol_egress,
    netpol_ingress,
    peers,
    ports,
    targets,
    upstream,
)
from pytest_aksnet.expectations.policy_cases.layout import LAYOUT
from pytest_aksnet.model.policy_table import DropPolicy, Layout, PolicyCase, PutPolicy


def standard_layout() -> Layout:
    """The layout of every case: pods a, b, c in namespaces x, y, z, two ports, three protocols.

    Label ns of a namespace and label pod of a pod have their names; ports are serve-8080-tcp, ...
    """
    return LAYOUT


@functools.cache
def all_cases() -> Mapping[str, PolicyCase]:
    """Every case by its id, in the order of ids: "generated-001" and on, "netpol-01" and on."""
    modules = (targets, peers, ports, changes, conflicts, upstream, netpol_ingress, netpol_egress)
    made = [case for module in modules for case in module.cases()]
    return MappingProxyType({case.id: case for case in sorted(made, key=lambda case: case.id)})


def case_ids(
    *families: str,
    tagged: Iterable[str] = (),
    untagged: Iterable[str] = (),
    changing: bool | None = None,
) -> list[str]:
    """Ids of the cases of these families that have all of the tags `tagged` and none of `untagged`.

    `changing` asks for those that do, or do not, change objects: see `changes_objects`.
    """
    wanted, unwanted = frozenset(tagged), frozenset(untagged)
    return [
        case.id
        for case in all_cases().values()
        if case.family in families
        and wanted.issubset(case.tags)
        and unwanted.isdisjoint(case.tags)
        and (changing is None or changes_objects(case) is changing)
    ]


def changes_objects(case: PolicyCase) -> bool:
    """Whether it needs more than policies that are created and deleted.

    Such as a policy that is replaced, labels that are changed, or pods that come and go.
    """
    put: set[tuple[str, str]] = set()
    for action in (action for step in case.steps for action in step.actions):
        if isinstance(action, PutPolicy):
            metadata = action.policy["metadata"]
            key = metadata["namespace"], metadata["name"]
            if key in put:
                return True
            put.add(key)
        elif isinstance(action, DropPolicy):
            put.discard((action.namespace, action.name))
        else:
            return True
    return False
