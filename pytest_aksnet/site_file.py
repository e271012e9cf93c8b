"""Reads the site file (aksnet.toml) into `model.site.Site`.

Owns the file's format: unknown keys, wrong types and what contradicts itself are a `SettingsError`
that names file, key and remedy. Whether what it says is true is for the checks to find out.
`docs/site-file.md` describes every key, `docs/aksnet.example.toml` shows it.
"""

import datetime
import ipaddress
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from pytest_aksnet.model.errors import SettingsError
from pytest_aksnet.model.peers import Endpoint
from pytest_aksnet.model.site import (
    HTTPS,
    AddressPlan,
    ClientHost,
    Destination,
    PrivateName,
    Site,
    StubDomain,
    WhoAmI,
    host_and_port,
)
from pytest_aksnet.site_azure import AzureProfileReader
from pytest_aksnet.site_rules import contradiction
from pytest_aksnet.site_values import Values

KEYS = (
    "outbound",
    "egress_ips",
    "internet",
    "internet6",
    "whoami",
    "vnet_vm",
    "peered_vm",
    "on_prem",
    "private_names",
    "external_names",
    "dns_servers",
    "stub_domains",
    "dns_p99_ms",
    "api_server",
    "vnet_client",
    "internet_client",
    "private_api_server",
    "reachable",
    "unreachable",
    "required_fqdns",
    "trusted_ca",
    "imds",
    "throughput_floor_gbps",
    "node_latency_ms",
    "max_mbps",
    "as_of",
    "address_plan",
    "azure_profile",
)
"""Every key of the file, in the order of the documentation."""

_OUTBOUND = ("internet", "firewall", "none")
_IMDS = ("open", "restricted")
_SURGE = re.compile(r"[0-9]{1,4}%?")


def read_site(path: Path | None) -> Site:
    """The site that the file describes; an empty one without a file.

    Raises SettingsError where the file cannot be read, is no TOML, or says something unknown.
    """
    if path is None:
        return Site()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"--aksnet-config={path}: cannot be read ({error.strerror}); give a readable TOML file"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"--aksnet-config={path}: not TOML: {error}") from error
    return _Reader(path).site(content)


class _Reader(Values):
    """Knows the keys."""

    def site(self, content: Mapping[str, object]) -> Site:
        self._known(content, KEYS, "")
        floor = content.get("throughput_floor_gbps")
        site = Site(
            private_names=self._tables(content, "private_names", self._private_name),
            vnet_vm=self._endpoint(content, "vnet_vm", "VM in the VNet"),
            internet=self._endpoint(content, "internet", "host on the internet"),
            internet6=self._endpoint(content, "internet6", "host on the internet (IPv6)"),
            external_names=self._names(content, "external_names"),
            egress_ips=self._addresses(content, "egress_ips", "egress_ips"),
            throughput_floor_gbps=(
                None if floor is None else self._rate(floor, "throughput_floor_gbps")
            ),
            node_latency_ms=(
                self._rate(content["node_latency_ms"], "node_latency_ms", "number of milliseconds")
                if "node_latency_ms" in content
                else None
            ),
            api_server=(
                self._name(content["api_server"], "api_server") if "api_server" in content else ""
            ),
            dns_p99_ms=(
                self._integer(content["dns_p99_ms"], "dns_p99_ms", lambda value: value > 0)
                if "dns_p99_ms" in content
                else None
            ),
            max_mbps={
                size: self._integer(rate, f"max_mbps.{size}", lambda value: value > 0)
                for size, rate in self._table(content.get("max_mbps", {}), "max_mbps").items()
            },
            outbound=self._choice(content, "outbound", _OUTBOUND, "internet"),
            peered_vm=self._endpoint(content, "peered_vm", "VM in a peered VNet"),
            on_prem=self._endpoint(content, "on_prem", "host on premises"),
            dns_servers=self._addresses(content, "dns_servers", "dns_servers"),
            stub_domains=self._tables(content, "stub_domains", self._stub_domain),
            reachable=self._tables(content, "reachable", self._destination),
            unreachable=self._tables(content, "unreachable", self._destination),
            required_fqdns=self._required_fqdns(content),
            whoami=self._whoami(content),
            imds=self._choice(content, "imds", _IMDS, ""),
            trusted_ca=self._certificates(content, "trusted_ca"),
            private_api_server=(
                self._name(content["private_api_server"], "private_api_server")
                if "private_api_server" in content
                else ""
            ),
            vnet_client=self._client(content, "vnet_client", "the client in the VNet"),
            internet_client=self._client(content, "internet_client", "the client on the internet"),
            as_of=self._day(content, "as_of"),
            address_plan=self._address_plan(content),
            azure_profile=AzureProfileReader(self._path).settings(content),
        )
        if found := contradiction(site):
            raise self._error(found.key, found.problem)
        return site

    def _stub_domain(self, table: Mapping[str, object], where: str) -> StubDomain:
        self._known(table, ("zone", "name", "addresses"), f"{where}.")
        return StubDomain(
            zone=self._name(table.get("zone"), f"{where}.zone"),
            name=self._name(table.get("name"), f"{where}.name"),
            addresses=self._addresses(table, "addresses", f"{where}.addresses", least=1),
        )

    def _destination(self, table: Mapping[str, object], where: str) -> Destination:
        self._known(table, ("host", "port"), f"{where}.")
        return Destination(
            host=self._host(table.get("host"), f"{where}.host"),
            port=self._port(table.get("port", HTTPS), f"{where}.port"),
        )

    def _private_name(self, table: Mapping[str, object], where: str) -> PrivateName:
        self._known(table, ("name", "port", "addresses"), f"{where}.")
        return PrivateName(
            name=self._name(table.get("name"), f"{where}.name"),
            port=self._port(table.get("port", HTTPS), f"{where}.port"),
            addresses=self._addresses(table, "addresses", f"{where}.addresses"),
        )

    def _endpoint(self, content: Mapping[str, object], key: str, what: str) -> Endpoint | None:
        if key not in content:
            return None
        table = self._table(content[key], key)
        self._known(table, ("host", "port"), f"{key}.")
        return Endpoint(
            what=what,
            host=self._host(table.get("host"), f"{key}.host"),
            port=self._port(table.get("port"), f"{key}.port"),
        )

    def _whoami(self, content: Mapping[str, object]) -> WhoAmI | None:
        if "whoami" not in content:
            return None
        table = self._table(content["whoami"], "whoami")
        self._known(table, ("server", "name"), "whoami.")
        return WhoAmI(
            server=self._address(table.get("server"), "whoami.server"),
            name=self._name(table.get("name"), "whoami.name"),
        )

    def _required_fqdns(self, content: Mapping[str, object]) -> tuple[str, ...] | None:
        key = "required_fqdns"
        if key not in content:
            return None
        found = self._strings(content, key, key)
        for index, text in enumerate(found):
            where = f"{key}[{index}]"
            try:
                host, _ = host_and_port(text)
            except ValueError as error:
                raise self._error(where, f"{text!r}: {error}; write host or host:port") from error
            self._name(host, where)
        return found

    def _client(self, content: Mapping[str, object], key: str, what: str) -> ClientHost | None:
        if key not in content:
            return None
        table = self._table(content[key], key)
        self._known(table, ("command", "addresses"), f"{key}.")
        return ClientHost(
            what=what,
            command=self._strings(table, "command", f"{key}.command"),
            addresses=self._addresses(table, "addresses", f"{key}.addresses"),
        )

    def _day(self, content: Mapping[str, object], key: str) -> datetime.date | None:
        value = content.get(key)
        if value is None:
            return None
        if not isinstance(value, datetime.date) or isinstance(value, datetime.datetime):
            raise self._error(key, f"{value!r} is no date; write it as 2027-03-31, without quotes")
        return value

    def _address_plan(self, content: Mapping[str, object]) -> AddressPlan:
        key = "address_plan"
        table = self._table(content.get(key, {}), key)
        self._known(table, ("node_subnets", "pod_subnets", "vnet", "max_surge"), f"{key}.")
        surge = str(table.get("max_surge", ""))
        if "max_surge" in table and not _SURGE.fullmatch(surge):
            raise self._error(
                f"{key}.max_surge", f"{surge!r} is neither a number of nodes nor a percentage"
            )
        return AddressPlan(
            node_subnets=self._ranges(table, "node_subnets", key),
            pod_subnets=self._ranges(table, "pod_subnets", key),
            vnet=self._ranges(table, "vnet", key),
            max_surge=surge,
        )

    def _ranges(self, table: Mapping[str, object], key: str, prefix: str) -> tuple[str, ...]:
        found = self._strings(table, key, f"{prefix}.{key}")
        for index, text in enumerate(found):
            try:
                ipaddress.ip_network(text)
            except ValueError as error:
                raise self._error(f"{prefix}.{key}[{index}]", str(error)) from error
        return found
