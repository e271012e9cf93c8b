"""NetworkPolicies with real packets: which sources a policy leaves open, per engine."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

import pytest

from pytest_aksnet.lab.network_views import PolicyView
from tests.lab.network_bench import Bench, Probe
from tests.lab.network_views import CLUSTER_IP, PORT, namespace, pod, policy, service

# name -> (namespace, node, labels)
PODS: Mapping[str, tuple[str, int, Mapping[str, str]]] = {
    "web": ("shop", 0, {"app": "web", "tier": "front"}),
    "api": ("shop", 0, {"app": "api", "tier": "back"}),
    "db": ("shop", 1, {"app": "db", "tier": "back"}),
    "probe": ("ops", 1, {"app": "probe"}),
    "alert": ("ops", 2, {"app": "alert"}),
}
NAMED = {("http", "TCP"): 80, ("admin", "TCP"): 81, ("dns", "UDP"): 81}
EVERYBODY = frozenset(PODS) - {"web"}
SHOP = EVERYBODY & {"api", "db"}
OPS = EVERYBODY & {"probe", "alert"}
NOBODY: frozenset[str] = frozenset()
WEB = {"matchLabels": {"app": "web"}}
OPS_SPACE = {"matchLabels": {"team": "ops"}}
SILENT = 0.25

Json = Mapping[str, object]


@dataclass(frozen=True)
class Case:
    """A policy's spec, and which sources reach pod `web` at a port and protocol under it."""

    claim: str
    spec: Json
    open: frozenset[str]
    port: int = 80
    protocol: str = "tcp"
    also: Sequence[Json] = field(default=())


def _ingress(*rules: Json, **more: object) -> Json:
    return {"podSelector": WEB, "ingress": list(rules), **more}


def _from(*peers: Json, ports: Sequence[Json] = ()) -> Json:
    return {"from": list(peers), "ports": list(ports)}


INGRESS = (
    Case("no rule blocks everybody", _ingress(), NOBODY),
    Case("no rule blocks udp too", _ingress(), NOBODY, protocol="udp"),
    Case("an empty rule admits everybody", _ingress({}), EVERYBODY),
    Case(
        "a policy for another pod leaves this one open",
        {"podSelector": {"matchLabels": {"app": "none"}}, "ingress": []},
        EVERYBODY,
    ),
    Case("the type Egress alone leaves ingress open", _ingress(policyTypes=["Egress"]), EVERYBODY),
    Case(
        "a pod selector means the policy's own namespace",
        _ingress(_from({"podSelector": {}})),
        SHOP,
    ),
    Case(
        "a pod selector selects by label",
        _ingress(_from({"podSelector": {"matchLabels": {"app": "db"}}})),
        frozenset({"db"}),
    ),
    Case(
        "NotIn also matches pods without the label",
        _ingress(
            _from(
                {
                    "namespaceSelector": {},
                    "podSelector": {
                        "matchExpressions": [
                            {"key": "tier", "operator": "NotIn", "values": ["back"]}
                        ]
                    },
                }
            )
        ),
        OPS,
    ),
    Case(
        "a namespace selector selects whole namespaces",
        _ingress(_from({"namespaceSelector": OPS_SPACE})),
        OPS,
    ),
    Case(
        "both selectors in one peer must match",
        _ingress(
            _from(
                {"namespaceSelector": OPS_SPACE, "podSelector": {"matchLabels": {"app": "probe"}}}
            )
        ),
        frozenset({"probe"}),
    ),
    Case(
        "two peers are a union",
        _ingress(
            _from(
                {"namespaceSelector": OPS_SPACE},
                {"podSelector": {"matchLabels": {"app": "probe"}}},
                {"podSelector": {"matchLabels": {"app": "db"}}},
            )
        ),
        OPS | {"db"},
    ),
    Case(
        "two policies are a union",
        _ingress(_from({"podSelector": {"matchLabels": {"app": "api"}}})),
        frozenset({"api", "alert"}),
        also=(
            _ingress(
                _from(
                    {
                        "namespaceSelector": OPS_SPACE,
                        "podSelector": {"matchLabels": {"app": "alert"}},
                    }
                )
            ),
        ),
    ),
    Case(
        "another port stays closed",
        _ingress(_from(ports=[{"port": 80}])),
        NOBODY,
        port=81,
    ),
    Case("the protocol defaults to tcp", _ingress(_from(ports=[{"port": 80}])), EVERYBODY),
    Case(
        "a tcp port does not open udp",
        _ingress(_from(ports=[{"port": 80}])),
        NOBODY,
        protocol="udp",
    ),
    Case(
        "a protocol without port opens all its ports",
        _ingress(_from(ports=[{"protocol": "UDP"}])),
        EVERYBODY,
        port=81,
        protocol="udp",
    ),
    Case(
        "a range includes its ends and may overlap a single port",
        _ingress(_from(ports=[{"port": 80}, {"port": 70, "endPort": 81}, {"port": 75}])),
        EVERYBODY,
        port=81,
    ),
    Case(
        "a named port is the target pod's",
        _ingress(_from(ports=[{"port": "admin"}])),
        EVERYBODY,
        port=81,
    ),
    Case(
        "a named port of another protocol does not match",
        _ingress(_from(ports=[{"port": "dns"}])),
        NOBODY,
        port=81,
    ),
    Case("an unknown port name matches nothing", _ingress(_from(ports=[{"port": "no"}])), NOBODY),
    Case(
        "peers and ports of one rule must both match",
        _ingress(
            _from({"podSelector": {"matchLabels": {"app": "api"}}}, ports=[{"port": 80}]),
            _from({"podSelector": {"matchLabels": {"app": "db"}}}, ports=[{"port": 81}]),
        ),
        frozenset({"db"}),
        port=81,
    ),
)


@pytest.fixture(scope="module")
def benches() -> Iterator[dict[str, Bench]]:
    made: dict[str, Bench] = {}
    for engine, mode in (
        ("calico", "overlay"),
        ("azure", "overlay"),
        ("cilium", "overlay"),
        ("none", "node-subnet"),
    ):
        made[engine] = bench = Bench(mode, engine)
        for name, (_, node, _) in PODS.items():
            bench.add_pod(name, node)
    yield made
    for bench in made.values():
        bench.close()


@pytest.fixture
def bench(benches: dict[str, Bench]) -> Bench:
    return benches["calico"]


def _set(bench: Bench, *specs: Json, space: str = "shop") -> None:
    views: list[PolicyView] = [
        policy(spec, name=f"policy-{number}", namespace=space) for number, spec in enumerate(specs)
    ]
    bench.policies(
        views,
        [
            pod(bench, name, node, labels, namespace=where, named_ports=NAMED)
            for name, (where, node, labels) in PODS.items()
        ],
        [namespace("shop"), namespace("ops", team="ops")],
    )


def _open(
    bench: Bench, cells: Mapping[str, tuple[str, str]], expected: Set[str], port: int, protocol: str
) -> set[str]:
    """The names whose (source, target) is open; only those expected to be may take their time."""
    answers = bench.look_many(
        [
            Probe(
                start=start,
                ip=bench.ips[target],
                port=port,
                protocol=protocol,
                timeout=2.0 if name in expected else SILENT,
            )
            for name, (start, target) in cells.items()
        ]
    )
    assert {one.outcome for one in answers} <= {"ok", "timeout"}
    return {name for name, one in zip(cells, answers, strict=True) if one.ok}


def _check_ingress(bench: Bench, expected: Set[str], port: int = 80, protocol: str = "tcp") -> None:
    cells = {name: (name, "web") for name in EVERYBODY}
    assert _open(bench, cells, expected, port, protocol) == expected


def _check_egress(bench: Bench, expected: Set[str], port: int = 80, protocol: str = "tcp") -> None:
    cells = {name: ("web", name) for name in EVERYBODY}
    assert _open(bench, cells, expected, port, protocol) == expected


@pytest.mark.parametrize("case", INGRESS, ids=lambda case: case.claim.replace(" ", "-"))
def test_ingress(bench: Bench, case: Case) -> None:
    _set(bench, case.spec, *case.also)
    _check_ingress(bench, case.open, case.port, case.protocol)


def test_cilium_chooses_pods_by_selectors_too(benches: dict[str, Bench]) -> None:
    bench = benches["cilium"]
    _set(bench, _ingress(_from({"namespaceSelector": OPS_SPACE}, ports=[{"port": "admin"}])))
    _check_ingress(bench, OPS, 81)
    _check_ingress(bench, NOBODY)


def test_egress_rules_choose_pods_ports_and_names(bench: Bench) -> None:
    def egress(*rules: Json) -> Json:
        return {"podSelector": WEB, "policyTypes": ["Egress"], "egress": list(rules)}

    _set(bench, egress())
    _check_egress(bench, NOBODY)
    _check_ingress(bench, EVERYBODY)
    _set(bench, egress({"to": [{"namespaceSelector": OPS_SPACE}], "ports": [{"port": 80}]}))
    _check_egress(bench, OPS)
    _check_egress(bench, NOBODY, 81)
    _set(bench, egress({"to": [{"podSelector": {}}], "ports": [{"port": "admin"}]}))
    _check_egress(bench, SHOP, 81)
    _check_egress(bench, NOBODY)


def test_egress_section_without_policy_types_isolates_both_directions(bench: Bench) -> None:
    _set(bench, {"podSelector": WEB, "egress": [{}]})
    _check_egress(bench, EVERYBODY)
    _check_ingress(bench, NOBODY)


def test_ip_block_matches_pods_except_where_excepted(bench: Bench) -> None:
    block = {"cidr": bench.spec.pod_cidr, "except": [f"{bench.ips['db']}/32"]}
    _set(bench, _ingress(_from({"ipBlock": block})))
    _check_ingress(bench, EVERYBODY - {"db"})
    _set(bench, _ingress(_from({"ipBlock": {"cidr": "0.0.0.0/0"}})))
    _check_ingress(bench, EVERYBODY)


def test_cilium_ip_block_matches_neither_pods_nor_nodes(benches: dict[str, Bench]) -> None:
    bench = benches["cilium"]
    _set(bench, _ingress(_from({"ipBlock": {"cidr": "0.0.0.0/0"}})))
    _check_ingress(bench, NOBODY)
    remote = bench.look(bench.nodes[1], "web", timeout=SILENT)
    assert remote.outcome == "timeout"
    egress = {"podSelector": WEB, "egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]}
    _set(bench, egress)
    _check_egress(bench, NOBODY)
    assert bench.look("web", "internet").ok
    assert bench.look("web", "vm").ok


@pytest.mark.parametrize(
    ("engine", "outcome"), [("calico", "timeout"), ("azure", "ok"), ("cilium", "timeout")]
)
def test_own_node_under_an_egress_policy(
    benches: dict[str, Bench], engine: str, outcome: str
) -> None:
    bench = benches[engine]
    _set(bench, {"podSelector": WEB, "policyTypes": ["Egress"]})
    assert bench.look("web", bench.nodes[0], 8000, timeout=SILENT).outcome == outcome
    assert bench.look("web", bench.nodes[1], 8000, timeout=SILENT).outcome == "timeout"


def test_own_node_reaches_its_pod_and_a_pod_reaches_itself(bench: Bench) -> None:
    _set(bench, {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})
    assert bench.look(bench.nodes[0], "web").ok
    assert bench.look("web", "web").ok
    assert bench.look(bench.nodes[1], "web", timeout=SILENT).outcome == "timeout"


def test_policy_is_judged_on_the_endpoint_behind_a_service(bench: Bench) -> None:
    bench.services(service(bench, {"db": 1}))
    service_block = [{"to": [{"ipBlock": {"cidr": bench.spec.service_cidr}}]}]
    _set(bench, {"podSelector": WEB, "policyTypes": ["Egress"], "egress": service_block})
    assert bench.look("web", CLUSTER_IP, PORT, timeout=SILENT).outcome == "timeout"
    pods = [{"to": [{"podSelector": {"matchLabels": {"app": "db"}}}]}]
    _set(bench, {"podSelector": WEB, "policyTypes": ["Egress"], "egress": pods})
    assert bench.look("web", CLUSTER_IP, PORT).ok
    bench.services()


@pytest.mark.parametrize(
    ("engine", "outcome"), [("calico", "ok"), ("azure", "ok"), ("cilium", "timeout")]
)
def test_what_a_new_deny_does_to_established_connections(
    benches: dict[str, Bench], engine: str, outcome: str
) -> None:
    bench = benches[engine]
    _set(bench)
    local, remote = bench.hold("api", "web"), bench.hold("db", "web")
    _set(bench, _ingress())
    assert (bench.talk(local), bench.talk(remote)) == (outcome, outcome)
    _check_ingress(bench, NOBODY)
    bench.release()


@pytest.mark.parametrize(
    ("engine", "open_"), [("calico", False), ("azure", True), ("cilium", False)]
)
@pytest.mark.parametrize("external_local", [False, True], ids=["cluster", "local"])
def test_ingress_through_nodes(
    benches: dict[str, Bench], engine: str, open_: bool, external_local: bool
) -> None:
    bench = benches[engine]
    _set(bench, _ingress())
    bench.services(
        service(
            bench,
            {"web": 0},
            node_port=30080,
            load_balancer_ip="198.51.100.21",
            external_local=external_local,
        )
    )
    # Of nodes none but the pod's own serves an external policy Local; it keeps the client.
    entries = [bench.nodes[0]] if external_local else bench.nodes
    ways = [("runner", "198.51.100.21", PORT), *(("vm", node, 30080) for node in entries)]
    expected = "ok" if open_ and not external_local else "timeout"
    for start, target, port in ways:
        timeout = 2.0 if expected == "ok" else SILENT
        assert bench.look(start, target, port, timeout=timeout).outcome == expected
    assert bench.look("db", CLUSTER_IP, PORT, timeout=SILENT).outcome == "timeout"
    _set(bench)
    for start, target, port in ways:
        assert bench.look(start, target, port).ok
    bench.services()


def test_named_ports_and_labels_that_change_are_followed(bench: Bench) -> None:
    def tell(label: str, port: int, team: str) -> None:
        bench.policies(
            [
                policy(
                    {
                        "podSelector": {"matchLabels": {"app": label}},
                        "ingress": [
                            {
                                "from": [{"namespaceSelector": {"matchLabels": {"team": "ops"}}}],
                                "ports": [{"port": "http"}],
                            }
                        ],
                    }
                )
            ],
            [
                pod(bench, name, node, labels, namespace=where, named_ports={("http", "TCP"): port})
                for name, (where, node, labels) in PODS.items()
            ],
            [namespace("shop"), namespace("ops", team=team)],
        )

    tell("web", 80, "ops")
    _check_ingress(bench, OPS)
    _check_ingress(bench, NOBODY, 81)
    tell("web", 81, "ops")
    _check_ingress(bench, NOBODY)
    _check_ingress(bench, OPS, 81)
    tell("web", 81, "other")
    _check_ingress(bench, NOBODY, 81)
    tell("other", 81, "other")
    _check_ingress(bench, EVERYBODY, 81)


def test_deleted_policy_opens_again(bench: Bench) -> None:
    _set(bench, _ingress())
    _check_ingress(bench, NOBODY)
    _set(bench)
    _check_ingress(bench, EVERYBODY)


def test_engine_none_enforces_nothing(benches: dict[str, Bench]) -> None:
    bench = benches["none"]
    _set(bench, _ingress())
    _check_ingress(bench, EVERYBODY)


def test_cilium_serves_services_without_masquerade_inside_the_cluster(
    benches: dict[str, Bench],
) -> None:
    bench = benches["cilium"]
    _set(bench)
    bench.services(
        service(bench, {"db": 1}, node_port=30080, load_balancer_ip="198.51.100.21"),
    )
    for target, port in ((CLUSTER_IP, PORT), ("198.51.100.21", PORT), (bench.nodes[2], 30080)):
        seen = bench.look("web", target, port)
        assert (seen.by, seen.source) == ("db", bench.ips["web"])
    outside = bench.look("runner", "198.51.100.21", PORT)
    assert outside.source in {bench.ips[node] for node in bench.nodes}
    bench.services()
