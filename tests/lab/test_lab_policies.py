"""NetworkPolicies of the lab, by packets: deny, allow, and from the first packet of a new pod."""

import pytest

from tests.lab.user import User

DENY = {"podSelector": {}, "policyTypes": ["Ingress"]}
ALLOW_CLIENT = {
    "podSelector": {"matchLabels": {"app": "server"}},
    "policyTypes": ["Ingress"],
    "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "client"}}}]}],
}


@pytest.fixture
def pair(user_of_each: User) -> User:
    """A reflector and a client on different nodes."""
    user = user_of_each
    user.create_reflector("server", node=user.nodes()[0])
    user.create_pod("client", node=user.nodes()[2])
    user.ready("server", "client")
    return user


def reaches(user: User) -> bool:
    return user.seen_by("client", user.pod_ip("server"), seconds=1) != ""


def test_a_deny_all_holds_while_it_is_there(pair: User) -> None:
    assert reaches(pair)
    pair.create_policy("deny", DENY)
    pair.eventually(lambda: not reaches(pair), "denied")
    pair.networking.delete_namespaced_network_policy("deny", pair.namespace)
    pair.eventually(lambda: reaches(pair), "allowed again")


def test_an_allow_rule_lets_through_whom_it_names(pair: User) -> None:
    pair.create_policy("deny", DENY)
    pair.eventually(lambda: not reaches(pair), "denied")
    pair.create_policy("allow", ALLOW_CLIENT)
    pair.eventually(lambda: reaches(pair), "allowed")


def test_a_policy_holds_for_a_new_pod_from_its_first_packet(pair: User) -> None:
    pair.create_policy(
        "deny", {"podSelector": {"matchLabels": {"app": "late"}}, "policyTypes": ["Egress"]}
    )
    target = pair.pod_ip("server")
    command = f"curl -s -m 1 http://{target}:8080/ && echo reached || echo blocked"
    pair.create_pod("late", command=["sh", "-c", command], restartPolicy="Never")
    pair.await_pod("late", lambda pod: pod.status.phase == "Succeeded", "over")
    assert pair.log("late") == "blocked\n"
