"""Load balancers and their parts, as tests of expectations about Azure make them."""

from collections.abc import Sequence

from pytest_aksnet.model.azure_balancers import (
    BackendPool,
    Balancer,
    BalancerRule,
    Frontend,
    OutboundRule,
)
from pytest_aksnet.model.balanced import BackendNode, BalancedService

GROUP = "/subscriptions/s/resourcegroups/mc/providers"
BALANCER = f"{GROUP}/microsoft.network/loadbalancers/kubernetes"
INTERNAL = f"{BALANCER}-internal"
SCALE_SET = f"{GROUP}/microsoft.compute/virtualmachinescalesets/user"
UID = "0f1e2d3c-4b5a-4968-8776-655443322110"


def node(number: int, spared: str = "") -> BackendNode:
    """A machine of a scale set."""
    return BackendNode(
        name=f"n{number}",
        machine=f"{SCALE_SET}/virtualmachines/{number}",
        addresses=(f"10.0.0.{number}",),
        spared=spared,
    )


def pool(
    name: str = "kubernetes", numbers: Sequence[int] = (1, 2), *, balancer: str = BALANCER
) -> BackendPool:
    """A backend pool with machines of the scale set."""
    return BackendPool(
        id=f"{balancer}/backendaddresspools/{name}",
        configurations=tuple(
            f"{SCALE_SET}/virtualmachines/{one}/networkinterfaces/nic/ipconfigurations/ipconfig1"
            for one in numbers
        ),
        addresses=(),
        is_known=True,
    )


def service(key: str = "shop/web", *, local: bool = False, **more: object) -> BalancedService:
    """A Service with port 80 at 10.0.9.1, whose pods are on n1."""
    fields: dict[str, object] = {
        "key": key,
        "uid": UID,
        "addresses": ("10.0.9.1",),
        "ports": (("tcp", 80),),
        "local": local,
        "annotations": {},
        "ready_on": frozenset({"n1"}),
        **more,
    }
    return BalancedService(**fields)  # type: ignore[arg-type]


def frontend(ip: str = "10.0.9.1", public: str = "", *, name: str = "") -> Frontend:
    """A frontend that was made for the Service."""
    return Frontend(
        id=f"{INTERNAL}/frontendipconfigurations/{name or service().prefix}",
        ip=ip,
        public_address=public,
        public_prefix="",
    )


def rule(**more: object) -> BalancerRule:
    """The rule of the Service's port 80."""
    fields: dict[str, object] = {
        "id": f"{INTERNAL}/loadbalancingrules/{service().prefix}-tcp-80",
        "frontend": frontend().id,
        "pools": (pool(balancer=INTERNAL).id,),
        "probe": f"{INTERNAL}/probes/{service().prefix}-tcp-80",
        "protocol": "tcp",
        "port": 80,
        "idle_minutes": 4,
        "tcp_reset": True,
        **more,
    }
    return BalancerRule(**fields)  # type: ignore[arg-type]


def outbound_rule(ports: int | None = 0) -> OutboundRule:
    """The outbound rule, over the pool for it and with one frontend."""
    return OutboundRule(
        id=f"{BALANCER}/outboundrules/aksoutboundrule",
        protocol="all",
        ports=ports,
        frontends=(f"{BALANCER}/frontendipconfigurations/out",),
        pool=f"{BALANCER}/backendaddresspools/aksoutboundbackendpool",
    )


def internal(**more: object) -> Balancer:
    """The internal load balancer with the Service's frontend, rule and pool."""
    fields: dict[str, object] = {
        "id": INTERNAL,
        "sku": "standard",
        "frontends": (frontend(),),
        "pools": (pool(balancer=INTERNAL),),
        "probes": (),
        "rules": (rule(),),
        "outbound_rules": (),
        **more,
    }
    return Balancer(**fields)  # type: ignore[arg-type]


def public(**more: object) -> Balancer:
    """The public load balancer with the outbound rule alone."""
    out = Frontend(
        id=f"{BALANCER}/frontendipconfigurations/out",
        ip="",
        public_address=f"{GROUP}/microsoft.network/publicipaddresses/out",
        public_prefix="",
    )
    fields: dict[str, object] = {
        "id": BALANCER,
        "frontends": (out,),
        "pools": (pool("aksoutboundbackendpool"),),
        "rules": (),
        "outbound_rules": (outbound_rule(),),
        **more,
    }
    return internal(**fields)
