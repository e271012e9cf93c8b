"""A world without a network: an Executor that answers from a script, on a clock of its own.

Outputs are built in the shape that the golden cases recorded.
"""

import ipaddress
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_aksnet.assertions.probe_pod import ProbePod
from pytest_aksnet.check import Engine, Pacing
from pytest_aksnet.model.api import ApiReader, Json
from pytest_aksnet.model.arm import ArmReader
from pytest_aksnet.model.execution import Completed, Execution, NotCompleted, Reason
from pytest_aksnet.model.observation import ProbeList
from pytest_aksnet.model.peers import Endpoint, NodeRef, PodRef, ServiceRef
from pytest_aksnet.model.probing import Prober
from pytest_aksnet.model.profile import Fact, NetworkProfile
from pytest_aksnet.model.record import Attempt
from pytest_aksnet.model.site import Site
from pytest_aksnet.model.view import ServiceEndpoint

NODES = (
    NodeRef(name="node-a", addresses=("10.224.0.4",), instance_type="Standard_DS4_v2"),
    NodeRef(name="node-b", addresses=("10.224.0.5",), instance_type="Standard_F2s_v2"),
    NodeRef(name="node-c", addresses=("10.224.0.6",), instance_type="Standard_X1"),
)
VM = Endpoint(what="VM in the VNet", host="10.225.0.4", port=80)
INTERNET = Endpoint(what="host on the internet", host="203.0.113.80", port=80)

FACTS = {
    "mode": "overlay",
    "policy-engine": "calico",
    "cluster-domain": "cluster.local",
    "dns-service-ip": "10.0.0.10",
    "vnet-cidrs": "10.224.0.0/12",
    "kube-proxy-mode": "nftables",
    "cloud": "azure",
}


def pod(name: str, node: str, ip: str, *, port: int = 8080, host_network: bool = False) -> PodRef:
    return PodRef(
        namespace="ns",
        name=name,
        container="c",
        node=node,
        ip=ip,
        port=port,
        host_network=host_network,
    )


CLIENT = pod("client", "node-a", "10.244.0.7")
SERVER = pod("server", "node-b", "10.244.1.9")
HOST = pod("host", "node-a", "10.224.0.4", host_network=True)
SERVICE = ServiceRef(namespace="ns", name="web", cluster_ip="10.0.5.5", port=80)


@dataclass
class Text:
    """What a tool printed; made into an Execution when it is run."""

    exit_code: int = 0
    stdout: str = ""
    stderr: str = ""
    seconds: float = 0.1


@dataclass
class Lost:
    """A command of which the end is not known."""

    reason: Reason = Reason.CUT


Answer = Text | Lost
Script = Callable[[PodRef, tuple[str, ...]], Answer]


def curl(exit_code: int = 0, *, error: str = "", why: str = "", body: str = "", status: int = 200,
         connect: float = 0.0, address: str = "") -> Text:  # fmt: skip
    facts = {
        "exitcode": exit_code,
        "errormsg": error or None,
        "http_code": status if not exit_code else 0,
        "remote_ip": address,
        "time_connect": connect or (0.0 if exit_code else 0.001),
        "time_total": 0.002,
    }
    stderr = f"* connect to x port 80 failed: {why}\n" if why else ""
    return Text(exit_code, f"{body}\n{json.dumps(facts)}", stderr)


def reflected(source: str, name: str = "server", address: str = "") -> Text:
    body = json.dumps({"source": source, "source_port": 4711, "pod": name, "node": "n"})
    return curl(body=body, address=address)


def plain(source: str, address: str = "") -> Text:
    return curl(body=source, address=address)


TIMEOUT = curl(28, error="Connection timed out after 1001 milliseconds")
REFUSED = curl(7, error="Failed to connect", why="Connection refused")
UNREACHABLE = curl(7, error="Failed to connect", why="No route to host")
NO_NAME = curl(6, error="Could not resolve host: x")
MISSING = Text(127, "", "sh: curl: not found")
GARBAGE = Text(0, "\x00garbage", "")
DNS_SILENT = Text(
    9,
    ";; communications error to 10.0.0.10#53: timed out\n;; no servers could be reached\n",
    seconds=2.0,
)


def dig(*records: str, status: str = "NOERROR", server: str = "10.0.0.10") -> Text:
    """Records like "acct.example. CNAME x.example."."""
    lines = [f"{name}\t5\tIN\t{kind}\t{data}" for name, kind, data in map(str.split, records)]
    answer = "\n;; ANSWER SECTION:\n" + "\n".join(lines) + "\n" if lines else ""
    return Text(
        0,
        f";; Got answer:\n;; ->>HEADER<<- opcode: QUERY, status: {status}, id: 7\n"
        f";; flags: qr aa rd ra; QUERY: 1, ANSWER: {len(lines)}, AUTHORITY: 0, ADDITIONAL: 0\n"
        f"{answer}\n;; Query time: 4 msec\n;; SERVER: {server}#53({server}) (UDP)\n",
    )


def iperf(gbps: float) -> Text:
    report = {
        "start": {"version": "iperf 3.16", "test_start": {"num_streams": 4}},
        "end": {
            "sum_sent": {"retransmits": 3},
            "sum_received": {"bits_per_second": gbps * 1e9, "seconds": 3.0},
            "cpu_utilization_percent": {"host_total": 50.0, "remote_total": 40.0},
        },
    }
    return Text(0, json.dumps(report), "", seconds=4.0)


def nics(*, packets: int = 0, through: int = 0, vf: str = "mlx5_core") -> Text:
    """The interfaces of an Azure node; `vf` is the driver of its virtual function, if any."""
    text = _nic("eth0", "00:0d:3a:00:00:01", "hv_netvsc", "", packets)
    text += f"counter vf_rx_packets: {through // 2}\ncounter vf_tx_packets: {through // 2}\n"
    if vf:
        text += _nic("enP1s1", "00:0d:3a:00:00:01", vf, "eth0", through)
    return Text(0, text + "end\n")


def _nic(name: str, mac: str, driver: str, master: str, packets: int) -> str:
    return (
        f"interface {name}\naddress {mac}\ndriver {driver}\nmaster {master}\nmtu 1500\n"
        f"rx_packets {packets // 2}\ntx_packets {packets // 2}\n"
    )


@dataclass
class ListRecorder:
    attempts: list[Attempt] = field(default_factory=list)
    found: list[str] = field(default_factory=list)

    def attempt(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)

    def diagnosis(self, sentence: str) -> None:
        self.found.append(sentence)

    def location(self) -> str:
        return "reports/evidence/0001.json"


@dataclass
class StaticView:
    replicas: tuple[str, ...] = ("10.244.0.2", "10.244.1.2")
    behind: Mapping[str, tuple[ServiceEndpoint, ...]] = field(default_factory=dict)
    gone: dict[str, str] = field(default_factory=dict)

    def ended(self, pod: PodRef) -> str:
        return self.gone.get(pod.name, "")

    def nodes(self) -> tuple[NodeRef, ...]:
        return NODES

    def coredns_ips(self) -> tuple[str, ...]:
        return self.replicas

    def endpoints(self, service: ServiceRef) -> tuple[ServiceEndpoint, ...]:
        return self.behind.get(service.name, ())


@dataclass
class StaticApi:
    """An ApiReader over objects by their paths; lists are those whose path is a list's."""

    lists: Mapping[str, list[Json]] = field(default_factory=dict)
    objects: Mapping[str, Json] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)

    def items(self, path: str, query: Mapping[str, str] | None = None) -> list[Json]:
        return self.lists.get(path, [])

    def get(self, path: str) -> Json | None:
        return self.objects.get(path)

    def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        return self.texts[path]


class World:
    """The executor, its clock, and what came of it all. The script sees pod and argv."""

    def __init__(
        self,
        script: Script,
        *,
        facts: Mapping[str, str | None] | None = None,
        site: Site | None = None,
        view: StaticView | None = None,
        pacing: Pacing | None = None,
        prober: Prober | None = None,
        api: ApiReader | None = None,
        arm: ArmReader | None = None,
    ) -> None:
        self.script = script
        self.time = 0.0
        self.calls: list[tuple[str, tuple[str, ...]]] = []
        self.recorder = ListRecorder()
        known = {**FACTS, **(facts or {})}
        self.engine = Engine(
            self,
            self.recorder,
            NetworkProfile(
                facts={
                    key: Fact(value=value, source="test")
                    for key, value in known.items()
                    if value is not None
                },
                unknown={},
            ),
            site or Site(vnet_vm=VM, internet=INTERNET),
            view or StaticView(),
            pacing=pacing,
            prober=prober,
            api=api,
            arm=arm,
            clock=lambda: self.time,
            sleep=self._pass_time,
        )

    def probe_pod(self, ref: PodRef = CLIENT) -> ProbePod:
        return ProbePod(self.engine, ref)

    def run(self, pod: PodRef, argv: Sequence[str], *, timeout_s: float) -> Execution:
        looks = [a for a in self.recorder.attempts if not isinstance(a.observation, ProbeList)]
        assert len(looks) == len(self.calls), "the look before was not recorded"
        command = tuple(argv)
        self.calls.append((pod.name, command))
        answer = self.script(pod, command)
        if isinstance(answer, Lost):
            self._pass_time(0.1)
            return NotCompleted(
                argv=command,
                reason=answer.reason,
                detail="scripted",
                stdout="",
                stderr="",
                duration_s=0.1,
            )
        self._pass_time(answer.seconds)
        return Completed(
            argv=command,
            exit_code=answer.exit_code,
            stdout=answer.stdout,
            stderr=answer.stderr,
            duration_s=answer.seconds,
        )

    def command_line(self, pod: PodRef, argv: Sequence[str]) -> str:
        return f"kubectl exec -n {pod.namespace} {pod.name} -- {' '.join(argv)}"

    def roles(self) -> list[str]:
        return [attempt.role for attempt in self.recorder.attempts]

    def _pass_time(self, seconds: float) -> None:
        self.time += seconds


def host_of(argv: tuple[str, ...]) -> str:
    """The host that a probe asks: of curl's URL, or of nc's and iperf3's argument."""
    if argv[0] == "curl":
        return argv[-1].split("//")[1].split("/")[0].rsplit(":", 1)[0]
    for argument in argv[1:]:
        try:
            return str(ipaddress.ip_address(argument.lstrip("@")))
        except ValueError:
            continue
    return ""


def in_turn(*answers: Answer) -> Script:
    """One answer after the other, the last one for ever."""
    left = list(answers)
    return lambda _pod, _argv: left.pop(0) if len(left) > 1 else left[0]


def always(answer: Answer) -> Script:
    return lambda _pod, _argv: answer
