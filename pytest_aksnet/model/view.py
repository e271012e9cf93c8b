"""What the engine may ask about the cluster while it judges or diagnoses.

A Protocol only: `cluster` implements it; `check` and `assertions` read it. Every answer may be
empty where the cluster does not tell; an unreachable API server raises EnvironmentProblem.
"""

from dataclasses import dataclass
from typing import Protocol

from pytest_aksnet.model.peers import NodeRef, PodRef, ServiceRef


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEndpoint:
    """One ready endpoint of a Service. `port` is the target port; `pod` its name, if it is one."""

    ip: str
    port: int
    node: str = ""
    pod: str = ""


class ClusterView(Protocol):
    """The few objects of the cluster that a judgement or a diagnosis needs, read when asked."""

    def nodes(self) -> tuple[NodeRef, ...]:
        """Every node of the cluster, also those that take no part."""
        ...

    def coredns_ips(self) -> tuple[str, ...]:
        """The pod addresses of the ready replicas of the cluster's DNS."""
        ...

    def ended(self, pod: PodRef) -> str:
        """Why this very pod does not run any more, as a clause; empty while it does."""
        ...

    def endpoints(self, service: ServiceRef) -> tuple[ServiceEndpoint, ...]:
        """The ready endpoints of a Service."""
        ...
