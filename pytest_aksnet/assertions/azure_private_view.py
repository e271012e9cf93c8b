"""What verbs about private endpoints and zones rest on: which of them concern the cluster.

Owns which names matter, and what pods and nodes are told of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_aksnet.assertions.azure_looker import AzureVerbs
from pytest_aksnet.assertions.azure_private_looks import ask_names
from pytest_aksnet.assertions.looker import Looker
from pytest_aksnet.expectations.azure_blame import Finding
from pytest_aksnet.expectations.azure_private_names import (
    AZURE_DNS,
    Askers,
    NameSeen,
    askers_of,
)
from pytest_aksnet.model.azure import CLUSTER
from pytest_aksnet.model.azure_private import (
    PRIVATE_ENDPOINTS,
    Found,
    PrivateEndpoint,
    Unread,
)
from pytest_aksnet.model.azure_vnet import VNETS
from pytest_aksnet.model.errors import ArmForbidden, ArmUnanswered, NotApplicable
from pytest_aksnet.model.observation import FactSheet

# A look per name, server and node: what a cluster uses are some dozens.
MOST_NAMES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateEndpoints:
    """The private endpoints that concern the cluster, and the names that matter.

    `near` are those of its own virtual networks or with a name that the site file has, `all` with
    those of peered ones; `api` is that of its API server. `left_out` counts names that were too
    many to ask for.
    """

    near: tuple[PrivateEndpoint, ...]
    all: tuple[PrivateEndpoint, ...]
    api: tuple[PrivateEndpoint, ...]
    names: tuple[NameSeen, ...]
    found: Found[PrivateEndpoint]
    left_out: int

    def of(self, name: str) -> PrivateEndpoint | None:
        """The endpoint with a name, one of the cluster's own networks first."""
        having = (one for one in (*self.near, *self.all) if has_name(one, name))
        return next(having, None)

    def names_of(self, endpoint: PrivateEndpoint, seen: Iterable[NameSeen]) -> list[NameSeen]:
        """Its names, as they were seen."""
        return [one for one in seen if has_name(endpoint, one.name)]


class PrivateLinkView(AzureVerbs):
    """Reads endpoints and zones, and asks pods for their names."""

    def askers(self) -> Askers:
        """From where Azure DNS is asked. Raises ArmUnanswered where no network is known."""
        vnets = self.read(VNETS)
        if not vnets:
            raise ArmUnanswered("ARM told no virtual network of the cluster's agent pools")
        return askers_of(vnets)

    def private_endpoints(self, *, read: bool = False) -> PrivateEndpoints:
        """What is private here; with `read` only what ARM told counts, not the site file.

        Raises NotApplicable where there is nothing, and what says that this is not known.
        """
        found = self.read(PRIVATE_ENDPOINTS)
        near = self.near(found)
        if not near.near and (read or not near.names):
            self.need_all(found.unread)
            site = "" if near.names else ", and the site file has no private_names"
            raise NotApplicable(
                "no private endpoint is in the cluster's virtual networks (subscriptions "
                f"{', '.join(found.subscriptions)}){site}"
            )
        return near

    def named_endpoints(self, *, of_endpoints: bool = False) -> PrivateEndpoints:
        """The same, with names; `of_endpoints` asks for names of endpoints that ARM told.

        Endpoints of private link services have no names, nor has that of the API server any that is
        not of a check of its own.
        """
        near = self.private_endpoints(read=of_endpoints)
        if any(near.of(one.name) or not of_endpoints for one in near.names):
            return near
        # A private link service has no parts, and what it offers has no name of Azure.
        others = [one for one in near.near if one not in near.api]
        if untold := [one.short for one in others if one.groups or not one.target]:
            raise ArmUnanswered(f"ARM told no name of the private endpoints {', '.join(untold)}")
        raise NotApplicable(
            f"none of the private endpoints {', '.join(one.short for one in near.near)} has a name "
            "of a service of Azure"
        )

    def near(self, found: Found[PrivateEndpoint]) -> PrivateEndpoints:
        """The endpoints that concern the cluster, of those that were found."""
        cluster, own = self.read(CLUSTER), self.askers().own
        site = {one.name.rstrip(".").lower(): one for one in self._engine.site.private_names}
        near = tuple(
            one
            for one in found.items
            if one.vnet in (*own, "") or any(n.name in site for n in one.names)
        )
        api = tuple(one for one in near if one.target == cluster.id)
        listed = [name.name for one in near if one not in api for name in one.names]
        names = []
        wanted = list(dict.fromkeys([*site, *listed]))
        for name in wanted[:MOST_NAMES]:
            having = [n for one in found.items for n in one.names if n.name == name]
            known = [ip for one in having for ip in one.addresses]
            named = site[name].addresses if name in site and not known else ()
            names.append(NameSeen(name=name, expected=tuple(dict.fromkeys([*known, *named]))))
        return PrivateEndpoints(
            near=near,
            all=found.items,
            api=api,
            names=tuple(names),
            found=found,
            left_out=len(wanted) - len(names),
        )

    def seen(
        self,
        names: Sequence[NameSeen],
        pods: Sequence[Looker],
        host: Looker | None,
        askers: Askers,
    ) -> list[NameSeen]:
        """The names with what pods are told, and with `host` what its node is told."""
        plain = [one.name for one in names]
        pod_answers = {
            looker.pod.node: ask_names(self._engine, looker, plain, {"": "the pod's DNS"})
            for looker in pods
        }
        servers = {AZURE_DNS: "Azure DNS"} | {
            ip: f"the DNS server {ip}" for ip in askers.dns_servers
        }
        asked = ask_names(self._engine, host, plain, servers) if host is not None else {}
        return [
            replace(
                one,
                pods={node: said["", one.name] for node, said in pod_answers.items()},
                servers={
                    ip: asked[ip, one.name] for ip in askers.dns_servers if (ip, one.name) in asked
                },
                azure=asked.get((AZURE_DNS, one.name)),
            )
            for one in names
        ]

    def need_all(self, unread: Sequence[Unread]) -> None:
        """Raise what says that it is not known whether there is anything, where so."""
        for one in unread:
            why = f"the subscription {one.subscription} could not be read: {one.why}"
            if one.action:
                raise ArmForbidden(why, action=one.action)
            raise ArmUnanswered(why)

    def judge_private(
        self,
        what: str,
        facts: Mapping[str, str],
        finding: Finding,
        endpoints: PrivateEndpoints | None = None,
        *,
        shows: str = "",
    ) -> FactSheet:
        """Judge; what is shown where nothing is to be changed is an endpoint or a network."""
        if endpoints is not None and endpoints.left_out:
            facts = {**facts, "names left out": f"{endpoints.left_out} more than are asked for"}
        if not shows:
            near = endpoints.near if endpoints is not None else ()
            shows = near[0].id if near else self.askers().own[0]
        return self.judge(what, facts, finding, shows=shows)


def has_name(endpoint: PrivateEndpoint, name: str) -> bool:
    """Whether it answers to a name."""
    return any(one.name == name for one in endpoint.names)


def told(seen: Iterable[NameSeen]) -> dict[str, str]:
    """Facts: who says what of each name."""
    return {one.name: one.told() for one in seen}


def short(vnets: Iterable[str]) -> str:
    """The names of resources."""
    return ", ".join(one.rpartition("/")[2] for one in vnets)


def scope(found: Found[Any]) -> dict[str, str]:
    """Where it was looked for, and what could not be read."""
    facts = {"subscriptions read": ", ".join(found.subscriptions)}
    for one in found.unread:
        facts[f"not read: {one.subscription}"] = one.why
    if found.left_out:
        facts["left out"] = f"{found.left_out} more than are read"
    return facts
