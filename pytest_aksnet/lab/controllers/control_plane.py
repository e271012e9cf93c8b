"""The control loops that the lab runs as a cluster's control plane does, and what can be broken.

Order matters for the time to ready: `loops` are what a first pod needs, `late_loops` the rest.
"""

from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers.disruption import DisruptionController
from pytest_aksnet.lab.controllers.endpoints import EndpointsController
from pytest_aksnet.lab.controllers.garbage import GarbageCollector
from pytest_aksnet.lab.controllers.ingress_operator import IngressOperator
from pytest_aksnet.lab.controllers.load_balancers import LoadBalancerController
from pytest_aksnet.lab.controllers.loop import ControlLoop
from pytest_aksnet.lab.controllers.mesh_operator import MeshOperator
from pytest_aksnet.lab.controllers.namespaces import NamespaceController
from pytest_aksnet.lab.controllers.node_lifecycle import NodeLifecycle
from pytest_aksnet.lab.controllers.resource_quotas import ResourceQuotaController
from pytest_aksnet.lab.controllers.scheduler import Scheduler
from pytest_aksnet.lab.controllers.taint_eviction import TaintEviction
from pytest_aksnet.lab.controllers.workloads.cron_jobs import CronJobController
from pytest_aksnet.lab.controllers.workloads.daemon_sets import DaemonSetController
from pytest_aksnet.lab.controllers.workloads.deployments import DeploymentController
from pytest_aksnet.lab.controllers.workloads.jobs import JobController
from pytest_aksnet.lab.controllers.workloads.replica_sets import ReplicaSetController
from pytest_aksnet.lab.controllers.workloads.stateful_sets import StatefulSetController
from pytest_aksnet.lab.spec import LabSpec


class ControlPlane:
    """Scheduler and controllers over a store. `ca_pem` is the cluster's CA."""

    def __init__(self, store: Store, spec: LabSpec, ca_pem: str) -> None:
        self.scheduler = Scheduler(store)
        self.ingress = IngressOperator(store)
        self.mesh = MeshOperator(store) if spec.options.mesh == "istio" else None
        self.endpoints = EndpointsController(store, spec)
        self.load_balancers = LoadBalancerController(store, spec)
        self.loops: tuple[ControlLoop, ...] = (
            NamespaceController(store, ca_pem),
            self.scheduler,
            self.endpoints,
            self.load_balancers,
            DeploymentController(store),
            ReplicaSetController(store),
            StatefulSetController(store),
            DisruptionController(store),
            ResourceQuotaController(store),
            GarbageCollector(store),
            # Whoever looks for a mesh finds it from the start.
            *([self.mesh] if self.mesh is not None else []),
        )
        self.late_loops: tuple[ControlLoop, ...] = (
            DaemonSetController(store),
            JobController(store),
            CronJobController(store),
            NodeLifecycle(store),
            TaintEviction(store),
            *([self.ingress] if spec.options.ingress == "nginx" else []),
        )
