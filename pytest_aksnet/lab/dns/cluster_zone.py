"""The cluster's zone as CoreDNS' kubernetes plugin serves it: pure, no I/O, no cache.

Semantics: Kubernetes DNS specification 1.1.0 and the plugin's behaviour with AKS' Corefile
(`pods insecure`, `ttl 30`, fall-through of the reverse zones).
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from dnslib import NS, QTYPE, RR

from pytest_aksnet.lab.dns.message import (
    ADDRESS_TYPES,
    NXDOMAIN,
    Answer,
    Question,
    address_record,
    cname_record,
    is_below,
    ptr_record,
    soa_record,
    srv_record,
    txt_record,
)
from pytest_aksnet.lab.dns.records import (
    ClusterRecords,
    EndpointRecord,
    PortRecord,
    ServiceRecord,
)

TTL = 30
DNS_SCHEMA_VERSION = "1.1.0"
_DNS_VERSION_TTL = 28800
_LONGEST_CNAME_CHAIN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """The parts of a name below the cluster domain; "" where it has no such part."""

    kind: str = ""
    namespace: str = ""
    service: str = ""
    endpoint: str = ""
    protocol: str = ""
    port: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """One address (with the name that SRV gives it) or an external name."""

    host: str
    target: str
    port: int = -1
    external: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class External:
    """The rest of the answer lies outside the zone: these CNAMEs, then what `target` gives."""

    cnames: tuple[RR, ...]
    target: str


class ClusterZone:
    """Answers for the cluster domain, and for the reverse names it knows."""

    def __init__(self, records: ClusterRecords, domain: str) -> None:
        self._records = records
        self._domain = domain

    def lookup(self, question: Question) -> Answer | External | None:
        """The answer, an External to be followed, or None where the zone does not answer."""
        if question.name.endswith((".in-addr.arpa", ".ip6.arpa")):
            return self._reverse(question)
        if not is_below(question.name, self._domain):
            return None
        if question.name == f"dns-version.{self._domain}" and question.qtype == QTYPE.TXT:
            return _found([txt_record(question.name, DNS_SCHEMA_VERSION, _DNS_VERSION_TTL)])
        if question.name == self._domain and question.qtype in (QTYPE.SOA, QTYPE.NS):
            return self._apex(question)
        items = self._items(question.name)
        if items is None:
            return self._denial(NXDOMAIN)
        if question.qtype == QTYPE.SRV:
            return self._srv(question.name, items)
        return self._addresses(question, items, ())

    def _addresses(
        self, question: Question, items: Sequence[_Item], before: tuple[RR, ...]
    ) -> Answer | External:
        name = question.name
        if items and items[0].external:
            target = items[0].host.lower().rstrip(".")
            cnames = (*before, cname_record(name, target, TTL))
            if question.qtype == QTYPE.CNAME:
                return _found(cnames)
            followed = question.qtype in (*ADDRESS_TYPES, QTYPE.TXT)
            if not followed or len(cnames) >= _LONGEST_CNAME_CHAIN:
                return self._denial()
            if not is_below(target, self._domain):
                return External(cnames=cnames, target=target)
            inner = Question(name=target, qtype=question.qtype)
            return self._addresses(inner, self._items(target) or (), cnames)
        wanted = {QTYPE.A: 4, QTYPE.AAAA: 6}.get(question.qtype)
        hosts = dict.fromkeys(i.host for i in items)
        found = [
            address_record(name, h, TTL) for h in hosts if ipaddress.ip_address(h).version == wanted
        ]
        return _found([*before, *found]) if found else self._denial()

    def _srv(self, name: str, items: Sequence[_Item]) -> Answer:
        internal = [i for i in items if not i.external]
        offered = [i for i in internal if i.port != -1]
        weight = max(1, 100 // max(1, len(internal)))
        if not offered:
            return self._denial()
        targets = dict.fromkeys((i.target, i.port) for i in offered)
        addresses = dict.fromkeys((i.target, i.host) for i in offered)
        return _found(
            [srv_record(name, target, port, weight, TTL) for target, port in targets],
            [address_record(target, host, TTL) for target, host in addresses],
        )

    def _items(self, name: str) -> Sequence[_Item] | None:
        """What a name stands for; empty where it exists without records; None: no such name."""
        if name == f"ns.dns.{self._domain}":
            service = self._records.service("kube-system", "kube-dns")
            return [_Item(host=ip, target=name) for ip in service.cluster_ips] if service else ()
        request = _parse(name.removesuffix(self._domain).rstrip("."))
        if request is None:
            return None
        if not request.namespace:
            return ()
        if not self._records.namespace_exists(request.namespace):
            return None
        if not request.service:
            return ()
        if request.kind == "pod":
            return _pod_address(request.service, name)
        service = self._records.service(request.namespace, request.service)
        return None if service is None else self._service_items(service, request)

    def _service_items(self, service: ServiceRecord, request: _Request) -> Sequence[_Item] | None:
        base = f"{service.name}.{service.namespace}.svc.{self._domain}"
        if service.external_name:
            if request.endpoint or request.port or request.protocol:
                return None
            return [_Item(host=service.external_name, target=base, external=True)]
        if service.cluster_ips and not request.endpoint:
            return [
                _Item(host=ip, target=base, port=port.port)
                for port in service.ports
                if _matches(port, request)
                for ip in service.cluster_ips
            ] or None
        items = []
        for endpoint in self._records.endpoints(service.namespace, service.name):
            label = endpoint_label(endpoint)
            if request.endpoint and request.endpoint != label.lower():
                continue
            ports = endpoint.ports or (PortRecord(name="", protocol="", port=-1),)
            items += [
                _Item(host=endpoint.ip, target=f"{label}.{base}", port=port.port)
                for port in ports
                if _matches(port, request)
            ]
        return items or None

    def _reverse(self, question: Question) -> Answer | None:
        address = _reversed_address(question.name)
        if address is None or question.qtype != QTYPE.PTR:
            return None
        service = self._records.service_with_ip(address)
        if service is not None:
            names = [f"{service.name}.{service.namespace}"]
        else:
            names = [
                f"{e.hostname}.{e.service}.{e.namespace}"
                for e in self._records.endpoints_with_ip(address)
                if e.hostname
            ]
        targets = [f"{name}.svc.{self._domain}" for name in names]
        if not targets:
            return None
        return _found([ptr_record(question.name, target, TTL) for target in targets])

    def _apex(self, question: Question) -> Answer:
        if question.qtype == QTYPE.SOA:
            return _found([self._soa()])
        server = f"ns.dns.{self._domain}"
        glue = [address_record(server, i.host, TTL) for i in self._items(server) or ()]
        return _found([RR(self._domain, QTYPE.NS, rdata=NS(server), ttl=TTL)], glue)

    def _soa(self) -> RR:
        times = (self._records.serial(), 7200, 1800, 86400, TTL)
        server, mailbox = f"ns.dns.{self._domain}", f"hostmaster.{self._domain}"
        return soa_record(self._domain, server, mailbox, times, TTL)

    def _denial(self, rcode: int = 0) -> Answer:
        return Answer(rcode=rcode, authority=(self._soa(),), authoritative=True)


def endpoint_label(endpoint: EndpointRecord) -> str:
    """The name of an endpoint below its Service: its hostname, or its address with dashes."""
    return endpoint.hostname or endpoint.ip.replace(".", "-").replace(":", "-")


def _found(answers: Sequence[RR], additional: Sequence[RR] = ()) -> Answer:
    return Answer(answers=answers, additional=additional, authoritative=True)


def _matches(port: PortRecord, request: _Request) -> bool:
    named = not request.port or request.port == port.name.lower()
    return named and (not request.protocol or request.protocol == port.protocol.lower())


def _parse(base: str) -> _Request | None:
    """The request in a name relative to the cluster domain; None where it has no known shape."""
    labels = base.split(".") if base else []
    if not labels:
        return _Request()
    kind, *rest = reversed(labels)
    if kind not in ("svc", "pod") or len(rest) > 4:
        return None
    namespace, service, *more = [*rest, "", ""][: max(2, len(rest))]
    if len(more) == 2:
        protocol, port = (label.removeprefix("_") for label in more)
        return _Request(
            kind=kind, namespace=namespace, service=service, protocol=protocol, port=port
        )
    endpoint = more[0] if more else ""
    return _Request(kind=kind, namespace=namespace, service=service, endpoint=endpoint)


def _pod_address(label: str, name: str) -> Sequence[_Item] | None:
    """`pods insecure`: any address in the label is answered with itself."""
    dotted = label.count("-") == 3 and "--" not in label
    try:
        address = ipaddress.ip_address(label.replace("-", "." if dotted else ":"))
    except ValueError:
        return None
    return [_Item(host=str(address), target=name)]


def _reversed_address(name: str) -> str | None:
    """The address in a reverse name; None where the name is not that of a whole address."""
    v4 = name.removesuffix(".in-addr.arpa")
    labels = (v4 if v4 != name else name.removesuffix(".ip6.arpa")).split(".")[::-1]
    text = ".".join(labels)
    if v4 == name:
        text = ":".join("".join(labels[i : i + 4]) for i in range(0, len(labels), 4))
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
