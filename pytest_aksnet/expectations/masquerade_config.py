"""Reads the masquerade agent's ConfigMaps: ranges that keep the addresses of pods. Pure.

Source: Azure/ip-masq-agent-v2, README: every key that begins with ip-masq is a file, and names of
settings are read without regard to case.
"""

import ipaddress
import re
from collections.abc import Mapping

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_RANGES = re.compile(r"nonMasqueradeCIDRs\"?\s*:\s*(\[[^\]]*\]|(?:\s*-\s*\S+)*)", re.IGNORECASE)
_RANGE = re.compile(r"[0-9A-Fa-f.:]+/[0-9]+")


def ranges_of(data: Mapping[str, str]) -> tuple[Network, ...]:
    """The ranges of the data of a ConfigMap; what is no range is left out."""
    return tuple(
        ipaddress.ip_network(text, strict=False)
        for name, content in data.items()
        if name.startswith("ip-masq")
        for found in _RANGES.findall(content)
        for text in _RANGE.findall(found)
    )
