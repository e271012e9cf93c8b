"""Owns which texts may name what is looked at: hosts, paths and DNS names as words of an argv.

No word reaches a shell. But tools read words in their own ways: a host that begins with a dash is
an option to them, and one with a slash or a question mark another URL.
"""

import re

from pytest_aksnet.model.errors import SettingsError

# Letters of any script: internationalised names are the tools' to encode.
_HOST = re.compile(r"[\w.:%][\w.:%-]*")
_PATH = re.compile(r"/[!-~]*")
_LONGEST = 1004  # 253 bytes, each of which may be written as \DDD (RFC 1035, 5.1)


def require_host(host: str) -> None:
    """Nothing for an address or a host's name. Raises SettingsError for what is neither."""
    if len(host) > _LONGEST or not _HOST.fullmatch(host):
        raise SettingsError(f"{host[:100]!r} is no host to look at; give an address or a name")


def require_path(path: str) -> None:
    """Nothing for the path of a URL. Raises SettingsError for any other text."""
    if not _PATH.fullmatch(path):
        raise SettingsError(
            f"{path[:100]!r} is no path to look at; begin it with a slash, and escape what is not "
            "printable ASCII (%20)"
        )


def require_name(name: str) -> None:
    """Nothing for what a DNS server can be asked about: any printable text.

    Raises SettingsError for other text.
    """
    if not name or len(name) > _LONGEST or not name.isprintable():
        raise SettingsError(
            f"{name[:100]!r} is no name to look up; write bytes that are not printable as \\DDD"
        )
