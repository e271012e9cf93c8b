"""What the fork server is asked for: the messages, and the descriptors that come with each."""

from typing import TypedDict

NAMESPACES = 5
"""How many descriptors `NamespaceFds` has: they follow a request's other descriptors."""


class SpawnRequest(TypedDict):
    """A new process on three descriptors in the namespaces, and maybe group, that come after."""

    op: str
    id: int
    argv: list[str]
    env: dict[str, str]
    cwd: str
    tty: bool


class CreateRequest(TypedDict):
    """A new sandbox; inside the namespaces that come with it, if any.

    `unprivileged`: in its own network, pings and low ports need no privilege.
    """

    op: str
    id: int
    hostname: str
    etc: dict[str, str]
    share_network: bool
    unprivileged: bool


class GroupRequest(TypedDict):
    """A new group of processes, or the end of the one that comes after the namespaces."""

    op: str
    id: int


class WriteRequest(TypedDict):
    """Directories and files to be put in place in the namespaces that come with it.

    `files` maps paths to contents, `modes` the same paths to permissions.
    """

    op: str
    id: int
    directories: list[str]
    files: dict[str, str]
    modes: dict[str, int]


class BindRequest(TypedDict):
    """A path of another sandbox to be found in this one, whose namespaces come first.

    The other's mount namespace comes after them. `kind` is as in a hostPath volume.
    """

    op: str
    id: int
    source: str
    target: str
    kind: str
    read_only: bool


class NamesRequest(TypedDict):
    """Network namespaces to be named in /run/netns of the namespaces that come first.

    A descriptor of each of `added` follows them, in that order; `removed` are to be forgotten.
    """

    op: str
    id: int
    added: list[str]
    removed: list[str]
