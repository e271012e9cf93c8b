"""Corefiles as CoreDNS reads them, and what people put into coredns-custom."""

import pytest

from pytest_aksnet.expectations.corefile import (
    CorefileBroken,
    denial_ttl_s,
    judge_custom,
    parse,
    pod_records,
)
from pytest_aksnet.model.verdict import Outcome

AKS = """.:53 {
    errors # all of them
    kubernetes cluster.local in-addr.arpa ip6.arpa {
      pods insecure
      fallthrough in-addr.arpa ip6.arpa
      ttl 30
    }
    forward . /etc/resolv.conf
    cache 30
    import custom/*.override
    template ANY ANY internal.cloudapp.net {
      match "^(?:[^.]+\\\\.){4,}internal\\\\.cloudapp\\\\.net\\\\.$"
      rcode NXDOMAIN
      fallthrough
    }
}
import custom/*.server
"""
REWRITE = "rewrite stop {\n  name regex (.*)\\.my\\.com {1}.default.svc.cluster.local\n}\n"
ANSWER = 'template IN A my.com {\n  answer "{{ .Name }} 60 IN A 10.0.0.1"\n}\n'


def test_settings_of_the_cluster_are_found() -> None:
    assert (pod_records(AKS), denial_ttl_s(AKS)) == ("insecure", 30)
    assert len(parse(AKS)) == 2
    bare = ".:53 {\n  kubernetes cluster.local\n}\n"
    assert (pod_records(bare), denial_ttl_s(bare)) == ("disabled", 5)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"log.override": "log\n"},
        {"test.server": "corp.example:53 {\n  forward . 10.1.2.3\n}\n"},
        {"a.override": REWRITE, "b.override": ANSWER},
        {"puglife.server": "pug.life:53 {\n\terrors\n\tforward . tls://9.9.9.9 {\n\t}\n}\n# end"},
    ],
)
def test_what_the_documentation_shows_is_good(data: dict[str, str]) -> None:
    assert judge_custom(data, unknown_plugins_fail=True).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"corp.conf": "log\n"}, "corp.conf ends neither"),
        ({"a.override": "logs\n"}, "logs is no plugin"),
        ({"a.server": "corp.example:53 {\n  forward . 10.1.2.3\n"}, "is not closed"),
        ({"a.override": "}\n"}, "closes that none has opened"),
        ({"a.override": "{\n}\n"}, "without anything before it"),
        ({"a.override": 'template IN A {\n answer "x\n}\n'}, "quotation mark"),
        ({"a.server": "forward . 10.1.2.3\n"}, "is no server block"),
    ],
)
def test_what_coredns_does_not_read_fails(data: dict[str, str], words: str) -> None:
    verdict = judge_custom(data, unknown_plugins_fail=True)
    assert verdict.outcome is Outcome.FAIL
    assert words in verdict.sentence


def test_an_unknown_plugin_is_a_warning_where_coredns_may_be_built_with_it() -> None:
    verdict = judge_custom({"a.override": "fanout . 10.1.2.3\n"}, unknown_plugins_fail=False)
    assert verdict.outcome is Outcome.PASS
    assert "fanout" in verdict.warning


def test_a_broken_corefile_sets_nothing() -> None:
    with pytest.raises(CorefileBroken):
        parse("a {")
    assert pod_records("a {") == "disabled"
