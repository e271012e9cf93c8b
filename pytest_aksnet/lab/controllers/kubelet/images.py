"""Which images there are: a small table, because every "image" is this machine's own programs.

A reference is known by the last part of its name, whatever its registry and tag, so that mirrors
work. Registries below .invalid do not exist (RFC 2606). What is not in the table cannot be pulled.

An image holds every program of this machine, unless the table names its `tools`. Then its PATH is
a directory with links to just these: what is looked up by name is not found, as with an image
that lacks it. What is called by its absolute path, or under another PATH, is still there.
"""

import dataclasses
import hashlib
import re
import shutil

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What an image runs by itself: a container's args replace `command`, not `entrypoint`.

    With `only_this` it runs `entrypoint` whatever a container names: AKS' own components, whose
    work the lab does itself. `tools` are the programs that it has, divided by blanks; empty for all
    of this machine's. `size` is what a node reports of it, in bytes: about what its registry says.
    """

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    only_this: bool = False
    tools: str = ""
    size: int = 0


# Runs until it is killed, as the pause image does.
_PAUSE = ("sleep", "infinity")
# A slim image: a shell, the core utilities that scripts need, and no network tool at all.
_SLIM_TOOLS = (
    "cat cut date echo env false grep head hostname id kill ls mkdir printf readlink rm sed sh "
    "sleep sort tail tr true uname wc"
)
_PROGRAMS: dict[str, Program] = {
    "alpine": Program(command=("sh",), size=3_800_000),
    "azure-cns": Program(entrypoint=_PAUSE, only_this=True, size=53_000_000),
    "azure-npm": Program(entrypoint=_PAUSE, only_this=True, size=68_000_000),
    "bash": Program(command=("bash",), size=6_200_000),
    "busybox": Program(command=("sh",), size=2_200_000),
    "cilium": Program(entrypoint=_PAUSE, only_this=True, size=236_000_000),
    "coredns": Program(entrypoint=_PAUSE, size=25_000_000),
    "debian": Program(command=("bash",), size=49_000_000),
    "ip-masq-agent-v2": Program(entrypoint=_PAUSE, only_this=True, size=44_000_000),
    "iperf3": Program(entrypoint=("iperf3",), command=("-s",), size=4_000_000),
    "kube-proxy": Program(entrypoint=_PAUSE, only_this=True, size=31_000_000),
    # netshoot's own command is zsh, which is not part of a minimal Debian: an interactive shell
    # either way, and either ends at once without a terminal.
    "netshoot": Program(command=("sh",), size=187_000_000),
    "nginx-ingress-controller": Program(size=113_000_000),
    "node": Program(entrypoint=_PAUSE, size=157_000_000),  # calico/node
    "operator-generic": Program(entrypoint=_PAUSE, only_this=True, size=41_000_000),  # Cilium's
    "pause": Program(entrypoint=_PAUSE, size=300_000),
    "pilot": Program(size=75_000_000),  # istiod
    "proxyv2": Program(size=118_000_000),
    "python": Program(command=("python3",), tools=f"python3 {_SLIM_TOOLS}", size=45_000_000),
    "ubuntu": Program(command=("bash",), size=30_000_000),
}
_REFERENCE = re.compile(
    r"(?:(?P<registry>[A-Za-z0-9.-]+(?::[0-9]+)?)/)?"
    r"(?P<path>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@sha256:(?P<digest>[0-9a-f]{64}))?"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image on the node: its full reference, its id, and what it runs."""

    reference: str
    image_id: str
    program: Program

    @property
    def path(self) -> str:
        """The PATH that its containers have."""
        return _tool_directory(self.reference) if self.program.tools else PATH


class PullError(Exception):
    """An image that cannot be had: the kubelet's reason, and its text."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


def resolve(reference: str) -> Image:
    """The image of a reference. Raises PullError."""
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise PullError(
            "InvalidImageName",
            f'Failed to apply default image tag "{reference}": couldn\'t parse image name '
            f'"{reference}": invalid reference format{_capitals(reference)}',
        )
    registry, path = _registry(found["registry"], found["path"])
    tag, digest = found["tag"], found["digest"]
    full = f"{registry}/{path}"
    if digest:
        full += f"@sha256:{digest}"
    else:
        full += f":{tag or 'latest'}"
    if registry.split(":")[0].endswith(".invalid"):
        raise registry_not_found(full)
    program = _PROGRAMS.get(last_name(path))
    if program is None:
        raise PullError(
            "ErrImagePull",
            f'failed to pull and unpack image "{full}": failed to resolve image: {full}: not found',
        )
    digest = digest or hashlib.sha256(full.encode()).hexdigest()
    return Image(reference=full, image_id=f"{registry}/{path}@sha256:{digest}", program=program)


def _capitals(reference: str) -> str:
    """What is said more of a reference that only capital letters make invalid."""
    if not _REFERENCE.fullmatch(reference.lower()):
        return ""
    name = reference.partition("@")[0]
    name = name.removesuffix(f":{name.rpartition('/')[2].partition(':')[2]}")
    first, slash, rest = name.partition("/")
    is_registry = slash and (first != first.lower() or any(mark in first for mark in ".:"))
    return f": repository name ({rest if is_registry else name}) must be lowercase"


def absent(reference: str) -> PullError:
    """What becomes of an image that is not there and may not be pulled."""
    text = f'Container image "{reference}" is not present with pull policy of Never'
    return PullError("ErrImageNeverPull", text)


def registry_not_found(full: str) -> PullError:
    """What becomes of an image, by its full reference, whose registry has no address."""
    host, url = _manifest_of(full)
    return PullError(
        "ErrImagePull",
        f'failed to pull and unpack image "{full}": failed to resolve image: failed to do '
        f'request: Head "{url}": dial tcp: lookup {host} on 168.63.129.16:53: no such host',
    )


def too_many_pulls(full: str) -> PullError:
    """What becomes of an image, by its full reference, whose registry limits the rate."""
    _, url = _manifest_of(full)
    return PullError(
        "ErrImagePull",
        f'failed to pull and unpack image "{full}": failed to resolve image: unexpected status '
        f"from HEAD request to {url}: 429 Too Many Requests",
    )


def _manifest_of(full: str) -> tuple[str, str]:
    """The host that is asked for an image's manifest, and the URL."""
    registry, _, rest = full.partition("/")
    host = "registry-1.docker.io" if registry == "docker.io" else registry
    path, _, tag = rest.partition("@")[0].partition(":")
    return host, f"https://{host}/v2/{path}/manifests/{tag or 'latest'}"


def last_name(reference: str) -> str:
    """The last part of an image's name, without tag and digest."""
    return reference.rpartition("/")[2].partition("@")[0].partition(":")[0]


def link_tools_argv(image: Image) -> list[str]:
    """The command that puts an image's tools in place in a sandbox; empty where it needs none."""
    found = [shutil.which(tool, path=PATH) for tool in image.program.tools.split()]
    if not found:
        return []
    script = 'mkdir -p -- "$0" && ln -s -f -t "$0" -- "$@"'
    return ["sh", "-c", script, _tool_directory(image.reference), *filter(None, found)]


def _tool_directory(reference: str) -> str:
    return f"/run/images/{last_name(reference)}/bin"


def _registry(first: str | None, rest: str) -> tuple[str, str]:
    """Docker Hub is the registry of names whose first part is no host name."""
    if first is None:
        if "/" not in rest:
            return "docker.io", f"library/{rest}"
        return "docker.io", rest
    if "." in first or ":" in first or first == "localhost":
        return first, rest
    return "docker.io", f"{first}/{rest}"
