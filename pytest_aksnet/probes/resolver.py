"""The resolver of a pod: what its resolv.conf says, and which names its C library asks for.

`SearchQueries` needs a pod whose only nameserver is 127.0.0.1: it answers there itself, NXDOMAIN to
everything, while the C library looks a name up.
"""

import json
from dataclasses import dataclass

from pytest_aksnet.model.errors import ControlFailed, OutputUnparsable
from pytest_aksnet.model.execution import Completed
from pytest_aksnet.model.observation import NameQueries, ResolverConfig
from pytest_aksnet.probes.exit_status import raw_text, require_ran
from pytest_aksnet.probes.target_text import require_name

LISTENS_AT = "127.0.0.1"

_SCRIPT = """
import json, socket, sys, threading
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try:
    sock.bind((sys.argv[2], 53))
except OSError as error:
    print(json.dumps({"cannot": str(error)}))
    sys.exit()
asked = []


def serve():
    while True:
        data, peer = sock.recvfrom(4096)
        at, labels = 12, []
        while data[at]:
            labels.append(data[at + 1 : at + 1 + data[at]].decode("ascii", "replace"))
            at += 1 + data[at]
        asked.append(".".join(labels))
        counts = bytes((0, 1, 0, 0, 0, 0, 0, 0))
        sock.sendto(data[:2] + bytes((129, 131)) + counts + data[12 : at + 5], peer)


threading.Thread(target=serve, daemon=True).start()
try:
    socket.getaddrinfo(sys.argv[1], 80, socket.AF_INET, socket.SOCK_STREAM)
except socket.gaierror:
    pass
print(json.dumps({"asked": asked}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvConf:
    """One look at /etc/resolv.conf."""

    @property
    def timeout_s(self) -> float:
        """When to end the command from outside (seconds)."""
        return 10.0

    def build(self) -> tuple[str, ...]:
        """The argv."""
        return ("cat", "/etc/resolv.conf")

    def parse(self, completed: Completed) -> ResolverConfig:
        """What it says (resolv.conf(5)): the last search list counts, options add up.

        Raises ToolMissing, or OutputUnparsable where it cannot be read or names no server.
        """
        require_ran(completed, "cat")
        nameservers: list[str] = []
        search: list[str] = []
        options: list[str] = []
        for line in completed.stdout.splitlines():
            match line.split():
                case ["nameserver", address, *_]:
                    nameservers.append(address)
                case ["search" | "domain", *domains]:
                    search = [domain.rstrip(".") or "." for domain in domains]
                case ["options", *words]:
                    options += words
        if completed.exit_code != 0 or not nameservers:
            raise OutputUnparsable("/etc/resolv.conf names no nameserver", raw_text(completed))
        return ResolverConfig(
            nameservers=tuple(nameservers), search=tuple(search), options=tuple(options)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQueries:
    """One look-up of `name` by the C library, and the names of the queries that it sent."""

    name: str

    def __post_init__(self) -> None:
        """Raises SettingsError for what is no name."""
        require_name(self.name)

    @property
    def timeout_s(self) -> float:
        """When to end the command from outside (seconds)."""
        return 45.0

    def build(self) -> tuple[str, ...]:
        """The argv: a constant script, with the name and the address that it listens at."""
        return ("python3", "-c", _SCRIPT, self.name, LISTENS_AT)

    def parse(self, completed: Completed) -> NameQueries:
        """The names, without the repetitions of one at once.

        Raises ToolMissing, OutputUnparsable, and ControlFailed where port 53 cannot be opened.
        """
        require_ran(completed, "python3")
        try:
            told = json.loads(completed.stdout)
            cannot = told.get("cannot")
            asked = [str(name).rstrip(".").lower() for name in told.get("asked", ())]
        except (ValueError, AttributeError, TypeError) as error:
            raise OutputUnparsable("the script told no queries", raw_text(completed)) from error
        if cannot is not None:
            raise ControlFailed(
                f"the pod cannot listen at {LISTENS_AT} port 53 ({cannot}), so its queries cannot "
                "be counted; containerd allows it with enable_unprivileged_ports"
            )
        if completed.exit_code != 0 or "asked" not in told:
            raise OutputUnparsable("the script told no queries", raw_text(completed))
        different = [name for at, name in enumerate(asked) if at == 0 or name != asked[at - 1]]
        return NameQueries(name=self.name, asked=tuple(different))
