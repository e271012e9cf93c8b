"""Whether a text is an address at all; more about addresses is in `expectations.addresses`."""

import ipaddress


def is_address(text: str) -> bool:
    """Whether `text` is an IPv4 or IPv6 address, and neither a name nor a range."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
