"""Verbs about the resolver of a pod: its resolv.conf by dnsPolicy, and its search list."""

import secrets
from collections.abc import Mapping, Sequence

from pytest_aksnet.assertions.looker import Looker
from pytest_aksnet.expectations.dns_resolver import (
    NDOTS,
    judge_cluster_first,
    judge_default,
    judge_given,
    judge_search,
    search_list,
)
from pytest_aksnet.model.observation import NameQueries, ResolverConfig
from pytest_aksnet.probes.resolver import LISTENS_AT, ResolvConf, SearchQueries

# As long as the list that pods begin with; what the names are does not matter.
_SEARCHES = search_list("default", "cluster.local")


def dns_none(
    nameservers: Sequence[str], searches: Sequence[str], options: Mapping[str, str | None]
) -> dict[str, object]:
    """The fields of a pod's spec for dnsPolicy None and this dnsConfig."""
    written = [
        {"name": name} if value is None else {"name": name, "value": value}
        for name, value in options.items()
    ]
    config = {
        "nameservers": list(nameservers),
        "searches": list(searches),
        "options": written,
    }
    return {"dnsPolicy": "None", "dnsConfig": config}


def counting_spec() -> dict[str, object]:
    """The fields of a pod's spec for `assert_search_counted`: it is its own DNS server.

    To listen on port 53 needs no capability with this sysctl, which Kubernetes counts as safe.
    """
    name, _, value = NDOTS.partition(":")
    return {
        **dns_none([LISTENS_AT], _SEARCHES, {name: value}),
        "securityContext": {
            "seccompProfile": {"type": "RuntimeDefault"},
            "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
        },
    }


class ResolverVerbs(Looker):
    """What a pod's resolv.conf says, and what comes of it."""

    def assert_cluster_first(self) -> ResolverConfig:
        """resolv.conf names the cluster's DNS or a cache on the node, its names, and ndots 5.

        Raises FactUnknown where the cluster's domain or the address of its DNS is not known.
        """
        domain, service = self._domain(), self._engine.profile.need("dns-service-ip")
        pod = self._pod

        return self._engine.converge(
            pod,
            ResolvConf(),
            lambda config: judge_cluster_first(
                config,
                namespace=pod.namespace,
                domain=domain,
                dns_service=service,
                where=self._where(),
            ),
            patience_s=0.0,
        )

    def assert_dns_of_node(self) -> ResolverConfig:
        """resolv.conf of this pod, whose dnsPolicy is Default, names the resolvers of its node."""
        domain, service = self._domain(), self._engine.profile.need("dns-service-ip")
        return self._engine.converge(
            self._pod,
            ResolvConf(),
            lambda config: judge_default(
                config,
                domain=domain,
                dns_service=service,
                of_site=self._engine.site.dns_servers,
                where=self._where(),
            ),
            patience_s=0.0,
        )

    def assert_dns_as_given(
        self,
        nameservers: Sequence[str],
        searches: Sequence[str],
        options: Mapping[str, str | None],
    ) -> ResolverConfig:
        """resolv.conf of this pod, whose dnsPolicy is None, is what its dnsConfig gives."""
        return self._engine.converge(
            self._pod,
            ResolvConf(),
            lambda config: judge_given(
                config,
                nameservers=nameservers,
                searches=searches,
                options=options,
                where=self._where(),
            ),
            patience_s=0.0,
        )

    def assert_search_counted(self) -> NameQueries:
        """A name with one dot is asked for once per search domain, in order, then as it is.

        The pod was made with `counting_spec`. Raises ControlFailed where it may not listen.
        """
        name = f"x{secrets.token_hex(4)}.aksnet"
        return self._engine.converge(
            self._pod,
            SearchQueries(name=name),
            lambda seen: judge_search(seen, searches=_SEARCHES),
            patience_s=0.0,
        )

    def _domain(self) -> str:
        return self._engine.profile.need("cluster-domain")

    def _where(self) -> str:
        return f"node {self._pod.node}"
