"""The cloud provider's service controller: gives LoadBalancer Services their addresses.

Public ones from `load_balancer_range`, internal ones (annotation of cloud-provider-azure) from
`internal_lb_range`, one for each family of the Service; a wanted address is honoured where it is
free.
"""

import ipaddress
from collections.abc import Callable, Sequence
from enum import Enum, auto

from pytest_aksnet.lab.api.errors import ApiError
from pytest_aksnet.lab.api.ip_families import IPV4, IPV6, family_of
from pytest_aksnet.lab.api.journal import DELETED, MODIFIED, Change
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import SERVICES
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers.events import NORMAL, WARNING, EventRecorder
from pytest_aksnet.lab.controllers.loop import ControlLoop
from pytest_aksnet.lab.spec import LabSpec

_ANNOTATION = "service.beta.kubernetes.io/azure-load-balancer-"
_FINALIZER = "service.kubernetes.io/load-balancer-cleanup"


class ServiceControllerDefect(Enum):
    """What the cloud provider may get wrong."""

    INTERNAL_IGNORED = auto()
    ADDRESS_MOVES = auto()
    NO_CLEANUP = auto()


class LoadBalancerController(ControlLoop):
    """Keeps status.loadBalancer of all Services right."""

    watched = (SERVICES,)

    def __init__(self, store: Store, spec: LabSpec) -> None:
        super().__init__(store)
        self._events = EventRecorder(store, "service-controller")
        self._public = {IPV4: _hosts(spec.load_balancer_range)}
        self._internal = {IPV4: _hosts(spec.internal_lb_range)}
        if spec.dual_stack:
            self._public[IPV6] = _hosts(spec.load_balancer_range6)
            self._internal[IPV6] = _hosts(spec.internal_lb_range6)
        self._taken: dict[str, str] = {}  # address -> uid of its Service
        self._specs: dict[str, JsonObject] = {}  # by the uid of its Service
        self._defects: set[ServiceControllerDefect] = set()

    def have_defect(self, defect: ServiceControllerDefect, *, on: bool) -> None:
        """Get something wrong from now on, or do it right again and catch up."""
        if on:
            self._defects.add(defect)
            return
        self._defects.discard(defect)
        self.handle([Change(MODIFIED, revision) for revision in self.store.revisions(SERVICES)])

    def handle(self, changes: Sequence[Change]) -> None:
        """Give, keep or take back addresses."""
        for change in changes:
            service = change.value
            uid = service["metadata"]["uid"]
            try:
                if change.kind == DELETED:
                    self._free(uid)
                    self._specs.pop(uid, None)
                elif _wants_address(service):
                    self._ensure(service)
                else:
                    self._release(service)
            except ApiError as error:
                if error.code not in (404, 409):  # changed meanwhile: that change comes next
                    raise

    def _ensure(self, service: JsonObject) -> None:
        families = service["spec"]["ipFamilies"]
        addresses = [one for family in families if (one := self._address_for(service, family))]
        self._free(service["metadata"]["uid"])
        self._specs[service["metadata"]["uid"]] = service["spec"]
        if len(addresses) < len(families):
            return
        self._taken |= dict.fromkeys(addresses, service["metadata"]["uid"])
        ingress = [{"ip": address, "ipMode": "VIP"} for address in addresses]
        status = {"loadBalancer": {"ingress": ingress}}
        finalizers = service["metadata"].get("finalizers") or []
        if service.get("status") == status and _FINALIZER in finalizers:
            return
        self._events.record(service, NORMAL, "EnsuringLoadBalancer", "Ensuring load balancer")

        def keep(value: JsonObject) -> None:
            present = value["metadata"].setdefault("finalizers", [])
            if _FINALIZER not in present:
                present.append(_FINALIZER)

        def show(value: JsonObject) -> None:
            value["status"] = status

        self._change(service, keep)
        self._change(service, show, subresource="status")
        self._events.record(service, NORMAL, "EnsuredLoadBalancer", "Ensured load balancer")

    def _address_for(self, service: JsonObject, family: str) -> str | None:
        """The address of a family that it has, wants or gets; None where that is not possible."""
        uid = service["metadata"]["uid"]
        annotations = service["metadata"].get("annotations") or {}
        internal = annotations.get(f"{_ANNOTATION}internal", "").lower() == "true"
        if ServiceControllerDefect.INTERNAL_IGNORED in self._defects:
            internal = False
        pool = (self._internal if internal else self._public)[family]
        wanted = annotations.get(f"{_ANNOTATION}{family.lower()}")
        stated = service["spec"].get("loadBalancerIP")
        if not wanted and stated and family_of(stated) == family:
            wanted = stated
        candidates = (wanted,) if wanted else pool
        mine = [address for address, owner in self._taken.items() if owner == uid]
        if ServiceControllerDefect.ADDRESS_MOVES in self._defects and self._is_changed(service):
            candidates = tuple(one for one in candidates if one not in mine)
        for address in mine:
            if address in candidates:
                return address
        for address in candidates:
            if address in pool and address not in self._taken:
                return address
        text = "Error syncing load balancer: failed to ensure load balancer: "
        text += f"{wanted} is not a free address" if wanted else "no free address"
        self._events.record(service, WARNING, "SyncLoadBalancerFailed", text)
        return None

    def _is_changed(self, service: JsonObject) -> bool:
        known = self._specs.get(service["metadata"]["uid"])
        return known is not None and known != service["spec"]

    def _release(self, service: JsonObject) -> None:
        if ServiceControllerDefect.NO_CLEANUP in self._defects:
            return
        self._free(service["metadata"]["uid"])

        def clear(value: JsonObject) -> None:
            value["status"] = {"loadBalancer": {}}

        def let_go(value: JsonObject) -> None:
            finalizers = value["metadata"].get("finalizers") or []
            value["metadata"]["finalizers"] = [one for one in finalizers if one != _FINALIZER]

        if (service.get("status") or {}).get("loadBalancer"):
            self._change(service, clear, subresource="status")
        if _FINALIZER in (service["metadata"].get("finalizers") or []):
            self._change(service, let_go)

    def _free(self, uid: str) -> None:
        for address in [one for one, owner in self._taken.items() if owner == uid]:
            del self._taken[address]

    def _change(
        self, service: JsonObject, change: Callable[[JsonObject], None], *, subresource: str = ""
    ) -> None:
        metadata = service["metadata"]
        self.store.mutate(
            SERVICES,
            metadata["name"],
            metadata["namespace"],
            change=change,
            subresource=subresource,
        )


def _wants_address(service: JsonObject) -> bool:
    return (
        service["spec"]["type"] == "LoadBalancer"
        and not service["spec"].get("loadBalancerClass")
        and "deletionTimestamp" not in service["metadata"]
    )


def _hosts(cidr: str) -> tuple[str, ...]:
    return tuple(str(address) for address in ipaddress.ip_network(cidr).hosts())
