"""Two labs at once have nothing to do with each other."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.lab.running_lab import start_lab
from tests.lab.user import User

pytestmark = pytest.mark.thorough
FAULTS = ("kube-proxy-rules-missing", "coredns-servfail", "pod-route-missing", "node-not-ready")


@pytest.fixture
def two() -> Iterator[tuple[User, User]]:
    """Users of two labs of one kind: same addresses, same names."""
    with ExitStack() as stack:
        users = []
        for _ in range(2):
            lab = start_lab()
            stack.callback(lab.end)
            users.append(stack.enter_context(User(lab)))
        yield users[0], users[1]


def _serve(user: User) -> str:
    """A Service over a pod of the last node, and a client on the first; the Service's address."""
    first, *_, last = user.nodes()
    user.create_pod("client", node=first)
    user.create_reflector("web", node=last)
    user.ready("client", "web")
    address = str(user.create_service("web").spec.cluster_ip)
    user.eventually(lambda: bool(user.seen_by("client", address, 80)), "the Service answers")
    return address


def _outcomes(user: User, address: str) -> tuple[bool, ...]:
    """Whether these work: the Service from a node, its name, another node's pod, the node."""
    node = f"node/{user.nodes()[-1]}"
    url = f"http://{address}:80/"
    own = f"web.{user.namespace}.svc.cluster.local"
    return (
        user.at(node, "curl", "-s", "-m", "2", url).code == 0,
        user.run("client", "dig", "+time=2", "+tries=1", "+short", own).stdout.strip() == address,
        bool(user.seen_by("client", user.pod_ip("web"))),
        all(_is_ready(one) for one in user.core.list_node().items),
    )


def _is_ready(node: object) -> bool:
    conditions = node.status.conditions  # type: ignore[attr-defined]
    return any(one.type == "Ready" and one.status == "True" for one in conditions)


def test_faults_of_one_lab_are_not_seen_in_the_other(two: tuple[User, User]) -> None:
    broken, whole = two
    addresses = [_serve(user) for user in two]
    assert _outcomes(broken, addresses[0]) == _outcomes(whole, addresses[1]) == (True,) * 4
    for fault in FAULTS:
        broken.inject(fault)
    broken.eventually(lambda: not any(_outcomes(broken, addresses[0])), "all is broken")
    assert _outcomes(whole, addresses[1]) == (True,) * 4
    # Addresses that both have lead nowhere but into the own lab.
    assert whole.seen_by("client", whole.pod_ip("web")) == whole.pod_ip("client")
    broken.heal_all()
    broken.eventually(lambda: all(_outcomes(broken, addresses[0])), "all is whole again")
