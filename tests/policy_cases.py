"""The NetworkPolicy cases of cyclonus (mattfenwick/cyclonus), built from their descriptions.

Namespaces x, y, z (label ns) have pods a, b, c (label pod), which serve TCP, UDP and SCTP on 80
and 81 with ports named serve-PORT-PROTOCOL; everybody is looked at from everybody. Most cases
change one thing of the base policy. What a case expects is not here: callers bring it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pytest_aksnet.model.policy import Node, Pod, PortSpec, World

Json = dict[str, Any]
Place = tuple[str, tuple[str, ...]]

LIST = Path(__file__).parents[1].parent / "shared" / "data" / "policy-cases.json"
"""The cases (id, family, case, tags) with the counts that a simulator of its own gave for them."""

ALL_PORTS = tuple(
    PortSpec(number=number, protocol=protocol)
    for protocol in ("TCP", "UDP", "SCTP")
    for number in (80, 81)
)
POD_KEYS = (
    *((space, pod) for space in ("z", "x", "y") for pod in ("a", "b", "c")),
    ("x", "d"),
    ("y-2", "a"),
    ("y-2", "b"),
)
"""Pods that cases have, as (namespace, name); the three that come and go are last."""

_DNS: Json = {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}
_TCP_80 = [{"protocol": "TCP", "port": 80}]
_ANYBODY: Json = {"namespaceSelector": {}, "podSelector": {}}
_NOWHERE = {"ipBlock": {"cidr": "203.0.113.2/31"}}
_NO_SPACE = {"namespaceSelector": {"matchLabels": {"ns": "nowhere"}}}
_EVERYWHERE = {"ipBlock": {"cidr": "0.0.0.0/0"}}


@dataclass(frozen=True, kw_only=True)
class Step:
    """What holds when the ports are looked at."""

    policies: tuple[Json, ...]
    world: World
    ports: tuple[PortSpec, ...] = ALL_PORTS


@dataclass(frozen=True, kw_only=True)
class Cases:
    """Builds cases for pods at these places (node, addresses).

    All pods are in `cidr`, and of them exactly those of namespace z in `excepted`.
    """

    places: Mapping[tuple[str, str], Place]
    nodes: tuple[Node, ...]
    cidr: str
    excepted: str

    def steps(self, case: Mapping[str, Any]) -> list[Step]:
        """The steps of a case by its number, family, text and tags. Raises KeyError, ValueError."""
        family, text, tags = case["family"], case["case"], case["tags"]
        direction = "ingress" if "ingress" in tags else "egress"
        if family in ("target", "rules", "action", "conflict", "namespace", "upstream", "example"):
            return self._special(case["id"], text, direction)
        if family.startswith("peers"):
            return self._one(self._changed(direction, self._peer_list(text)))
        ports = [] if family == "ports-0" else [_port(part) for part in text.split(" + ")]
        return self._one(self._changed(direction, ports=ports))

    # -- the world -------------------------------------------------------------------------

    def world(
        self,
        *,
        more: Sequence[tuple[str, str]] = (),
        spaces: Mapping[str, Mapping[str, str]] | None = None,
        labels: Mapping[tuple[str, str], Mapping[str, str]] | None = None,
    ) -> World:
        """The nine pods and `more`, with labels added to namespaces and pods."""
        keys = [key for key in POD_KEYS if key in POD_KEYS[:9] or key in more]
        names = {"x", "y", "z"} | {space for space, _ in keys} | set(spaces or ())
        return World(
            nodes=self.nodes,
            namespaces={
                name: {
                    "ns": name.partition("-")[0],
                    "kubernetes.io/metadata.name": name,
                    **(spaces or {}).get(name, {}),
                }
                for name in names
            },
            pods=tuple(
                Pod(
                    namespace=space,
                    name=pod,
                    node=self.places[space, pod][0],
                    ips=self.places[space, pod][1],
                    labels={"pod": pod, **(labels or {}).get((space, pod), {})},
                    named_ports={
                        (f"serve-{port.number}-{port.protocol.lower()}", port.protocol): port.number
                        for port in ALL_PORTS
                    },
                )
                for space, pod in keys
            ),
        )

    def _one(self, *policies: Json) -> list[Step]:
        return [Step(policies=policies, world=self.world())]

    def _twice(self, *policies: Json) -> list[Step]:
        return self._one(*policies) * 2

    # -- peers -----------------------------------------------------------------------------

    def _peers(self) -> dict[str, Json]:
        pod_c, ns_x = _pods("c"), {"namespaceSelector": {"matchLabels": {"ns": "x"}}}
        return {
            "empty pods + nil ns": {"podSelector": {}},
            "pod=c + nil ns": pod_c,
            "nil pods + empty ns": {"namespaceSelector": {}},
            "empty pods + empty ns": _ANYBODY,
            "pod=c + empty ns": {"namespaceSelector": {}, **pod_c},
            "nil pods + ns=x": ns_x,
            "empty pods + ns=x": {"podSelector": {}, **ns_x},
            "pod=c + ns=x": {**pod_c, **ns_x},
            "ipBlock /24 round z/c *": {"ipBlock": {"cidr": self.cidr}},
            "ipBlock /24 except /28 round z/c *": {
                "ipBlock": {"cidr": self.cidr, "except": [self.excepted]}
            },
        }

    def _peer_list(self, text: str) -> list[Json]:
        known = self._peers()
        if text.startswith("empty peer list"):
            return []
        if text in known:
            return [known[text]]
        return [list(known.values())[int(part.removeprefix("P")) - 1] for part in text.split("+")]

    def _changed(
        self, direction: str, peers: list[Json] | None = None, ports: list[Json] | None = None
    ) -> Json:
        """The base policy with other peers or ports in one direction."""
        rule = dict(_base()["spec"][direction][0])
        if peers is not None:
            rule["from" if direction == "ingress" else "to"] = peers
        if ports is not None:
            rule["ports"] = ports
        changed: Json = {direction: [rule]}
        return _base(**changed)

    # -- the families without a scheme -----------------------------------------------------

    def _special(self, number: int, text: str, direction: str) -> list[Step]:
        special: dict[int, Callable[[], list[Step]]] = {
            **{n: partial(self._one, _base(namespace="xyz"[n - 1])) for n in (1, 2, 3)},
            4: lambda: self._one(_base(target={})),
            5: lambda: self._one(_base()),
            6: lambda: self._one(_base(target=_pods("a", "b")["podSelector"])),
            7: lambda: self._one(_base(egress=[])),
            8: lambda: self._one(_base(egress=[{}])),
            9: lambda: self._one(_base(ingress=[])),
            10: lambda: self._one(_base(ingress=[{}])),
            193: self._example,
            194: lambda: [*self._one(_base()), *self._one()],
            195: lambda: [
                *self._one(_base()),
                *self._one(self._changed("ingress", ports=[_port("udp/serve-81-udp")])),
            ],
            196: self._namespace_comes,
            197: self._namespace_gets_label,
            198: lambda: self._comes_and_goes(("x", "d")),
            199: self._pod_gets_label,
            216: lambda: self._one(self._by_default_label("ingress")),
            217: lambda: self._one(self._by_default_label("egress")),
            218: lambda: self._one(_policy(ingress=[])),
            219: lambda: self._one(_policy(ingress=[], egress=[_DNS])),
            220: self._not_in_namespace,
            221: self._stacked,
            222: lambda: self._twice(_policy(ingress=[{}])),
            223: self._one_named_port,
            224: lambda: [*self._one(_policy(ingress=[{}])), *self._one(_policy(ingress=[]))],
            225: self._selected_namespace_gets_label,
            226: self._selected_pod_gets_label,
            227: self._target_gets_label,
            228: self._both_directions,
            229: self._client_side_denies,
            230: lambda: [*self._one(_policy(ingress=[], egress=[])), *self._one()],
        }
        if number in special:
            return special[number]()
        return self._one(*_conflict(number, direction))

    def _comes_and_goes(self, *pods: tuple[str, str]) -> list[Step]:
        before, there = self.world(), self.world(more=pods)
        return [Step(policies=(_base(),), world=world) for world in (before, there, before)]

    def _namespace_comes(self) -> list[Step]:
        return self._comes_and_goes(("y-2", "a"), ("y-2", "b"))

    def _example(self) -> list[Step]:
        policy = _policy(ingress=[{"ports": [{"port": "serve-81-tcp"}]}])
        usual, more = self.world(), self.world(more=[("y-2", "a")])
        empty = self.world(spaces={"y-2": {}})
        full = [
            Step(policies=(policy,), world=world) for world in (usual, more, empty, usual, usual)
        ]
        only_81 = Step(policies=(policy,), world=usual, ports=(ALL_PORTS[1],))
        return [*full, only_81, only_81]

    def _namespace_gets_label(self) -> list[Step]:
        peer = {"namespaceSelector": {"matchLabels": {"new-ns": "yes"}}}
        policy = self._changed("ingress", [peer])
        usual, changed = self.world(), self.world(spaces={"y": {"new-ns": "yes"}})
        return [Step(policies=(policy,), world=world) for world in (usual, changed, usual)]

    def _pod_gets_label(self) -> list[Step]:
        peer = {
            "namespaceSelector": {"matchLabels": {"ns": "y"}},
            "podSelector": {"matchLabels": {"new-label": "yes"}},
        }
        policy = self._changed("ingress", [peer])
        usual, changed = self.world(), self.world(labels={("y", "b"): {"new-label": "yes"}})
        return [Step(policies=(policy,), world=world) for world in (usual, changed, usual)]

    def _by_default_label(self, direction: str) -> Json:
        peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "z"}}}
        return self._changed(direction, [peer])

    def _not_in_namespace(self) -> list[Step]:
        peer = {
            "namespaceSelector": {
                "matchExpressions": [{"key": "ns", "operator": "NotIn", "values": ["x"]}]
            },
            **_pods("b", "c"),
        }
        return self._one(_policy(target="a", ingress=[{"from": [peer]}]))

    def _stacked(self) -> list[Step]:
        peer = {"namespaceSelector": {"matchLabels": {"ns": "y"}}}
        at_81, at_80 = (
            _policy(f"at-{port}", target="a", ingress=[{"from": [peer], "ports": [{"port": port}]}])
            for port in (81, 80)
        )
        return [*self._twice(at_81), *self._one(at_81, at_80)]

    def _one_named_port(self) -> list[Step]:
        policy = _policy(ingress=[{"ports": [{"port": "serve-81-tcp"}]}])
        return [
            Step(policies=(policy,), world=self.world(), ports=ports)
            for ports in ((ALL_PORTS[1],), ALL_PORTS)
        ]

    def _selected_namespace_gets_label(self) -> list[Step]:
        peer = {"namespaceSelector": {"matchLabels": {"updated": "yes"}}}
        policy = _policy(target="a", ingress=[{"from": [peer]}])
        worlds = (self.world(), self.world(spaces={"y": {"updated": "yes"}}))
        return [Step(policies=(policy,), world=world) for world in worlds]

    def _selected_pod_gets_label(self) -> list[Step]:
        peer = {"podSelector": {"matchLabels": {"updated": "yes"}}}
        policy = _policy(target="a", ingress=[{"from": [peer]}])
        worlds = (self.world(), self.world(labels={("x", "b"): {"updated": "yes"}}))
        return [Step(policies=(policy,), world=world) for world in worlds]

    def _target_gets_label(self) -> list[Step]:
        policy = _policy(ingress=[])
        policy["spec"]["podSelector"] = {"matchLabels": {"target": "isolated"}}
        worlds = (self.world(), self.world(labels={("x", "a"): {"target": "isolated"}}))
        return [Step(policies=(policy,), world=world) for world in worlds]

    def _both_directions(self) -> list[Step]:
        steps = []
        for port in (80, 81):
            egress = [{"ports": [{"protocol": "TCP", "port": port}]}, _DNS]
            steps += self._one(_policy(target="a", ingress=[{"from": [_pods("b")]}], egress=egress))
        return steps

    def _client_side_denies(self) -> list[Step]:
        to_ya = {"namespaceSelector": {"matchLabels": {"ns": "y"}}, **_pods("a")}
        from_xa = {"namespaceSelector": {"matchLabels": {"ns": "x"}}, **_pods("a")}
        return self._one(
            _policy("client", target="a", egress=[{"to": [to_ya]}, _DNS]),
            *(
                _policy(f"server-{pod}", "y", target=pod, ingress=[{"from": [from_xa]}])
                for pod in ("a", "b")
            ),
        )


def _conflict(number: int, direction: str) -> list[Json]:
    """Cases 200 to 215: what several policies of x/b (egress) and y/c (ingress) say together."""
    client = "x", "b", "egress", "to"
    server = "y", "c", "ingress", "from"

    def policy(side: tuple[str, str, str, str], name: str, *rules: Json) -> Json:
        space, pod, way, _ = side
        return _policy(name, space, target=pod, **{way: list(rules)})

    if number in (200, 201):
        closed, opened = (client, server) if number == 200 else (server, client)
        return [policy(closed, "closed"), policy(opened, "open", {})]
    pairs: dict[int, tuple[list[Json], ...]] = {
        202: ([], [{}]),
        204: ([], [_ANYBODY]),
        205: ([], [_EVERYWHERE]),
        206: ([_NOWHERE], [_ANYBODY]),
        207: ([_NO_SPACE], [_EVERYWHERE]),
        212: ([_NOWHERE],),
        213: ([_NO_SPACE],),
    }
    # Ingress is judged as egress is, 1, 2 or 4 numbers later.
    as_egress = {203: 202, 208: 204, 209: 205, 210: 206, 211: 207, 214: 212, 215: 213}
    side = client if direction == "egress" and number not in as_egress else server
    made = []
    for index, peers in enumerate(pairs[as_egress.get(number, number)]):
        rules = [] if not peers else [{}] if peers == [{}] else [{side[3]: peers}]
        made.append(policy(side, f"policy-{index}", *rules))
    return made


def _base(
    *,
    namespace: str = "x",
    target: Json | None = None,
    ingress: list[Json] | None = None,
    egress: list[Json] | None = None,
) -> Json:
    from_where = {"namespaceSelector": _in("ns", "x", "y"), **_pods("b", "c")}
    to_where = {"namespaceSelector": _in("ns", "y", "z"), **_pods("a", "b")}
    policy = _policy(
        "base",
        namespace,
        ingress=[{"from": [from_where], "ports": _TCP_80}] if ingress is None else ingress,
        egress=[*([{"to": [to_where], "ports": _TCP_80}] if egress is None else egress), _DNS],
    )
    policy["spec"]["podSelector"] = _pods("a")["podSelector"] if target is None else target
    return policy


def _policy(
    name: str = "policy",
    namespace: str = "x",
    *,
    target: str = "",
    ingress: list[Json] | None = None,
    egress: list[Json] | None = None,
) -> Json:
    """A policy for one pod or all of a namespace, of the directions that are given."""
    rules = {"ingress": ingress, "egress": egress}
    given = {direction: some for direction, some in rules.items() if some is not None}
    return {
        "metadata": {"namespace": namespace, "name": name},
        "spec": {
            "podSelector": {"matchLabels": {"pod": target}} if target else {},
            "policyTypes": [direction.capitalize() for direction in given],
            **given,
        },
    }


def _in(key: str, *values: str) -> Json:
    return {"matchExpressions": [{"key": key, "operator": "In", "values": list(values)}]}


def _pods(*names: str) -> Json:
    if len(names) == 1:
        return {"podSelector": {"matchLabels": {"pod": names[0]}}}
    return {"podSelector": _in("pod", *names)}


_PATHOLOGICAL = {
    "named port serve-81-udp with protocol tcp": "tcp/serve-81-udp",
    "named port that no container declares": "tcp/nobody-has-it",
    "numbered port 7981 that nothing serves": "tcp/7981",
}


def _port(text: str) -> Json:
    """A port of a policy: PROTOCOL/PORT, where nil is absent and 53-84 a range."""
    protocol, _, port = _PATHOLOGICAL.get(text, text).partition("/")
    found: Json = {} if protocol == "nil" else {"protocol": protocol.upper()}
    if span := re.fullmatch(r"(\d+)-(\d+)", port):
        return found | {"port": int(span[1]), "endPort": int(span[2])}
    if port != "nil":
        found["port"] = int(port) if port.isdigit() else port
    return found
