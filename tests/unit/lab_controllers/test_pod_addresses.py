"""What a node's network plugin hands out, and what it says when it has nothing."""

import asyncio

import pytest

from pytest_aksnet.lab.controllers.kubelet.addresses import BATCH, Holder, NodeAddresses, NoNetwork
from pytest_aksnet.lab.layout import make_spec
from pytest_aksnet.lab.options import LabOptions, PoolOptions
from pytest_aksnet.lab.spec import LabSpec


def holder(number: int = 0, namespace: str = "default") -> Holder:
    return Holder(namespace=namespace, pod=f"p{number}", uid=f"uid-{namespace}-{number}")


def spec_of(mode: str, *, engine: str = "calico", static_blocks: bool = False) -> LabSpec:
    pool = PoolOptions(name="system", mode="System", count=2, max_pods=40)
    options = LabOptions(mode=mode, engine=engine, static_blocks=static_blocks, pools=(pool,))
    return make_spec(options)


def addresses_of(mode: str, *, engine: str = "calico", **options: bool) -> NodeAddresses:
    spec = spec_of(mode, engine=engine, **options)
    return NodeAddresses(spec, spec.nodes[0])


def test_a_pod_subnet_gives_batches_of_16_whenever_fewer_than_8_are_free() -> None:
    addresses = addresses_of("pod-subnet")
    held = [len(addresses.free)]
    for number in range(25):
        addresses.take(holder(number))
        held.append(len(addresses.free) + len(addresses.taken))
    # The ninth pod leaves seven free, the 25th again.
    assert held[:9] == [BATCH] * 9
    assert held[9:25] == [2 * BATCH] * 16
    assert held[25] == 3 * BATCH


@pytest.mark.parametrize(
    ("mode", "static", "first", "number"),
    [
        ("pod-subnet", True, "10.232.0.4", 48),
        ("node-subnet", False, "10.224.0.5", 39),
        ("overlay", False, "10.244.0.4", 247),
        ("kubenet", False, "10.244.0.4", 247),
    ],
)
def test_other_plugins_have_all_from_the_start(
    mode: str, static: bool, first: str, number: int
) -> None:
    free = addresses_of(mode, static_blocks=static).free
    assert (free[0], len(free)) == (first, number)


def test_an_address_that_is_given_back_is_the_last_to_be_given_again() -> None:
    addresses = addresses_of("node-subnet")
    ip = addresses.take(holder())
    assert addresses.taken == {ip: holder()}
    addresses.give_back(ip, holder(9))  # somebody else's word
    assert ip in addresses.taken
    addresses.give_back(ip, holder())
    assert addresses.free[-1] == ip


@pytest.mark.parametrize(
    ("mode", "engine", "words"),
    [
        ("kubenet", "calico", 'plugin type="bridge" failed (add): failed to allocate for range 0'),
        ("node-subnet", "calico", "Failed to allocate address: No available addresses"),
        ("node-subnet", "cilium", 'plugin type="cilium-cni" failed (add)'),
        ("pod-subnet", "calico", "not enough IPs available for"),
        ("overlay", "calico", '{"PodName":"p0","PodNamespace":"default"}'),
    ],
)
def test_each_plugin_says_in_its_own_words_that_it_has_none(
    mode: str, engine: str, words: str
) -> None:
    addresses = addresses_of(mode, engine=engine)
    addresses.set_full(True)
    with pytest.raises(NoNetwork) as refusal:
        addresses.take(holder())
    assert refusal.value.reason == "FailedCreatePodSandBox"
    assert f'for sandbox "{holder().sandbox_id}": ' in str(refusal.value)
    assert words in str(refusal.value)


def test_what_leaked_stays_allocated_until_it_is_healed() -> None:
    addresses = addresses_of("node-subnet")
    addresses.set_leaking(True)
    ip = addresses.take(holder())
    addresses.give_back(ip, holder())
    assert addresses.taken == {ip: holder()}
    addresses.set_leaking(False)
    assert (dict(addresses.taken), addresses.free[-1]) == ({}, ip)


def test_a_copied_address_is_another_nodes_and_given_once() -> None:
    spec = spec_of("node-subnet")
    first, second = (NodeAddresses(spec, node) for node in spec.nodes)
    theirs = first.take(holder(1))
    first.take(holder(2, "kube-system"))
    second.set_copied([first])
    assert second.take(holder(3)) == theirs
    own = second.take(holder(4))
    assert own in spec.nodes[1].pod_addresses()
    second.give_back(theirs, holder(3))
    assert first.taken[theirs] == holder(1)
    assert second.take(holder(5)) == theirs
    second.set_copied(())
    assert second.take(holder(6)) != theirs


def test_a_waiting_pod_hears_of_what_may_have_changed() -> None:
    addresses = addresses_of("node-subnet")

    async def wait_and_take() -> str:
        addresses.set_ready(False)
        with pytest.raises(NoNetwork, match="cni plugin not initialized") as refusal:
            addresses.take(holder())
        assert refusal.value.reason == "NetworkNotReady"
        waiting = asyncio.create_task(addresses.wait(60))
        await asyncio.sleep(0)
        addresses.set_ready(True)
        await waiting
        return addresses.take(holder())

    assert asyncio.run(wait_and_take()) == "10.224.0.5"
