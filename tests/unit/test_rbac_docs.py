"""docs/rbac.yaml grants exactly what needs.py asks for: no right more, none less."""

from pathlib import Path
from typing import Any

import yaml

from pytest_aksnet.model.rights import Right, Where
from pytest_aksnet.needs import FIXTURES, NAMED, together

DOCS = Path(__file__).parents[2] / "docs"
# Rights in the namespaces of a run are granted in the whole cluster: nobody knows their names.
_PLACES = {
    Where.CLUSTER: "",
    Where.RUN: "",
    Where.SYSTEM: "kube-system",
    Where.DEFAULT: "default",
    Where.LEASE: "default",
    Where.NODE_LEASES: "kube-node-lease",
}
Granted = tuple[str, str, str, str, str]


def documents() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DOCS / "rbac.yaml").read_text("utf-8")))


def granted() -> set[Granted]:
    found = set()
    for document in documents():
        for rule in document.get("rules") or ():
            for path in rule.get("nonResourceURLs") or ():
                found |= {("", "", path, verb, "") for verb in rule["verbs"]}
            for group in rule.get("apiGroups") or ():
                for resource in rule["resources"]:
                    for verb in rule["verbs"]:
                        for name in rule.get("resourceNames") or [""]:
                            place = document["metadata"].get("namespace", "")
                            found.add((place, group, resource, verb, name))
    return found


def asked(right: Right) -> Granted:
    resource = f"{right.resource}/{right.subresource}" if right.subresource else right.resource
    return (_PLACES[right.where], right.group, right.path or resource, right.verb, right.name)


def test_the_documented_rights_are_exactly_those_that_are_needed() -> None:
    need = together([*FIXTURES.values(), *NAMED.values()])
    assert granted() == {asked(right) for right in (*need.rights, *need.optional)}


def test_every_role_is_bound_to_the_service_account() -> None:
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for document in documents():
        by_kind.setdefault(document["kind"], []).append(document)
    roles = {
        (role["kind"], role["metadata"].get("namespace"))
        for kind in ("ClusterRole", "Role")
        for role in by_kind[kind]
    }
    bindings = [*by_kind["ClusterRoleBinding"], *by_kind["RoleBinding"]]
    bound = {
        (binding["roleRef"]["kind"], binding["metadata"].get("namespace")) for binding in bindings
    }
    [account] = by_kind["ServiceAccount"]
    subject = {
        "kind": "ServiceAccount",
        "name": account["metadata"]["name"],
        "namespace": account["metadata"]["namespace"],
    }
    assert bound == roles
    assert all(binding["subjects"] == [subject] for binding in bindings)
