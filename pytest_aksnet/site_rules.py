"""What in a site file cannot be true together. Pure."""

import ipaddress
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from pytest_aksnet.model.site import Destination, Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """The key to change, and what is wrong with it."""

    key: str
    problem: str


def contradiction(site: Site) -> Contradiction | None:
    """The first thing that the site says twice, or says and denies; None where nothing is wrong."""
    return next((found for rule in _RULES for found in rule(site)), None)


def _no_way_out(site: Site) -> Iterable[Contradiction]:
    if site.outbound != "none":
        return
    for key in ("internet", "internet6", "whoami", "egress_ips"):
        if getattr(site, key):
            yield Contradiction(
                key=key,
                problem='outbound = "none" says that the cluster has no way to the internet; '
                "leave out one of the two",
            )


def _twice(site: Site) -> Iterable[Contradiction]:
    lists: tuple[tuple[str, Sequence[Hashable]], ...] = (
        ("egress_ips", [ipaddress.ip_address(ip) for ip in site.egress_ips]),
        ("dns_servers", [ipaddress.ip_address(ip) for ip in site.dns_servers]),
        ("external_names", [_plain(name) for name in site.external_names]),
        ("required_fqdns", [_plain(name) for name in site.required_fqdns or ()]),
        ("private_names", [(_plain(one.name), one.port) for one in site.private_names]),
        ("stub_domains", [(_plain(one.zone), _plain(one.name)) for one in site.stub_domains]),
        ("reachable", [_place(one) for one in site.reachable]),
        ("unreachable", [_place(one) for one in site.unreachable]),
    )
    for key, values in lists:
        seen: set[Hashable] = set()
        for index, value in enumerate(values):
            if value in seen:
                yield Contradiction(key=f"{key}[{index}]", problem="stands there twice")
            seen.add(value)


def _names_disagree(site: Site) -> Iterable[Contradiction]:
    """One name has one set of addresses, whatever its ports."""
    known: dict[str, frozenset[str]] = {}
    for index, one in enumerate(site.private_names):
        addresses = frozenset(one.addresses)
        if known.setdefault(_plain(one.name), addresses) != addresses:
            yield Contradiction(
                key=f"private_names[{index}].addresses",
                problem=f"{one.name} has other addresses in an earlier entry",
            )


def _reached_and_not(site: Site) -> Iterable[Contradiction]:
    wanted = {_place(one) for one in site.reachable}
    for index, one in enumerate(site.unreachable):
        if _place(one) in wanted:
            yield Contradiction(
                key=f"unreachable[{index}]",
                problem=f"{one.host}:{one.port} stands in reachable too",
            )


def _outside_its_zone(site: Site) -> Iterable[Contradiction]:
    for index, one in enumerate(site.stub_domains):
        if not f".{_plain(one.name)}".endswith(f".{_plain(one.zone)}"):
            yield Contradiction(
                key=f"stub_domains[{index}].name", problem=f"{one.name} is not in zone {one.zone}"
            )


def _families(site: Site) -> Iterable[Contradiction]:
    if site.internet6 is not None and ":" not in site.internet6.host:
        yield Contradiction(
            key="internet6.host",
            problem=f"{site.internet6.host!r} is no IPv6 address",
        )


def _ranges_of_a_private_api_server(site: Site) -> Iterable[Contradiction]:
    """AKS docs: api-server-authorized-ip-ranges, limitations."""
    wanted = site.azure_profile
    if wanted.get(("private_cluster",)) is True and wanted.get(("authorized_ranges",)):
        yield Contradiction(
            key="azure_profile.authorized_ranges",
            problem="a private cluster cannot have authorized ranges; leave out one of the two",
        )


def _plain(name: str) -> str:
    return name.rstrip(".").lower()


def _place(one: Destination) -> tuple[str, int]:
    return (_plain(one.host), one.port)


_RULES = (
    _no_way_out,
    _twice,
    _names_disagree,
    _reached_and_not,
    _outside_its_zone,
    _families,
    _ranges_of_a_private_api_server,
)
