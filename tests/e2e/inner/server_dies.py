"""Checks in whose middle the API server is killed. Run as a copy below a temporary directory.

AKSNET_LAB_PID is the lab's process, AKSNET_API its address as host:port.
"""

import os
import signal
import socket
import time

import pytest

from pytest_aksnet.factories import Aks, NamespaceFactory, NetshootFactory, NetworkPolicyFactory


def kill_api_server() -> None:
    """Kill the lab and wait until nothing answers any more."""
    os.kill(int(os.environ["AKSNET_LAB_PID"]), signal.SIGKILL)
    host, port = os.environ["AKSNET_API"].split(":")
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            return
        assert time.monotonic() < deadline, "the API server lives on"
        time.sleep(0.01)


@pytest.mark.aksnet(id="dies.before", feature="pod-network", severity="major")
def test_before(netshoot: NetshootFactory, aks: Aks) -> None:
    """A pod reaches another one while the API server lives."""
    source, target = netshoot.on_each(aks.nodes[:2])
    source.assert_connects(target)


@pytest.mark.aksnet(id="dies.meanwhile", feature="network-policy", severity="major")
def test_meanwhile(
    netshoot: NetshootFactory,
    namespace: NamespaceFactory,
    network_policy: NetworkPolicyFactory,
    aks: Aks,
) -> None:
    """What a policy blocks is said to be blocked while the API server dies."""
    source, target = netshoot.on_each(aks.nodes[:2], namespace=namespace())
    source.assert_policy_allows(target)
    spec = {"podSelector": {}, "policyTypes": ["Ingress"]}
    network_policy(spec, namespace=source.pod.namespace)
    kill_api_server()
    source.assert_policy_blocks(target)


@pytest.mark.aksnet(id="dies.after", feature="pod-network", severity="major")
def test_after(netshoot: NetshootFactory) -> None:
    """A pod reaches itself after the API server has died."""
    pod = netshoot()
    pod.assert_connects(pod)


@pytest.mark.aksnet(id="dies.deny-after", feature="network-policy", severity="major")
def test_deny_after(netshoot: NetshootFactory, aks: Aks) -> None:
    """Nothing is blocked after the API server has died."""
    source, target = netshoot.on_each(aks.nodes[:2])
    source.assert_policy_blocks(target, control=target)
