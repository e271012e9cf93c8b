"""Rows of the policy engine's faults: wrong or late on one node, right on all others.

Which cells of whole truth tables they hit is in test_policy_faults.py.
"""

import itertools
from collections.abc import Mapping
from typing import Any

from tests.lab.fault_rows import Condition, FaultRow, Scene
from tests.lab.scene import HTTP_PORT

_SILENCE_S = 0.5
_SERIAL = itertools.count(1)

Json = dict[str, Any]


def _policy(scene: Scene, spec: Mapping[str, Any], name: str = "row") -> None:
    """The policy is there; a condition may be asked more than once."""
    namespace = scene.user.namespace
    known = scene.user.networking.list_namespaced_network_policy(namespace).items
    if name not in [one.metadata.name for one in known]:
        scene.user.create_policy(name, spec)


def _without_policy(scene: Scene, name: str = "row") -> None:
    scene.user.networking.delete_namespaced_network_policy(name, scene.user.namespace)


def _targets(scene: Scene) -> tuple[str, str, str]:
    """A client on the first node, and a target on the first and the last node."""
    client = scene.pod(0, "client", wait=False)
    here = scene.pod(0, "here", app="target", wait=False)
    there = scene.pod(-1, "there", app="target")
    scene.user.ready("client", "here")
    return client, here, there


def _open(scene: Scene, place: str, target: str) -> bool:
    look = scene.tcp(place, scene.ip(target), HTTP_PORT, seconds=_SILENCE_S)
    assert look.outcome in ("ok", "timeout"), look
    return look.ok


def _into_targets(rule: Json | None, *, here: bool, there: bool) -> Condition:
    """Under a policy with this one ingress rule, the targets are open to the client or not.

    An ipBlock without range stands for all but the client's address.
    """

    def condition(scene: Scene) -> None:
        client, near, far = _targets(scene)
        rules = [] if rule is None else [rule]
        if rule == _ALL_BUT_CLIENT:
            excepted = f"{scene.ip(client)}/32"
            rules = [{"from": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": [excepted]}}]}]
        _policy(scene, {"podSelector": {"matchLabels": {"app": "target"}}, "ingress": rules})
        assert (_open(scene, client, near), _open(scene, client, far)) == (here, there)
        # The targets themselves are alive, and can be reached by their own nodes.
        assert _open(scene, scene.node(0), near)
        assert _open(scene, scene.node(-1), far)

    return condition


_ALL_BUT_CLIENT: Json = {"from": [{"ipBlock": {}}]}
_OTHER_SPACE: Json = {"from": [{"namespaceSelector": {"matchLabels": {"nobody": "has-it"}}}]}
_RANGE: Json = {"ports": [{"port": HTTP_PORT - 10, "endPort": HTTP_PORT}]}


def _out_of_targets(*, here: bool, there: bool) -> Condition:
    """Under a policy that denies the targets all egress, they reach the client or not."""

    def condition(scene: Scene) -> None:
        client, near, far = _targets(scene)
        selector = {"podSelector": {"matchLabels": {"app": "target"}}}
        _policy(scene, {**selector, "policyTypes": ["Egress"]})
        assert (_open(scene, near, client), _open(scene, far, client)) == (here, there)
        assert _open(scene, scene.node(0), client)

    return condition


def _late_on_last_node(scene: Scene) -> None:
    """A new policy holds on the first node and not yet on the last one."""
    client, here, there = _targets(scene)
    _without_policy(scene)
    scene.user.eventually(lambda: _open(scene, client, there), "the target is open again")
    _policy(scene, {"podSelector": {"matchLabels": {"app": "target"}}, "ingress": []})
    scene.user.eventually(lambda: not _open(scene, client, here), "the near target is closed")
    assert _open(scene, client, there)


def _protected_when_ready(*, protected: bool) -> Condition:
    """A pod that is new is closed by the policy that selects it, or open."""

    def condition(scene: Scene) -> None:
        _policy(scene, {"podSelector": {"matchLabels": {"app": "young"}}, "ingress": []})
        client = scene.pod(0, "client")
        new = scene.pod(-1, f"young{next(_SERIAL)}", app="young")
        assert _open(scene, client, new) != protected
        assert _open(scene, scene.node(-1), new)

    return condition


ROWS = (
    FaultRow(
        fault="policy-except-ignored@LAST",
        healthy=_into_targets(_ALL_BUT_CLIENT, here=False, there=False),
        broken=_into_targets(_ALL_BUT_CLIENT, here=False, there=True),
    ),
    FaultRow(
        fault="policy-namespace-selector-any@LAST",
        healthy=_into_targets(_OTHER_SPACE, here=False, there=False),
        broken=_into_targets(_OTHER_SPACE, here=False, there=True),
        slow=True,
    ),
    FaultRow(
        fault="policy-end-port-off-by-one@LAST",
        healthy=_into_targets(_RANGE, here=True, there=True),
        broken=_into_targets(_RANGE, here=True, there=False),
        slow=True,
    ),
    FaultRow(
        fault="policy-egress-not-enforced@LAST",
        healthy=_out_of_targets(here=False, there=False),
        broken=_out_of_targets(here=False, there=True),
        slow=True,
    ),
    FaultRow(
        fault="policy-lag=5@LAST",
        healthy=_into_targets(None, here=False, there=False),
        broken=_late_on_last_node,
        slow=True,
    ),
    FaultRow(
        fault="policy-unprotected-window=60@LAST",
        healthy=_protected_when_ready(protected=True),
        broken=_protected_when_ready(protected=False),
        slow=True,
    ),
)
