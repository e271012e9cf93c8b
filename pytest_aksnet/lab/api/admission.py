"""What happens to an object between the request and storage: defaults, validation, allocation.

Chooses the functions for a kind; the rules themselves are in `defaults`, `validation`,
`services`, `ip_families`, `service_addresses` and `pod_security`.
"""

from collections.abc import Callable

from pytest_aksnet.lab.api import (
    defaults,
    errors,
    ingress_rules,
    limit_ranges,
    services,
    validation,
    webhook_defaults,
    workload_defaults,
    workload_validation,
)
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import (
    CLUSTER_ROLE_BINDINGS,
    CRON_JOBS,
    DAEMON_SETS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    ENDPOINTS,
    EVENTS,
    GATEWAY_CLASSES,
    GATEWAYS,
    HTTP_ROUTES,
    INGRESSES,
    JOBS,
    LEASES,
    LIMIT_RANGES,
    MUTATING_WEBHOOKS,
    NAMESPACES,
    NETWORK_POLICIES,
    PODS,
    REPLICA_SETS,
    RESOURCE_QUOTAS,
    ROLE_BINDINGS,
    SECRETS,
    SERVICES,
    STATEFUL_SETS,
    VALIDATING_WEBHOOKS,
    Resource,
)
from pytest_aksnet.lab.api.service_addresses import Allocator
from pytest_aksnet.lab.spec import LabSpec

_DEFAULTS: dict[Resource, Callable[[JsonObject], None]] = {
    CLUSTER_ROLE_BINDINGS: defaults.role_binding,
    CRON_JOBS: workload_defaults.cron_job,
    DAEMON_SETS: workload_defaults.daemon_set,
    DEPLOYMENTS: workload_defaults.deployment,
    ENDPOINT_SLICES: defaults.endpoint_slice,
    ENDPOINTS: defaults.endpoints,
    EVENTS: defaults.event,
    GATEWAY_CLASSES: ingress_rules.default_gateway_class,
    GATEWAYS: ingress_rules.default_gateway,
    HTTP_ROUTES: ingress_rules.default_http_route,
    INGRESSES: ingress_rules.default_ingress,
    JOBS: workload_defaults.job,
    LIMIT_RANGES: limit_ranges.default,
    MUTATING_WEBHOOKS: webhook_defaults.mutating,
    NETWORK_POLICIES: defaults.network_policy,
    VALIDATING_WEBHOOKS: webhook_defaults.validating,
    REPLICA_SETS: workload_defaults.replica_set,
    ROLE_BINDINGS: defaults.role_binding,
    SECRETS: defaults.secret,
    SERVICES: services.default,
    STATEFUL_SETS: workload_defaults.stateful_set,
}
_ON_CREATE: dict[Resource, Callable[[JsonObject], None]] = {
    JOBS: workload_defaults.new_job,
    NAMESPACES: defaults.namespace,
    PODS: defaults.pod,
}
_WORKLOADS = (DAEMON_SETS, DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS)


class Admission:
    """The admission chain of one store, with the allocators of its cluster."""

    def __init__(self, spec: LabSpec) -> None:
        second = (spec.service_cidr6,) if spec.dual_stack else ()
        self._services = Allocator(spec.service_cidr, *second)

    def default(self, resource: Resource, value: JsonObject, old: JsonObject | None = None) -> None:
        """Write defaults into a new object, or into an update of `old`."""
        if old is None and resource in _ON_CREATE:
            _ON_CREATE[resource](value)
        if old is not None and resource is SERVICES:
            services.carry_over(value, old)
        if resource in _DEFAULTS:
            _DEFAULTS[resource](value)
        if resource in _WORKLOADS or resource in (CRON_JOBS, JOBS, RESOURCE_QUOTAS):
            value.setdefault("status", {})

    def validate(
        self, resource: Resource, value: JsonObject, old: JsonObject | None = None
    ) -> None:
        """Raise ApiError 422 with all that is wrong."""
        causes = validation.metadata(resource, value)
        if resource is PODS:
            causes += validation.pod(value, old)
        elif resource is SERVICES:
            causes += services.validate(value, old)
        elif resource is NETWORK_POLICIES:
            causes += validation.network_policy(value)
        elif resource is INGRESSES:
            causes += ingress_rules.ingress(value)
        elif resource is GATEWAYS:
            causes += ingress_rules.gateway(value)
        elif resource is HTTP_ROUTES:
            causes += ingress_rules.http_route(value)
        elif resource in _WORKLOADS:
            causes += workload_validation.workload(value, old)
        elif resource is LEASES:
            causes += validation.lease(value, old)
        elif resource is JOBS:
            causes += workload_validation.job(value, old)
        elif resource is CRON_JOBS:
            causes += workload_validation.cron_job(value)
        if causes:
            name = value["metadata"].get("name", "")
            raise errors.invalid(resource.kind, resource.group, name, causes)

    def validate_part(
        self, resource: Resource, value: JsonObject, old: JsonObject, subresource: str
    ) -> None:
        """Raise ApiError 422 where a subresource may not become so."""
        if subresource == "ephemeralcontainers":
            causes = validation.ephemeral_containers(value["spec"], old["spec"])
            if causes:
                name = value["metadata"]["name"]
                raise errors.invalid(resource.kind, resource.group, name, causes)

    def allocate(
        self, resource: Resource, value: JsonObject, old: JsonObject | None = None
    ) -> None:
        """Reserve addresses and ports. Raises ApiError 422 where a wanted one is taken."""
        if resource is SERVICES:
            self._services.allocate(value, old)

    def restrict_services(self, cidr: str) -> None:
        """Give new Services cluster IPs of this range only."""
        self._services.restrict(cidr)

    def release(self, resource: Resource, value: JsonObject) -> None:
        """Give back what an object had reserved."""
        if resource is SERVICES:
            self._services.release(value)

    def restore(self, resource: Resource, value: JsonObject, old: JsonObject) -> None:
        """Undo `allocate` of an update that is not to happen."""
        if resource is SERVICES:
            self._services.allocate(old, value)
