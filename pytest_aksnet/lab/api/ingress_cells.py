"""Cells of the tables of Ingress and the Gateway API: as kubectl prints them of a real server."""

from collections.abc import Callable

from pytest_aksnet.lab.api.objects import JsonObject


def hosts(value: JsonObject) -> str:
    """The hosts of an Ingress: three of them, then how many more; * where a rule names none."""
    named = [rule["host"] for rule in value["spec"].get("rules") or [] if rule.get("host")]
    if not named:
        return "*"
    more = len(named) - 3
    return ",".join(named[:3]) + (f" + {more} more..." if more > 0 else "")


def addresses(value: JsonObject) -> str:
    """Where an Ingress is served."""
    found = ((value.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    return ",".join(one.get("ip") or one.get("hostname") or "" for one in found)


def ports(value: JsonObject) -> str:
    """80, and 443 where it has TLS."""
    return "80, 443" if value["spec"].get("tls") else "80"


def parameters(value: JsonObject) -> str:
    """The parameters of an IngressClass: KIND.GROUP/NAME."""
    found = value["spec"].get("parameters")
    if not found:
        return "<none>"
    group = f".{found['apiGroup']}" if found.get("apiGroup") else ""
    return f"{found['kind']}{group}/{found['name']}"


def condition(kind: str) -> Callable[[JsonObject], str]:
    """The status of a condition; empty where it has none."""

    def cell(value: JsonObject) -> str:
        for one in (value.get("status") or {}).get("conditions") or []:
            if one["type"] == kind:
                return str(one["status"])
        return ""

    return cell


def gateway_addresses(value: JsonObject) -> str:
    """The first address of a Gateway, as the printer column of its CRD has it."""
    found = (value.get("status") or {}).get("addresses") or []
    return str(found[0]["value"]) if found else ""


def hostnames(value: JsonObject) -> str:
    """The host names of an HTTPRoute as a JSON list, as the printer column of its CRD has it."""
    named = value["spec"].get("hostnames") or []
    return "[" + ",".join(f'"{name}"' for name in named) + "]" if named else ""
