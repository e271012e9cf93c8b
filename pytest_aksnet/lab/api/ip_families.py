"""Address families of Services: what ipFamilies, ipFamilyPolicy and clusterIPs come to. Pure.

Rules and texts as in the API server (kubernetes: pkg/registry/core/service/storage/alloc.go,
initIPFamilyFields, and ValidateServiceClusterIPsRelatedFields; Kubernetes docs: "IPv4/IPv6
dual-stack").
"""

import ipaddress
import json
from collections.abc import Sequence

from pytest_aksnet.lab.api.errors import Cause, duplicate, invalid_value, required, unsupported
from pytest_aksnet.lab.api.objects import JsonObject

IPV4, IPV6 = "IPv4", "IPv6"
SINGLE, PREFER, REQUIRE = "SingleStack", "PreferDualStack", "RequireDualStack"
HEADLESS = "None"
_POLICIES = (PREFER, REQUIRE, SINGLE)
_POLICY = "spec.ipFamilyPolicy"
_ADDRESSES = "spec.clusterIPs"
_FAMILIES = "spec.ipFamilies"


def family_of(address: str) -> str:
    """The family of an address in text."""
    return IPV6 if ":" in address else IPV4


def other_family(family: str) -> str:
    """The one that it is not."""
    return IPV6 if family == IPV4 else IPV4


def settle(spec: JsonObject, before: JsonObject | None, configured: Sequence[str]) -> list[Cause]:
    """Fill in the three fields of a Service's spec; what is wrong with them instead.

    `before` is the spec that this one replaces, `configured` the cluster's families, the default
    one first. Addresses that are still to be allocated are missing from clusterIPs.
    """
    if spec["type"] == "ExternalName" or _prefers_as_before(spec, before):
        return []
    selects = bool(spec.get("selector"))
    headless = spec.get("clusterIP") == HEADLESS
    if not spec.get("ipFamilyPolicy"):
        inherited = (before or {}).get("ipFamilyPolicy")
        spec["ipFamilyPolicy"] = inherited or (REQUIRE if headless and not selects else SINGLE)
    causes = _malformed(spec)
    if causes:
        return causes
    if before is not None:
        causes += _follow_change(spec, before)
    causes += _too_many_for_single(spec)
    causes += _infer_families(spec, configured)
    if causes:
        return causes
    families = spec["ipFamilies"] = [*(spec.get("ipFamilies") or ())]
    two = spec["ipFamilyPolicy"] != SINGLE
    if headless and not selects:
        # Nobody but the user makes endpoints for it, so any families will do on any cluster.
        _complete(families, configured[0], two=two)
        return []
    if spec["ipFamilyPolicy"] == REQUIRE and len(configured) < 2:
        text = "this cluster is not configured for dual-stack services"
        causes.append(invalid_value(_POLICY, f'"{REQUIRE}"', text))
    causes += [
        invalid_value(f"{_FAMILIES}[{index}]", f'"{family}"', "not configured on this cluster")
        for index, family in enumerate(families)
        if family not in configured
    ]
    if not causes:
        _complete(families, configured[0], two=two and len(configured) == 2)
    return causes


def _complete(families: list[str], first: str, *, two: bool) -> None:
    if not families:
        families.append(first)
    if two and len(families) == 1:
        families.append(other_family(families[0]))


def _prefers_as_before(spec: JsonObject, before: JsonObject | None) -> bool:
    """A Service that prefers two families stays as it is until somebody changes these fields."""
    if before is None or not (spec.get("ipFamilyPolicy") == before.get("ipFamilyPolicy") == PREFER):
        return False
    fields = ("clusterIPs", "ipFamilies")
    return all(spec.get(field) and spec[field] == before.get(field) for field in fields)


def _malformed(spec: JsonObject) -> list[Cause]:
    address, addresses = spec.get("clusterIP"), spec.get("clusterIPs") or []
    families, policy = spec.get("ipFamilies") or [], spec["ipFamilyPolicy"]
    causes: list[Cause] = []
    if address and not addresses:
        causes.append(required(_ADDRESSES))
    elif address and addresses[0] != address:
        text = "first value must match `clusterIP`"
        causes.append(invalid_value(_ADDRESSES, _shown(addresses), text))
    elif addresses and not address:
        text = "must be empty when `clusterIP` is not specified"
        causes.append(invalid_value(_ADDRESSES, _shown(addresses), text))
    for index, family in enumerate(families):
        if family not in (IPV4, IPV6):
            causes.append(unsupported(f"{_FAMILIES}[{index}]", family, (IPV4, IPV6)))
        if family in families[:index]:
            causes.append(duplicate(f"{_FAMILIES}[{index}]", f'"{family}"'))
    if policy not in _POLICIES:
        causes.append(unsupported(_POLICY, policy, _POLICIES))
    return causes + _malformed_addresses(addresses, families)


def _malformed_addresses(addresses: Sequence[str], families: Sequence[str]) -> list[Cause]:
    causes: list[Cause] = []
    if addresses and addresses[0] == HEADLESS:
        if len(addresses) > 1:
            text = "'None' must be the first and only value"
            causes.append(invalid_value(_ADDRESSES, _shown(addresses), text))
        return causes
    for index, address in enumerate(addresses):
        if not _is_address(address):
            text = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
            causes.append(invalid_value(f"{_ADDRESSES}[{index}]", f'"{address}"', text))
    if causes:
        return causes
    if len(addresses) > 2:
        text = "may only hold up to 2 values"
        causes.append(invalid_value(_ADDRESSES, _shown(addresses), text))
    if len(addresses) > 1 and len(set(map(family_of, addresses))) != len(addresses):
        text = "may specify no more than one IP for each IP family"
        causes.append(invalid_value(_ADDRESSES, _shown(addresses), text))
    for index, (address, family) in enumerate(zip(addresses, families, strict=False)):
        if family in (IPV4, IPV6) and family_of(address) != family:
            text = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
            causes.append(invalid_value(f"{_ADDRESSES}[{index}]", f'"{address}"', text))
    return causes


def _follow_change(spec: JsonObject, before: JsonObject) -> list[Cause]:
    """SingleStack alone gives up the second family; to leave it out needs that policy."""
    causes: list[Cause] = []
    for field, what in (("clusterIPs", "cluster IP"), ("ipFamilies", "IP family")):
        new, old = spec.get(field) or [], before.get(field) or []
        if spec["ipFamilyPolicy"] == SINGLE:
            if new == old and len(new) > 1:
                spec[field] = new[:1]
        elif new and len(new) < len(old):
            text = f"must be 'SingleStack' to release the secondary {what}"
            causes.append(invalid_value(_POLICY, f'"{spec["ipFamilyPolicy"]}"', text))
    return causes


def _too_many_for_single(spec: JsonObject) -> list[Cause]:
    if spec["ipFamilyPolicy"] != SINGLE:
        return []
    text = "must be 'RequireDualStack' or 'PreferDualStack' when multiple {} are specified"
    return [
        invalid_value(_POLICY, f'"{SINGLE}"', text.format(what))
        for field, what in (("clusterIPs", "cluster IPs"), ("ipFamilies", "IP families"))
        if len(spec.get(field) or []) == 2
    ]


def _infer_families(spec: JsonObject, configured: Sequence[str]) -> list[Cause]:
    """Take the families of the addresses that were asked for."""
    addresses, families = spec.get("clusterIPs") or [], [*(spec.get("ipFamilies") or [])]
    if addresses and addresses[0] == HEADLESS:
        return []
    causes: list[Cause] = []
    for index, address in enumerate(addresses[len(families) :], len(families)):
        family = family_of(address)
        if family in configured:
            families.append(family)
        else:
            text = f"{family} is not configured on this cluster"
            causes.append(invalid_value(f"{_ADDRESSES}[{index}]", _shown(addresses), text))
    spec["ipFamilies"] = families
    return causes


def changed(spec: JsonObject, before: JsonObject) -> list[Cause]:
    """What an update may not change: the first address and family, and a second one kept."""
    if "ExternalName" in (spec["type"], before.get("type")):
        return []
    causes: list[Cause] = []
    for field, name in (("clusterIPs", _ADDRESSES), ("ipFamilies", _FAMILIES)):
        new, old = spec.get(field) or [], before.get(field) or []
        for index, (one, known) in enumerate(zip(new, old, strict=False)):
            if one != known:
                text = "may not change once set"
                causes.append(invalid_value(f"{name}[{index}]", _shown(new), text))
    return causes


def _shown(values: Sequence[str]) -> str:
    return json.dumps([*values], separators=(",", ":"))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
