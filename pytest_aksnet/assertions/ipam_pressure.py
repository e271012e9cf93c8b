"""Events that tell of a lack of addresses, told apart by whether their pod still waits.

Events stay for an hour. What they tell of a pod that has gone or runs by now is over. Sources of
the texts: azure-container-networking (azure-vnet, azure-cns), host-local, kube-scheduler,
node-ipam-controller, the AKS resource provider.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_aksnet.model.api import ApiReader, Json

_ADDRESSES = re.compile(
    r"no (free |available |more )?(ip|address)|not enough ips|"
    r"(ip|ips|address|addresses)( is| are)? (not available|exhausted|insufficient)|"
    r"fail(ed|ure)? to (allocate|assign|get|request|reserve).{0,40}(\bips?\b|address)|"
    r"insufficient.{0,20}(\bips?\b|address)|InsufficientSubnetSize|SubnetIsFull|"
    r"range is full|no IP addresses available in range",
    re.IGNORECASE,
)
_NO_PLACE = re.compile(r"Too many pods")
_OF_PODS = ("FailedCreatePodSandBox", "FailedScheduling")
_OF_NODES = "CIDRNotAvailable"
_LONGEST = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressure:
    """Sentences: what lasts, and what is over."""

    lasting: tuple[str, ...]
    over: tuple[str, ...]


def pressure_of(api: ApiReader) -> Pressure:
    """What events say now. Raises EnvironmentProblem."""
    waiting = {
        str(pod["metadata"].get("uid", "")): pod for pod in api.items("/api/v1/pods") if _waits(pod)
    }
    without_range = {
        str(node["metadata"]["name"])
        for node in api.items("/api/v1/nodes")
        if not (node.get("spec") or {}).get("podCIDR")
    }
    lasting: dict[str, None] = {}
    over: dict[str, None] = {}
    for event in api.items("/api/v1/events"):
        if not _tells(event):
            continue
        about = event.get("involvedObject") or {}
        still = (
            about.get("name") in without_range
            if event.get("reason") == _OF_NODES
            else about.get("uid") in waiting
        )
        (lasting if still else over)[_sentence(event, about)] = None
    return Pressure(lasting=tuple(lasting), over=tuple(over))


def _tells(event: Json) -> bool:
    reason, message = event.get("reason"), str(event.get("message") or "")
    if reason == _OF_NODES:
        return True
    return reason in _OF_PODS and bool(_ADDRESSES.search(message) or _NO_PLACE.search(message))


def _waits(pod: Json) -> bool:
    """Whether it has no place, or no sandbox and so no address."""
    status = pod.get("status") or {}
    return status.get("phase") == "Pending" and not status.get("podIP")


def _sentence(event: Json, about: Mapping[str, object]) -> str:
    name = "/".join(str(part) for part in (about.get("namespace"), about.get("name")) if part)
    return f"{name}: {event.get('reason')}: {str(event.get('message') or '')[:_LONGEST]}"
