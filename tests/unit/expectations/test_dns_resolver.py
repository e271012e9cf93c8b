"""What resolv.conf of a pod must say by its dnsPolicy."""

import pytest

from pytest_aksnet.expectations.dns_resolver import (
    judge_cluster_first,
    judge_default,
    judge_given,
    judge_search,
)
from pytest_aksnet.model.observation import NameQueries, ResolverConfig
from pytest_aksnet.model.verdict import Outcome, Verdict

SEARCH = ("ns.svc.cluster.local", "svc.cluster.local", "cluster.local")


def config(
    *nameservers: str, search: tuple[str, ...] = SEARCH, options: tuple[str, ...] = ("ndots:5",)
) -> ResolverConfig:
    return ResolverConfig(nameservers=nameservers, search=search, options=options)


def cluster_first(seen: ResolverConfig) -> Verdict:
    return judge_cluster_first(
        seen, namespace="ns", domain="cluster.local", dns_service="10.0.0.10", where="node a"
    )


@pytest.mark.parametrize("server", ["10.0.0.10", "169.254.10.11", "169.254.20.10"])
def test_the_service_or_a_known_cache_of_the_node_is_asked(server: str) -> None:
    verdict = cluster_first(config(server, search=(*SEARCH, "internal.cloudapp.net")))
    assert (verdict.outcome, verdict.warning) == (Outcome.PASS, "")


def test_an_unknown_cache_of_the_node_is_a_warning() -> None:
    verdict = cluster_first(config("169.254.99.1"))
    assert verdict.outcome is Outcome.PASS
    assert "169.254.99.1" in verdict.warning


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (config("10.0.255.53"), "neither the cluster's DNS (10.0.0.10)"),
        (config("10.0.0.10", "8.8.8.8"), "8.8.8.8"),
        (config("not an address"), "clusterDNS of the kubelet of node a"),
        (config("10.0.0.10", search=()), "its search list is empty"),
        (config("10.0.0.10", search=SEARCH[::-1]), "begins with ns.svc.cluster.local"),
        (config("10.0.0.10", options=("ndots:1",)), "ndots:1 instead of ndots:5"),
        (config("10.0.0.10", options=()), "none instead of ndots:5"),
    ],
)
def test_what_cluster_first_does_not_promise_fails(seen: ResolverConfig, words: str) -> None:
    verdict = cluster_first(seen)
    assert verdict.outcome is Outcome.FAIL
    assert words in verdict.sentence


def default(seen: ResolverConfig, *of_site: str) -> Verdict:
    return judge_default(
        seen, domain="cluster.local", dns_service="10.0.0.10", of_site=of_site, where="node a"
    )


@pytest.mark.parametrize("server", ["168.63.129.16", "169.254.10.10", "192.168.7.1"])
def test_any_server_of_the_node_is_good_where_the_sites_are_not_known(server: str) -> None:
    assert default(config(server, search=("internal",), options=())).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("seen", "of_site", "words"),
    [
        (config("10.0.0.10", search=()), (), "the cluster's own DNS"),
        (config("127.0.0.53", search=()), (), "a loopback address"),
        (config("168.63.129.16", search=()), ("10.225.0.10",), "when it starts anew"),
        (config("168.63.129.16"), (), "is that of the cluster"),
    ],
)
def test_what_is_not_the_nodes_fails(
    seen: ResolverConfig, of_site: tuple[str, ...], words: str
) -> None:
    verdict = default(seen, *of_site)
    assert verdict.outcome is Outcome.FAIL
    assert words in verdict.sentence


def test_dns_config_is_given_exactly() -> None:
    options = {"ndots": "2", "edns0": None}
    good = config("192.0.2.53", search=("a.example",), options=("edns0", "ndots:2"))
    more = config("192.0.2.53", search=("a.example",), options=("edns0", "ndots:2", "rotate"))
    verdicts = [
        judge_given(
            seen,
            nameservers=["192.0.2.53"],
            searches=["a.example"],
            options=options,
            where="node a",
        )
        for seen in (good, more, config("10.0.0.10"))
    ]
    assert [one.outcome for one in verdicts] == [Outcome.PASS, Outcome.FAIL, Outcome.FAIL]
    assert "rotate" in verdicts[1].sentence
    assert "nameservers are 10.0.0.10 instead of 192.0.2.53" in verdicts[2].sentence


def test_a_short_name_is_asked_once_for_each_domain_and_as_it_is() -> None:
    right = ("x.y.a", "x.y.b", "x.y")
    for asked, outcome in (
        (right, Outcome.PASS),
        (("x.y", "x.y.a", "x.y.b"), Outcome.FAIL),
        (right[:2], Outcome.FAIL),
        ((), Outcome.FAIL),
    ):
        seen = NameQueries(name="x.y", asked=asked)
        assert judge_search(seen, searches=("a", "b")).outcome is outcome
