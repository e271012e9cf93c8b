"""Verbs about what pods reach outside the cluster, what they must not, and with which address."""

import ipaddress
from collections.abc import Sequence

from pytest_aksnet.assertions.egress_looker import EgressLooker, Judge
from pytest_aksnet.assertions.source_address import egress_addresses
from pytest_aksnet.assertions.target import AnyPod, resolve
from pytest_aksnet.check_many import Cell
from pytest_aksnet.expectations.addresses import is_private
from pytest_aksnet.expectations.egress import (
    REQUIRED,
    SITE,
    judge_certificate,
    judge_egress_address,
    judge_required,
    judge_told_address,
)
from pytest_aksnet.expectations.egress_names import required_names
from pytest_aksnet.model.errors import FactUnknown, NotApplicable
from pytest_aksnet.model.probing import Batch, Kind, Probe
from pytest_aksnet.model.site import HTTPS, Destination, host_and_port
from pytest_aksnet.model.verdict import Outcome, Verdict

WIRE_SERVER = "168.63.129.16"
_GRACE_S = 2.0
_BURST_HOLD_S = 1.0
_ISOLATED = "AKS docs: concepts-network-isolated, egress-outboundtype (none, block)"
_DUAL_STACK = "AKS docs: configure-dual-stack, egress"
_OPEN_CAUSE = "a firewall, a network security group or a route lets it through"
_WAY_OUT_CAUSE = (
    "the cluster has a way out: an outbound rule, a NAT gateway, a public address of a node, or a "
    "route to an appliance"
)


class EgressVerbs(EgressLooker):
    """What a pod reaches, and with which address it leaves."""

    def assert_reaches_required(self) -> Batch:
        """What the cluster must reach over TLS is reached: of the site file, else of the AKS docs.

        Raises FactUnknown where neither says what that is, NotApplicable without a way out.
        """
        places = self._egress_required()
        source = REQUIRED if self._engine.site.required_fqdns is None else SITE

        def judge(place: tuple[str, int]) -> Judge:
            return lambda batch, index: judge_required(
                batch.answers[index], what=f"{place[0]}:{place[1]}", source=source
            )

        cells = [Cell(probe=self._egress_tls(place), judge=judge(place)) for place in places]
        return self._egress_ask(
            cells, what=f"required names from {self._egress_here()}", places=places
        )

    def assert_tls_not_intercepted(self) -> Batch:
        """What is required shows certificates of the authorities that are trusted for it.

        That is those of the site file, else those that the probe image trusts.
        """
        places = self._egress_required()
        own = self._engine.site.trusted_ca
        trusted = "the authorities of trusted_ca" if own else "the authorities of the probe image"

        def judge(place: tuple[str, int]) -> Judge:
            return lambda batch, index: judge_certificate(
                batch.answers[index], what=f"{place[0]}:{place[1]}", trusted=trusted
            )

        options = {"ca": own} if own else {}
        cells = [
            Cell(probe=self._egress_tls(place, **options), judge=judge(place)) for place in places
        ]
        return self._egress_ask(
            cells, what=f"certificates seen from {self._egress_here()}", places=places
        )

    def assert_reaches_places(self, destinations: Sequence[Destination]) -> Batch:
        """What the site file says must be reached over TCP is."""
        return self._egress_connect([(one.host, one.port) for one in destinations], source=SITE)

    def assert_cannot_reach(self, destinations: Sequence[Destination], control: AnyPod) -> Batch:
        """Nothing of what the site file says must not be reached over TCP is.

        `control` is a pod that must be reached at the same time. Raises ControlFailed.
        """
        places = [(one.host, one.port) for one in destinations]
        return self._egress_closed(places, resolve(control), source=SITE, cause=_OPEN_CAUSE)

    def assert_no_way_out(self, names: Sequence[str]) -> Batch:
        """Neither these names nor public destinations of `unreachable` are reached.

        The VM in the VNet must be, at the same time. Raises NotApplicable where the cluster has a
        way out on purpose, ControlFailed, and FactUnknown where no place or VM is known.
        """
        site = self._engine.site
        if site.outbound != "none":
            raise NotApplicable(
                "the cluster has a way to the internet on purpose: outbound is "
                f'"{site.outbound}" in the site file, or not set'
            )
        places = [(name, HTTPS) for name in names]
        places += [
            (one.host, one.port) for one in site.unreachable if _is_on_the_internet(one.host)
        ]
        control = resolve(site.need_vnet_vm())
        return self._egress_closed(places, control, source=_ISOLATED, cause=_WAY_OUT_CAUSE)

    def assert_leaves_as_promised(self, *, over: str) -> Batch:
        """A name server on the internet sees this pod ask with a promised egress address.

        `over` is "udp" or "tcp". Raises FactUnknown where the addresses or the server are not
        known, NotApplicable without a way out.
        """
        whoami = self._engine.site.need_whoami()
        promised = egress_addresses(self._engine, needed=True)
        who = f"{whoami.server} asked over {over} from {self._egress_here()}"

        def judge(batch: Batch, index: int) -> Verdict:
            return judge_told_address(batch.answers[index], promised=promised, who=who)

        options = {"name": whoami.name, "type": "A", **({"tcp": "yes"} if over == "tcp" else {})}
        probe = self._egress_patient(Kind.DNS, (whoami.server, 53), **options)
        words = ("dig", *(["+tcp"] if over == "tcp" else []), "+short", f"@{whoami.server}")
        return self._egress_ask(
            [Cell(probe=probe, judge=judge)], what=who, by_hand=(*words, whoami.name)
        )

    def assert_leaves_by_ipv6(self) -> Batch:
        """A host on the internet sees this pod come with a promised, or some public, IPv6 address.

        Raises NotApplicable where the cluster is known to have no IPv6 or no way out, FactUnknown
        where no such host is known.
        """
        profile = self._engine.profile
        if "ipv6" not in profile.need("ip-families"):
            raise NotApplicable(
                f"pods have no IPv6 address ({profile.facts['ip-families'].source})"
            )
        to = self._engine.site.need_internet6()
        promised = egress_addresses(self._engine)
        who = f"{to.host} reached from {self._egress_here()}"

        def judge(batch: Batch, index: int) -> Verdict:
            answer = batch.answers[index]
            reached = judge_required(answer, what=who, source=_DUAL_STACK)
            if answer is None or reached.outcome is not Outcome.PASS:
                return reached
            seen = str(answer.facts.get("body", "")).strip()
            if ":" not in seen:
                return Verdict(
                    outcome=Outcome.INCONCLUSIVE,
                    sentence=f"{who} did not answer with the address it saw",
                )
            return judge_egress_address(seen, promised=promised, who=who, source=_DUAL_STACK)

        cell = Cell(probe=self._egress_patient(Kind.HTTP, (to.host, to.port)), judge=judge)
        by_hand = ("curl", "-s", f"http://[{to.host}]:{to.port}/")
        return self._egress_ask([cell], what=who, by_hand=by_hand)

    def _egress_required(self) -> list[tuple[str, int]]:
        site, profile = self._engine.site, self._engine.profile
        site.need_way_out()
        if site.required_fqdns is not None:
            if not site.required_fqdns:
                raise NotApplicable("required_fqdns of the site file is empty: nothing is required")
            return [host_and_port(text) for text in site.required_fqdns]
        if profile.need("cloud") != "azure":
            raise FactUnknown(
                "the cluster is not on Azure, and what it must reach is not known; list it as "
                "required_fqdns in the file of --aksnet-config (default aksnet.toml)"
            )
        return [(name, HTTPS) for name in required_names(profile.get("region"))]

    def _egress_tls(self, place: tuple[str, int], **options: str) -> Probe:
        return self._egress_patient(Kind.TLS, place, **options)


def _is_on_the_internet(host: str) -> bool:
    """Whether it is a public address, and none that Azure has in every network."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False  # a name: where it leads is not known
    return not (is_private(host) or address.is_link_local or host == WIRE_SERVER)
