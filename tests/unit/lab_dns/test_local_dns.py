"""LocalDNS' cache and views, and servers with defects, without sockets."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest
from dnslib import QTYPE

from pytest_aksnet.lab.dns.defects import Defect, DefectiveResolver
from pytest_aksnet.lab.dns.local_dns import CachedZone, View
from pytest_aksnet.lab.dns.message import (
    NXDOMAIN,
    SERVFAIL,
    Answer,
    Question,
    address_record,
    cname_record,
)
from pytest_aksnet.lab.dns.metrics import Metrics
from pytest_aksnet.lab.dns.servers import ForwardingResolver
from pytest_aksnet.lab.layout import default_spec

SPEC = default_spec("overlay", "calico")


class Place:
    """A DNS server that gives every name what it is told to, with a TTL of 30 s."""

    def __init__(
        self, address: str = "10.0.0.1", *, aliases: Sequence[tuple[str, str]] = ()
    ) -> None:
        self.address = address
        self.aliases = dict(aliases)
        self.rcode = 0
        self.asked: list[str] = []

    async def resolve(self, question: Question) -> Answer:
        self.asked.append(question.name)
        if self.rcode:
            return Answer(rcode=self.rcode)
        alias = self.aliases.get(question.name)
        chain = [cname_record(question.name, alias, 30)] if alias else []
        last = address_record(alias or question.name, self.address, 30)
        return Answer(answers=[*chain, last])


def question(name: str = "web.default.svc.cluster.local") -> Question:
    return Question(name=name, qtype=QTYPE.A)


def data(answer: Answer) -> list[str]:
    return [str(record.rdata).rstrip(".") for record in answer.answers]


class Zone:
    """A cached zone with a clock to turn."""

    def __init__(self) -> None:
        self.now = 100.0
        self.place = Place()
        self.counts: Counter[str] = Counter()
        self.zone = CachedZone(self.place, lambda: self.now, self.counts)

    async def ask(self) -> Answer:
        answer = await self.zone.resolve(question())
        await asyncio.sleep(0)  # what is fetched anew in the background
        await asyncio.sleep(0)
        return answer


def test_a_stale_answer_is_given_at_once_and_fetched_anew() -> None:
    async def look() -> None:
        zone = Zone()
        assert (await zone.ask()).answers[0].ttl == 30
        zone.now += 40
        zone.place.address = "10.0.0.2"
        stale = await zone.ask()
        assert (data(stale), stale.answers[0].ttl) == (["10.0.0.1"], 0)
        assert data(await zone.ask()) == ["10.0.0.2"]
        assert zone.counts == Counter(misses=1, stale=1, hits=1)

    asyncio.run(look())


def test_a_deleted_record_is_given_while_nobody_answers_and_not_after_an_hour() -> None:
    async def look() -> None:
        zone = Zone()
        await zone.ask()
        zone.place.rcode = SERVFAIL
        zone.now += 1800
        assert data(await zone.ask()) == ["10.0.0.1"]
        zone.now += 3700
        assert (await zone.ask()).rcode == SERVFAIL
        assert (await zone.ask()).rcode == SERVFAIL
        assert zone.counts["hits"] == 0, "failures are not remembered"

    asyncio.run(look())


def test_a_view_asks_by_zone_and_counts() -> None:
    async def look() -> None:
        cluster, others, metrics = Place("10.0.0.1"), Place("203.0.113.80"), Metrics()
        view = View(SPEC, "dns://169.254.10.11:53", cluster, others, metrics)
        assert data(await view.resolve(question())) == ["10.0.0.1"]
        assert data(await view.resolve(question("www.example.com"))) == ["203.0.113.80"]
        assert (cluster.asked, others.asked) == ([question().name], ["www.example.com"])
        text = metrics.text()
        labels = 'server="dns://169.254.10.11:53",type="A",zone="cluster.local."'
        assert f'coredns_dns_requests_total{{family="1",proto="udp",{labels}}} 1' in text
        assert 'zones="."} 1' in text

    asyncio.run(look())


def test_a_forwarder_follows_an_alias_into_another_of_its_zones() -> None:
    azure = Place("10.226.0.5", aliases=[("acct.example", "acct.privatelink.example")])
    forwarding = ForwardingResolver(azure)
    whole = asyncio.run(forwarding.resolve(question("acct.example")))
    assert data(whole) == ["acct.privatelink.example", "10.226.0.5"]
    own = forwarding.zones["privatelink.example"] = Place()
    own.rcode = NXDOMAIN
    split = asyncio.run(forwarding.resolve(question("acct.example")))
    assert (split.rcode, data(split)) == (NXDOMAIN, ["acct.privatelink.example"])


@pytest.mark.parametrize(
    ("defect", "inside", "outside"),
    [
        (Defect(rcode=SERVFAIL), SERVFAIL, SERVFAIL),
        (Defect(zone="cluster.local", rcode=NXDOMAIN), NXDOMAIN, 0),
        (Defect(silent=True), None, None),
        (Defect(zone="cluster.local", silent=True), None, 0),
    ],
)
def test_a_defect_strikes_the_names_of_its_zone(
    defect: Defect, inside: int | None, outside: int | None
) -> None:
    resolver = DefectiveResolver(Place())
    resolver.defects.append(defect)

    def status(name: str) -> int | None:
        answer = asyncio.run(resolver.resolve(question(name)))
        return None if answer.silent else answer.rcode

    assert (status(question().name), status("www.example.com")) == (inside, outside)
