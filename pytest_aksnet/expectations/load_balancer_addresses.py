"""Which addresses a Service's load balancer should have: internal, public, of both families."""

import ipaddress
from collections.abc import Sequence

from pytest_aksnet.expectations.addresses import is_private
from pytest_aksnet.model.profile import Network
from pytest_aksnet.model.verdict import Outcome, Verdict

SERVED = "Kubernetes docs: Service, type LoadBalancer; AKS docs: load-balancer-standard"
INTERNAL = "AKS docs: internal-lb"
DUAL_STACK = "AKS docs: configure-dual-stack; Kubernetes docs: dual-stack"


def judge_internal_address(
    addresses: Sequence[str], *, service: str, networks: Sequence[Network]
) -> Verdict:
    """Whether a Service with the internal annotation has addresses of the virtual network only.

    Where its `networks` are not known, any private address will do.
    """

    def inside(text: str) -> bool:
        address = ipaddress.ip_address(text)
        if not networks or all(one.version != address.version for one in networks):
            return is_private(text)
        return any(address in network for network in networks if network.version == address.version)

    outside = [address for address in addresses if not inside(address)]
    where = ", ".join(map(str, networks)) or "private ranges"
    if outside or not addresses:
        saw = f"has {', '.join(outside)}" if outside else "has no address"
        public = (
            " (public: the annotation was not honoured)"
            if any(not is_private(address) for address in outside)
            else ""
        )
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"the internal load balancer of {service} should have an address of the "
            f"virtual network ({where}), but {saw}{public}",
            source=INTERNAL,
        )
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"the internal load balancer of {service} has {', '.join(addresses)}",
        source=INTERNAL,
    )


def judge_public_address(addresses: Sequence[str], *, service: str) -> Verdict:
    """Whether a Service without the annotation has a public address."""
    private = [address for address in addresses if is_private(address)]
    if private or not addresses:
        saw = f"has the private {', '.join(private)}" if private else "has no address"
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"the public load balancer of {service} should have a public address, but "
            f"{saw}",
            source=SERVED,
        )
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"the load balancer of {service} has the public {', '.join(addresses)}",
        source=SERVED,
    )


def judge_both_families(addresses: Sequence[str], *, service: str) -> Verdict:
    """Whether a dual-stack Service has an IPv4 and an IPv6 address."""
    versions = {ipaddress.ip_address(address).version for address in addresses}
    if versions != {4, 6}:
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"the load balancer of the dual-stack {service} should have an IPv4 and an "
            f"IPv6 address, but has {', '.join(addresses) or 'none'}",
            source=DUAL_STACK,
        )
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"the load balancer of {service} has {', '.join(addresses)}",
        source=DUAL_STACK,
    )


def judge_address_kept(before: Sequence[str], after: Sequence[str], *, service: str) -> Verdict:
    """Whether a Service has the addresses that it had before it was changed."""
    if not before:
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence=f"{service} had no address before it was changed that it could have kept",
        )
    if sorted(before) != sorted(after):
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"a change of {service} should leave its load balancer's address "
            f"{', '.join(before)}, but it has {', '.join(after) or 'none'} now",
            source=SERVED,
        )
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"{service} kept {', '.join(before)} when it was changed",
        source=SERVED,
    )
