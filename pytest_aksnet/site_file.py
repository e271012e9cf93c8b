"""Reads the site file (aksnet.toml) into `model.site.Site`.

Owns the file's format: unknown keys and wrong types are a `SettingsError` that names file, key and
remedy. Whether what it says is true is for the checks to find out.
"""

import ipaddress
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

from pytest_aksnet.model.errors import SettingsError
from pytest_aksnet.model.peers import Endpoint
from pytest_aksnet.model.site import Destination, PrivateName, Site, StubDomain

_KEYS = (
    "private_names",
    "vnet_vm",
    "internet",
    "external_names",
    "egress_ips",
    "throughput_floor_gbps",
    "max_mbps",
    "outbound",
    "peered_vm",
    "on_prem",
    "dns_servers",
    "stub_domains",
    "reachable",
    "unreachable",
    "required_fqdns",
)
_OUTBOUND = ("internet", "none")
_MAX_PORT = 65535


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


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path

    def site(self, content: Mapping[str, object]) -> Site:
        self._known(content, _KEYS, "")
        floor = content.get("throughput_floor_gbps")
        return Site(
            private_names=tuple(
                self._private_name(entry, f"private_names[{index}]")
                for index, entry in enumerate(self._array(content, "private_names"))
            ),
            vnet_vm=self._endpoint(content, "vnet_vm", "VM in the VNet"),
            internet=self._endpoint(content, "internet", "host on the internet"),
            external_names=self._strings(content, "external_names", "external_names"),
            egress_ips=self._addresses(content, "egress_ips", "egress_ips"),
            throughput_floor_gbps=(
                None if floor is None else self._rate(floor, "throughput_floor_gbps")
            ),
            max_mbps={
                size: self._integer(rate, f"max_mbps.{size}", lambda value: value > 0)
                for size, rate in self._table(content.get("max_mbps", {}), "max_mbps").items()
            },
            outbound=self._outbound(content.get("outbound", "internet")),
            peered_vm=self._endpoint(content, "peered_vm", "VM in a peered VNet"),
            on_prem=self._endpoint(content, "on_prem", "host on premises"),
            dns_servers=self._addresses(content, "dns_servers", "dns_servers"),
            stub_domains=tuple(
                self._stub_domain(entry, f"stub_domains[{index}]")
                for index, entry in enumerate(self._array(content, "stub_domains"))
            ),
            reachable=self._destinations(content, "reachable"),
            unreachable=self._destinations(content, "unreachable"),
            required_fqdns=(
                self._strings(content, "required_fqdns", "required_fqdns")
                if "required_fqdns" in content
                else None
            ),
        )

    def _outbound(self, value: object) -> str:
        if value not in _OUTBOUND:
            raise self._error("outbound", f"{value!r} is not one of {', '.join(_OUTBOUND)}")
        return str(value)

    def _stub_domain(self, entry: object, where: str) -> StubDomain:
        table = self._table(entry, where)
        self._known(table, ("zone", "name", "addresses"), f"{where}.")
        return StubDomain(
            zone=self._string(table.get("zone"), f"{where}.zone"),
            name=self._string(table.get("name"), f"{where}.name"),
            addresses=self._addresses(table, "addresses", f"{where}.addresses"),
        )

    def _destinations(self, content: Mapping[str, object], key: str) -> tuple[Destination, ...]:
        found = []
        for index, entry in enumerate(self._array(content, key)):
            where = f"{key}[{index}]"
            table = self._table(entry, where)
            self._known(table, ("host", "port"), f"{where}.")
            found.append(
                Destination(
                    host=self._string(table.get("host"), f"{where}.host"),
                    port=self._port(table.get("port", 443), f"{where}.port"),
                )
            )
        return tuple(found)

    def _private_name(self, entry: object, where: str) -> PrivateName:
        table = self._table(entry, where)
        self._known(table, ("name", "port", "addresses"), f"{where}.")
        port = self._port(table["port"], f"{where}.port") if "port" in table else 443
        return PrivateName(
            name=self._string(table.get("name"), f"{where}.name"),
            port=port,
            addresses=self._addresses(table, "addresses", f"{where}.addresses"),
        )

    def _endpoint(self, content: Mapping[str, object], key: str, what: str) -> Endpoint | None:
        if key not in content:
            return None
        table = self._table(content[key], key)
        self._known(table, ("host", "port"), f"{key}.")
        return Endpoint(
            what=what,
            host=self._string(table.get("host"), f"{key}.host"),
            port=self._port(table.get("port"), f"{key}.port"),
        )

    def _known(self, table: Mapping[str, object], keys: tuple[str, ...], prefix: str) -> None:
        for key in table:
            if key not in keys:
                raise self._error(f"{prefix}{key}", f"unknown key; known are {', '.join(keys)}")

    def _table(self, value: object, where: str) -> Mapping[str, object]:
        if not isinstance(value, dict):
            raise self._error(where, "must be a table")
        return value

    def _array(self, content: Mapping[str, object], key: str, where: str = "") -> list[object]:
        value = content.get(key, [])
        if not isinstance(value, list):
            raise self._error(where or key, "must be an array")
        return value

    def _string(self, value: object, where: str) -> str:
        if not isinstance(value, str) or not value:
            raise self._error(where, "must be a string that is not empty")
        return value

    def _strings(self, content: Mapping[str, object], key: str, where: str) -> tuple[str, ...]:
        return tuple(
            self._string(value, f"{where}[{index}]")
            for index, value in enumerate(self._array(content, key, where))
        )

    def _addresses(self, content: Mapping[str, object], key: str, where: str) -> tuple[str, ...]:
        addresses = self._strings(content, key, where)
        for index, address in enumerate(addresses):
            try:
                ipaddress.ip_address(address)
            except ValueError as error:
                raise self._error(f"{where}[{index}]", f"{address!r} is no IP address") from error
        return addresses

    def _port(self, value: object, where: str) -> int:
        return self._integer(value, where, lambda port: 0 < port <= _MAX_PORT)

    def _integer(self, value: object, where: str, fits: Callable[[int], bool]) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not fits(value):
            raise self._error(where, f"{value!r} is no fitting whole number")
        return value

    def _rate(self, value: object, where: str) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or value <= 0:
            raise self._error(where, f"{value!r} is no rate in Gbit/s above 0")
        return float(value)

    def _error(self, where: str, problem: str) -> SettingsError:
        return SettingsError(f"--aksnet-config={self._path}: {where}: {problem}")
