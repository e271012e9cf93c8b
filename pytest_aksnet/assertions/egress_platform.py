"""Verbs about Azure's platform addresses: the metadata service and the wire server."""

from pytest_aksnet.assertions.azure import require_azure
from pytest_aksnet.assertions.egress import WIRE_SERVER
from pytest_aksnet.assertions.egress_looker import EgressLooker
from pytest_aksnet.assertions.target import AnyPod, pod_of, resolve
from pytest_aksnet.check import Control
from pytest_aksnet.check_many import Cell
from pytest_aksnet.expectations.egress import judge_required
from pytest_aksnet.model.errors import FactUnknown, NotApplicable
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.probing import Batch, Kind
from pytest_aksnet.model.verdict import Outcome, Verdict

IMDS = ("169.254.169.254", 80)
_WIRE_SERVER_PORTS = (80, 32526)
_OPEN = "AKS docs: imds-restriction, pods reach the metadata service by default"
_RESTRICTED = "AKS docs: imds-restriction, pods do not reach the metadata service"
_EXPOSED = (
    "its node's rules of IMDS restriction are gone until it is reimaged, so pods may act with the "
    "identities of the node"
)
_WIRE = "Azure docs: what-is-ip-address-168-63-129-16"
_ONLY_AZURE = "only Azure has this address"
_SOME_NAME = "mcr.microsoft.com"
_ANSWERS = ("NOERROR", "NXDOMAIN")


class PlatformVerbs(EgressLooker):
    """What a pod sees of the addresses that Azure has in every network."""

    def assert_imds_as_intended(self, host: AnyPod) -> Batch:
        """The metadata service is reached from this pod where `imds` is "open", and not otherwise.

        `host` is a host-network pod of the same node, which must reach it: the control. Raises
        FactUnknown where the site file does not say what is intended, NotApplicable outside Azure.
        """
        require_azure(self._engine, _ONLY_AZURE)
        intended = self._engine.site.imds
        if intended == "open":
            return self._egress_connect([IMDS], source=_OPEN)
        if intended == "restricted":
            self._egress_hold(pod_of(host))
            return self._egress_closed(
                [IMDS], resolve(self._pod), source=_RESTRICTED, cause=_EXPOSED
            )
        raise FactUnknown(
            "whether pods may read the metadata service is not known: the cluster does not tell "
            'whether IMDS restriction is on; set imds to "open" or "restricted" in the file of '
            "--aksnet-config (default aksnet.toml)"
        )

    def assert_reaches_wire_server(self) -> Batch:
        """Azure's wire server is reached at both of its ports. Raises NotApplicable."""
        require_azure(self._engine, _ONLY_AZURE)
        return self._egress_connect(
            [(WIRE_SERVER, port) for port in _WIRE_SERVER_PORTS], source=_WIRE
        )

    def assert_azure_dns_answers(self) -> Batch:
        """Azure DNS answers over UDP and TCP, whatever it knows of the name it is asked for.

        Raises NotApplicable outside Azure, and where the VNet has DNS servers of its own.
        """
        require_azure(self._engine, _ONLY_AZURE)
        if self._engine.site.dns_servers:
            raise NotApplicable(
                "nodes ask the VNet's own DNS servers: dns_servers is set in the site file"
            )
        cells = [self._egress_dns_cell(over) for over in ("UDP", "TCP")]
        return self._egress_ask(
            cells,
            what=f"Azure DNS asked from {self._egress_here()}",
            by_hand=("dig", f"@{WIRE_SERVER}", _SOME_NAME),
        )

    def _egress_dns_cell(self, over: str) -> Cell:
        what = f"Azure DNS ({WIRE_SERVER}:53) over {over}"

        def judge(batch: Batch, index: int) -> Verdict:
            answer = batch.answers[index]
            reached = judge_required(answer, what=what, source=_WIRE)
            if answer is None or reached.outcome is not Outcome.PASS:
                return reached
            rcode = str(answer.facts.get("rcode", ""))
            if rcode in _ANSWERS:
                return reached
            return Verdict(
                outcome=Outcome.FAIL,
                sentence=f"{what} should answer for {_SOME_NAME}, but answered {rcode}",
                source=_WIRE,
            )

        tcp = {"tcp": "yes"} if over == "TCP" else {}
        options = {"name": _SOME_NAME, "type": "A", **tcp}
        return Cell(probe=self._egress_patient(Kind.DNS, (WIRE_SERVER, 53), **options), judge=judge)

    def _egress_hold(self, host: PodRef) -> None:
        """The node itself reaches the metadata service. Raises ControlFailed."""
        probe = resolve(IMDS).probe(self._engine.pacing.connect_timeout_s)
        what = f"node {host.node} reaches the metadata service"
        self._engine.hold([Control(what=what, pod=host, probe=probe)])
