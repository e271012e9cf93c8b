"""Names, label keys and values, ports and CIDRs: is it valid, and the API server's words if not.

Rules and texts as in k8s.io/apimachinery util/validation.
"""

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from pytest_aksnet.lab.api.errors import Cause, invalid_value

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
_PATH_SEGMENT_FORBIDDEN = ("/", "%")

_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    f"for validation is '{_SUBDOMAIN}')"
)
_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used "
    f"for validation is '{_LABEL}')"
)
_QUALIFIED_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    f"validation is '{_QUALIFIED}')"
)
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  "
    f"or '12345', regex used for validation is '{_VALUE}')"
)
_CIDR_TEXT = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
_MAX_LABEL = 63
_MAX_SUBDOMAIN = 253
_MAX_PORT = 65535


def subdomain(value: str) -> list[str]:
    """What is wrong with a DNS subdomain, if anything."""
    wrong = []
    if len(value) > _MAX_SUBDOMAIN:
        wrong.append(f"must be no more than {_MAX_SUBDOMAIN} characters")
    if not re.fullmatch(_SUBDOMAIN, value):
        wrong.append(_SUBDOMAIN_TEXT)
    return wrong


def dns_label(value: str) -> list[str]:
    """What is wrong with a DNS label, if anything."""
    wrong = []
    if len(value) > _MAX_LABEL:
        wrong.append(f"must be no more than {_MAX_LABEL} bytes")
    if not re.fullmatch(_LABEL, value):
        wrong.append(_LABEL_TEXT)
    return wrong


def path_segment(value: str) -> list[str]:
    """What is wrong with a name that only has to fit into a URL path (RBAC objects)."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{text}'" for text in _PATH_SEGMENT_FORBIDDEN if text in value]


def label_key(value: str) -> list[str]:
    """What is wrong with a label or annotation key, if anything."""
    prefix, slash, name = value.rpartition("/")
    if slash and not prefix:
        return ["prefix part must be non-empty"]
    wrong = [f"prefix part {text}" for text in subdomain(prefix)] if prefix else []
    if not name:
        wrong.append("name part must be non-empty")
    elif len(name) > _MAX_LABEL:
        wrong.append(f"name part must be no more than {_MAX_LABEL} bytes")
    if not re.fullmatch(_QUALIFIED, name):
        wrong.append(_QUALIFIED_TEXT)
    return wrong


def label_value(value: str) -> list[str]:
    """What is wrong with a label value, if anything."""
    wrong = []
    if len(value) > _MAX_LABEL:
        wrong.append(f"must be no more than {_MAX_LABEL} bytes")
    if not re.fullmatch(_VALUE, value):
        wrong.append(_VALUE_TEXT)
    return wrong


def check_labels(field: str, labels: Mapping[str, str]) -> list[Cause]:
    """A cause for each wrong key or value of a label map."""
    causes = []
    for key, value in labels.items():
        causes += [invalid_value(field, f'"{key}"', text) for text in label_key(key)]
        causes += [invalid_value(field, f'"{value}"', text) for text in label_value(value)]
    return causes


def check_selector(field: str, selector: Mapping[str, Any]) -> list[Cause]:
    """A cause for each wrong term of a meta/v1 LabelSelector."""
    causes = check_labels(f"{field}.matchLabels", selector.get("matchLabels") or {})
    for index, term in enumerate(selector.get("matchExpressions") or []):
        place = f"{field}.matchExpressions[{index}]"
        operator, values = term.get("operator", ""), term.get("values") or []
        if operator in ("In", "NotIn"):
            if not values:
                text = "must be specified when `operator` is 'In' or 'NotIn'"
                causes.append(
                    Cause(f"{place}.values", "FieldValueRequired", f"Required value: {text}")
                )
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                causes.append(Cause(f"{place}.values", "FieldValueForbidden", f"Forbidden: {text}"))
        else:
            text = "not a valid selector operator"
            causes.append(invalid_value(f"{place}.operator", f'"{operator}"', text))
        key = str(term.get("key", ""))
        causes += [invalid_value(f"{place}.key", f'"{key}"', text) for text in label_key(key)]
    return causes


def check_port(field: str, port: int) -> list[Cause]:
    """A cause where a port number is out of range."""
    if 1 <= port <= _MAX_PORT:
        return []
    return [invalid_value(field, str(port), f"must be between 1 and {_MAX_PORT}, inclusive")]


def check_cidr(field: str, value: str) -> list[Cause]:
    """A cause where a CIDR cannot be read, or has bits set beyond its prefix."""
    try:
        interface = ipaddress.ip_interface(value)
    except ValueError:
        return [invalid_value(field, f'"{value}"', _CIDR_TEXT)]
    if "/" not in value:
        return [invalid_value(field, f'"{value}"', _CIDR_TEXT)]
    if interface.ip != interface.network.network_address:
        text = "must not have bits set beyond the prefix length"
        return [invalid_value(field, f'"{value}"', text)]
    return []
