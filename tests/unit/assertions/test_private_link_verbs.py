"""The verbs about private endpoints, with agents that answer from a script."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from pytest_aksnet.assertions.probe_pod import ProbePod
from pytest_aksnet.check import Pacing
from pytest_aksnet.model.errors import (
    ConformanceFailure,
    ExecNotCompleted,
    FactUnknown,
    NotApplicable,
)
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.probing import Answer, Batch, Finding, Kind, Probe
from pytest_aksnet.model.site import PrivateName, Site
from tests.unit.scripted import CLIENT, SERVER, StaticApi, StaticView, World, always, reflected

NAME = "acct.blob.core.windows.net"
ALIAS = "acct.privatelink.blob.core.windows.net."
API = "shop.1a2b.privatelink.westeurope.azmk8s.io"
ROOT = "/api/v1/namespaces/ns/configmaps/kube-root-ca.crt"
SITE = Site(private_names=(PrivateName(name=NAME, addresses=("10.226.0.5",)),))
Reply = Callable[[PodRef, Probe], Answer | None]


def says(*records: str, rcode: str = "NOERROR") -> Answer:
    facts = {"rcode": rcode, "records": list(records), "aliases": [ALIAS], "server": "10.0.0.10"}
    return Answer(Finding.OK, 2.0, 2.0, facts)


def well(_: PodRef, probe: Probe) -> Answer:
    if probe.kind is Kind.DNS:
        return says("10.226.0.5") if probe.options["type"] == "A" else says()
    facts = {"address": "10.226.0.5", "names": [probe.host], "verified": True}
    return Answer(Finding.OK, 2.0, 2.0, facts)


@dataclass
class Agents:
    reply: Reply
    asked: list[Probe] = field(default_factory=list)

    def probe(self, pod: PodRef, probes: Sequence[Probe], *, budget_s: float) -> Batch:
        self.asked += probes
        answers = tuple(self.reply(pod, probe) for probe in probes)
        return Batch(answers=answers, ended=None not in answers)


def looker(
    reply: Reply, *, site: Site = SITE, facts: dict[str, str | None] | None = None,
    view: StaticView | None = None,
) -> tuple[ProbePod, Agents]:  # fmt: skip
    agents = Agents(reply)
    made = World(
        always(reflected("10.244.0.7")),
        site=site,
        prober=agents,
        facts=facts,
        view=view,
        pacing=Pacing(patience_s=0.5),
        api=StaticApi(objects={ROOT: {"data": {"ca.crt": "PEM"}}}),
    )
    return made.probe_pod(), agents


def test_names_are_asked_for_both_families_as_absolute_ones() -> None:
    pod, agents = looker(well)
    pod.assert_private_names()
    asked = [(probe.host, probe.options["name"], probe.options["type"]) for probe in agents.asked]
    assert asked == [("", f"{NAME}.", "A"), ("", f"{NAME}.", "AAAA")]


@pytest.mark.parametrize(
    ("records", "six", "words"),
    [
        (("203.0.113.90",), (), "the public 203.0.113.90"),
        (("10.226.0.250",), (), "a stale or a foreign record"),
        (("10.226.0.5",), ("2001:db8::5",), "the public 2001:db8::5"),
    ],
)
def test_a_name_that_is_not_private_fails(
    records: tuple[str, ...], six: tuple[str, ...], words: str
) -> None:
    pod, _ = looker(lambda _, probe: says(*(records if probe.options["type"] == "A" else six)))
    with pytest.raises(ConformanceFailure, match=words):
        pod.assert_private_names()


def test_what_was_not_asked_proves_nothing() -> None:
    pod, _ = looker(lambda *_: None)
    with pytest.raises(ExecNotCompleted):
        pod.assert_private_names()
    pod, _ = looker(well, site=Site())
    with pytest.raises(FactUnknown, match="private_names"):
        pod.assert_private_names()


def test_each_replica_and_each_server_is_asked_and_named() -> None:
    def one_differs(_: PodRef, probe: Probe) -> Answer:
        return says("203.0.113.90") if probe.host == "10.244.1.2" else well(_, probe)

    pod, agents = looker(one_differs)
    with pytest.raises(ConformanceFailure, match=r"CoreDNS replica 10\.244\.1\.2"):
        pod.assert_private_by_every_replica()
    assert {probe.host for probe in agents.asked} == {"10.244.0.2", "10.244.1.2"}
    pod.assert_private_by_servers(["10.225.0.10"])
    with pytest.raises(ConformanceFailure, match=r"the VNet's DNS server 10\.244\.1\.2"):
        pod.assert_private_by_servers(["10.225.0.10", "10.244.1.2"])
    pod, _ = looker(well, view=StaticView(replicas=()))
    with pytest.raises(FactUnknown, match="kube-dns"):
        pod.assert_private_by_every_replica()


def test_pods_that_disagree_are_named() -> None:
    site = Site(private_names=(PrivateName(name=NAME),))

    def differs(pod: PodRef, probe: Probe) -> Answer:
        found = "10.226.0.5" if pod == CLIENT else "10.226.0.9"
        return says(found) if probe.options["type"] == "A" else says()

    pod, _ = looker(differs, site=site)
    pod.assert_private_names_agree([pod])
    with pytest.raises(ConformanceFailure, match=r"10\.226\.0\.9 on node-b"):
        pod.assert_private_names_agree([ProbePod(pod._engine, SERVER)])


def test_endpoints_connect_and_present_their_certificate() -> None:
    pod, agents = looker(well)
    pod.assert_endpoints_connect()
    pod.assert_private_certificates()
    assert [(probe.kind, probe.host, probe.port) for probe in agents.asked] == [
        (Kind.CONNECT, NAME, 443),
        (Kind.TLS, NAME, 443),
    ]
    assert "ca" not in agents.asked[1].options
    own = Site(private_names=SITE.private_names, trusted_ca="PEM")
    pod, agents = looker(well, site=own)
    pod.assert_private_certificates()
    assert agents.asked[0].options["ca"] == "PEM"
    pod, _ = looker(well, site=Site(private_names=(PrivateName(name=NAME, port=1433),)))
    with pytest.raises(NotApplicable, match="443"):
        pod.assert_private_certificates()
    pod, _ = looker(lambda *_: Answer(Finding.TIMEOUT, 500.0, 500.0, {"address": "10.226.0.5"}))
    for broken in (pod.assert_endpoints_connect, pod.assert_private_certificates):
        with pytest.raises(ConformanceFailure, match="nothing answered"):
            broken()


@pytest.mark.parametrize(
    ("fact", "raised"), [("public", NotApplicable), ("private", FactUnknown), (None, NotApplicable)]
)
def test_an_api_server_without_private_name_is_none_or_unknown(
    fact: str | None, raised: type[Exception]
) -> None:
    pod, _ = looker(well, facts={"api-server": fact})
    with pytest.raises(raised, match="private_api_server"):
        pod.assert_private_api_server()


def test_the_private_api_server_resolves_and_presents_the_clusters_certificate() -> None:
    pod, agents = looker(well, site=Site(private_api_server=API))
    pod.assert_private_api_server()
    assert [probe.options["name"] for probe in agents.asked] == [f"{API}.", API]
    assert agents.asked[1].options["ca"] == "PEM"
    pod, _ = looker(lambda *_: says("203.0.113.9"), site=Site(private_api_server=API))
    with pytest.raises(ConformanceFailure, match=r"the public 203\.0\.113\.9"):
        pod.assert_private_api_server()
