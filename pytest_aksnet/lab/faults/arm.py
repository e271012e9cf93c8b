"""Faults of Azure Resource Manager, and of what it and a node say of accelerated networking."""

from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.faults.on_node import NicWithoutVf
from pytest_aksnet.lab.faults.rated import RatedFault
from pytest_aksnet.lab.faults.setting import PER_REQUEST, Setting

_EVERYTHING = "*"


class ArmForbidden:
    """An identity without a role."""

    name = "arm-403"
    describes = (
        "Azure Resource Manager refuses every request with 403 AuthorizationFailed, as for an "
        "identity without a role on the subscription (Azure docs: RBAC troubleshooting)."
    )
    node = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Deny every action."""
        lab.arm_trouble.denied.add(_EVERYTHING)

    async def heal(self, lab: FaultableLab) -> None:
        """Leave it to the roles."""
        lab.arm_trouble.denied.discard(_EVERYTHING)


class ArmThrottled(RatedFault):
    """A subscription that asks too much."""

    name = "arm-429"
    describes = (
        "Requests to Azure Resource Manager are answered with 429 and Retry-After (Azure docs: "
        "request-limits-and-throttling)."
    )
    setting = PER_REQUEST

    async def inject(self, lab: FaultableLab) -> None:
        """Throttle."""
        lab.arm_trouble.throttled = self.value

    async def heal(self, lab: FaultableLab) -> None:
        """Throttle no more."""
        lab.arm_trouble.throttled = 0.0


class ArmBroken(RatedFault):
    """A region in trouble."""

    name = "arm-5xx"
    describes = (
        "Requests to Azure Resource Manager fail with 503 ServerTimeout (Azure REST API reference: "
        "common error codes)."
    )
    setting = PER_REQUEST

    async def inject(self, lab: FaultableLab) -> None:
        """Let them fail."""
        lab.arm_trouble.broken = self.value

    async def heal(self, lab: FaultableLab) -> None:
        """Let them pass."""
        lab.arm_trouble.broken = 0.0


class ArmSlow(RatedFault):
    """Answers that take long."""

    name = "arm-slow"
    describes = (
        "Azure Resource Manager answers late, as it does for large subscriptions and in incidents; "
        "clients of the SDK wait for 300 s by default (azure-core: ConnectionConfiguration)."
    )
    setting = Setting(meaning="seconds added", default=2.0, highest=600)

    async def inject(self, lab: FaultableLab) -> None:
        """Delay every answer."""
        lab.arm_trouble.slow_seconds = self.value

    async def heal(self, lab: FaultableLab) -> None:
        """Delay none."""
        lab.arm_trouble.slow_seconds = 0.0


class ArmHalfBroken(RatedFault):
    """Answers that lack fields."""

    name = "arm-half-broken"
    describes = (
        "Answers of Azure Resource Manager lack every second of their properties, by chance, as "
        "those of resources that are being changed or that an older api-version describes (Azure "
        "REST API reference: properties are optional in every model)."
    )
    setting = PER_REQUEST

    async def inject(self, lab: FaultableLab) -> None:
        """Withhold fields."""
        lab.arm_trouble.fields_missing = self.value

    async def heal(self, lab: FaultableLab) -> None:
        """Withhold none."""
        lab.arm_trouble.fields_missing = 0.0


class ArmTokenExpired:
    """Tokens that are revoked."""

    name = "arm-token-expired"
    describes = (
        "Every token of Azure Resource Manager that was issued before is refused with 401 and a "
        "claims challenge, and a new one is good (Microsoft identity platform docs: continuous "
        "access evaluation, claims-challenge)."
    )
    node = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Revoke those that are out."""
        lab.arm_trouble.revoke_tokens()

    async def heal(self, lab: FaultableLab) -> None:
        """Take all for good."""
        lab.arm_trouble.forgive_tokens()


class ArmOperationFails:
    """Long-running operations that fail."""

    name = "arm-operation-fails"
    describes = (
        "Long-running operations of Azure Resource Manager begin and end as Failed, with the error "
        "in the status of the operation (Azure docs: async-operations)."
    )
    node = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Let them fail."""
        lab.arm_trouble.operations_fail = True

    async def heal(self, lab: FaultableLab) -> None:
        """Let them succeed."""
        lab.arm_trouble.operations_fail = False


class ArmUnregistered:
    """A subscription that is not registered with a provider."""

    name = "arm-provider-unregistered"
    describes = (
        "The subscription is not registered with Microsoft.Insights, so metrics are refused with "
        "409 MissingSubscriptionRegistration, and clients of the SDK try to register it, a write "
        "(Azure docs: error-register-resource-provider; azure-mgmt-core: policies)."
    )
    node = ""
    _namespace = "microsoft.insights"

    async def inject(self, lab: FaultableLab) -> None:
        """Forget the registration."""
        lab.arm_trouble.unregistered.add(self._namespace)

    async def heal(self, lab: FaultableLab) -> None:
        """Register."""
        lab.arm_trouble.unregistered.discard(self._namespace)


class AcceleratedNetworkingOff(NicWithoutVf):
    """A node whose NIC was made without accelerated networking."""

    name = "accelerated-networking-off"
    describes = (
        "ARM says enableAcceleratedNetworking false of one node's network interface, and so the "
        "node has no virtual function and is slow (Azure docs: accelerated-networking-overview)."
    )

    async def inject(self, lab: FaultableLab) -> None:
        """Turn it off in ARM, and take the VF away."""
        lab.arm_trouble.accelerated_networking_off.add(self.node)
        await super().inject(lab)

    async def heal(self, lab: FaultableLab) -> None:
        """Turn it on again. Raises FacadeError."""
        lab.arm_trouble.accelerated_networking_off.discard(self.node)
        await super().heal(lab)
