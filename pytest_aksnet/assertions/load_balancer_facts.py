"""Verbs about what the API server says of load balancers: the addresses that Services got."""

from collections.abc import Callable, Sequence

from pytest_aksnet.assertions.load_balancer_causes import addresses_now
from pytest_aksnet.assertions.looker import Reader
from pytest_aksnet.check_facts import judge_facts
from pytest_aksnet.expectations.load_balancer_addresses import (
    judge_address_kept,
    judge_both_families,
    judge_internal_address,
    judge_public_address,
)
from pytest_aksnet.model.errors import FactUnknown
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.peers import ServiceRef
from pytest_aksnet.model.verdict import Verdict


class LoadBalancerFacts(Reader):
    """Reads Services."""

    def assert_internal_address(self, service: ServiceRef) -> FactSheet:
        """The internal load balancer of this Service has addresses of the virtual network only."""
        try:
            networks = self._engine.profile.networks("vnet-cidrs")
        except FactUnknown:
            networks = ()
        return self._judge_addresses(
            service,
            lambda addresses, what: judge_internal_address(
                addresses, service=what, networks=networks
            ),
        )

    def assert_public_address(self, service: ServiceRef) -> FactSheet:
        """The load balancer of this Service has public addresses only."""
        return self._judge_addresses(
            service, lambda addresses, what: judge_public_address(addresses, service=what)
        )

    def assert_both_families(self, service: ServiceRef) -> FactSheet:
        """The load balancer of this dual-stack Service has an address of each IP family."""
        return self._judge_addresses(
            service, lambda addresses, what: judge_both_families(addresses, service=what)
        )

    def assert_address_kept(self, before: ServiceRef) -> FactSheet:
        """The Service still has the addresses that it had when `before` was read."""
        return self._judge_addresses(
            before,
            lambda addresses, what: judge_address_kept(
                before.load_balancer_ips, addresses, service=what
            ),
        )

    def _judge_addresses(
        self, service: ServiceRef, judge: Callable[[Sequence[str], str], Verdict]
    ) -> FactSheet:
        what = f"Service {service.namespace}/{service.name}"
        addresses = addresses_now(self._engine, service)
        sheet = FactSheet(
            what=f"the load balancer of {what}",
            source=f"status.loadBalancer of {what}",
            facts={"addresses": ", ".join(addresses) or "none"},
        )
        by_hand = ("kubectl", "get", "service", service.name, "-n", service.namespace, "-o", "yaml")
        return judge_facts(self._engine, sheet, judge(addresses, what), by_hand=by_hand)
