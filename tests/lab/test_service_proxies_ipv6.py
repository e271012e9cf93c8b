"""Services of dual-stack labs, by packets, with each service proxy."""

from pathlib import Path

import pytest

from pytest_aksnet.lab.layout import make_spec
from pytest_aksnet.lab.options import LabOptions
from tests.lab.running_lab import start_lab
from tests.lab.scene import Scene

_BOTH = "RequireDualStack"


@pytest.mark.parametrize(
    ("engine", "proxy"),
    [
        ("calico", "iptables"),
        pytest.param("calico", "nftables", marks=pytest.mark.thorough),
        pytest.param("cilium", "iptables", marks=pytest.mark.thorough),
    ],
)
def test_services_serve_both_families(engine: str, proxy: str, tmp_path: Path) -> None:
    spec = make_spec(LabOptions(engine=engine, service_proxy=proxy, dual_stack=True))
    lab = start_lab("overlay", engine, settings=(f"service-proxy={proxy}", "dual-stack=true"))
    try:
        with Scene(lab, spec, tmp_path) as scene:
            server, client = scene.pod(0, "web", app="web"), scene.pod(-1)
            service = scene.service("web", kind="NodePort", ipFamilyPolicy=_BOTH)
            first, second = service.spec.cluster_ips
            port = service.spec.ports[0].node_port
            assert ":" in second
            scene.user.eventually(
                lambda: scene.seen(client, second, 80) == scene.ip6(client), "IPv6 is served"
            )
            assert scene.seen(client, first, 80) == scene.ip(client)
            assert scene.seen(server, second, 80) == scene.ip6(scene.node(0))  # of itself
            assert scene.tcp(scene.node(1), second, 80).ok
            assert scene.tcp(scene.host("vm"), scene.ip6(scene.node(1)), port).ok
            assert scene.tcp(scene.node(1), scene.ip6(server)).ok
            empty = scene.service("nobody", wait=False, ipFamilyPolicy=_BOTH).spec.cluster_ips[1]
            assert scene.tcp(client, empty, 80).outcome == "refused"
    finally:
        lab.end()
