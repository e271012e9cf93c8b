"""Keeps nginx at what the cluster's objects say: python3 -m pytest_aksnet.lab.ingress_controller.

POD_NAMESPACE names the namespace of the controller's Service and ConfigMap, both called nginx.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from pytest_aksnet.lab.ingress_controller import status
from pytest_aksnet.lab.ingress_controller.kube import Api, Kept, Object, say
from pytest_aksnet.lab.ingress_controller.nginx_conf import (
    FOLDER,
    certificate_files,
    nginx_conf,
)
from pytest_aksnet.lab.ingress_controller.routes import Plan
from pytest_aksnet.lab.ingress_controller.translate import Cluster, plan_of

_NAME = "nginx"
_NETWORKING = "/apis/networking.k8s.io/v1"
_GATEWAY = "/apis/gateway.networking.k8s.io/v1"
_PATHS = {
    "ingresses": f"{_NETWORKING}/ingresses",
    "services": "/api/v1/services",
    "slices": "/apis/discovery.k8s.io/v1/endpointslices",
    "secrets": "/api/v1/secrets",
    "classes": f"{_GATEWAY}/gatewayclasses",
    "gateways": f"{_GATEWAY}/gateways",
    "http_routes": f"{_GATEWAY}/httproutes",
}
_CONF = f"{FOLDER}/nginx.conf"
_DEFECTS_KEY = "aksnet-lab-defects"
# Changes that come together are one reload.
_GATHER_S = 0.05
# How often it is seen whether nginx still runs.
_LOOK_S = 2.0


class Controller:
    """Watches, writes nginx.conf, has nginx read it, writes statuses."""

    def __init__(self) -> None:
        self._changed = threading.Event()
        self._api = Api()
        self._place = os.environ["POD_NAMESPACE"]
        config = f"/api/v1/namespaces/{self._place}/configmaps"
        kept = {name: Kept(self._api, path, self._changed.set) for name, path in _PATHS.items()}
        self._kept = {**kept, "configs": Kept(self._api, config, self._changed.set)}
        self._nginx: subprocess.Popen[bytes] | None = None
        self._written: tuple[str, Plan] | None = None
        self._frozen: list[Object] = []
        self._first: dict[str, Object] = {}

    def run(self) -> None:
        """Go on until nginx ends or SIGTERM comes."""
        for kept in self._kept.values():
            kept.listed.wait()
        while self._nginx is None or self._nginx.poll() is None:
            if not self._changed.wait(_LOOK_S):
                continue
            time.sleep(_GATHER_S)
            self._changed.clear()
            cluster = self._cluster()
            self._serve(cluster)
            if "no-status" not in cluster.defects:
                self._report(cluster)
        sys.exit(f"nginx ended with {self._nginx.returncode}")

    def _cluster(self) -> Cluster:
        kept = self._kept
        config = kept["configs"].objects.get((self._place, _NAME)) or {}
        defects = frozenset((config.get("data") or {}).get(_DEFECTS_KEY, "").split())
        slices = kept["slices"].values()
        if "stale-endpoints" in defects:
            slices = self._frozen
        else:
            self._frozen = slices
        ingresses = kept["ingresses"].values()
        if "change-ignored" in defects:
            ingresses = [self._first.setdefault(one["metadata"]["uid"], one) for one in ingresses]
        return Cluster(
            ingresses=ingresses,
            gateways=kept["gateways"].values(),
            http_routes=kept["http_routes"].values(),
            services=kept["services"].objects,
            slices=slices,
            secrets=kept["secrets"].objects,
            defects=defects,
        )

    def _serve(self, cluster: Cluster) -> None:
        plan = plan_of(cluster)
        text = nginx_conf(plan, cluster.defects, ipv6=Path("/proc/net/if_inet6").exists())
        if self._written == (text, plan):
            return
        for key, (certificate, private) in plan.certificates.items():
            files = certificate_files(key)
            Path(files[0]).write_bytes(certificate)
            Path(files[1]).write_bytes(private)
        Path(_CONF).write_text(text)
        tested = subprocess.run(
            ["nginx", "-t", "-q", "-c", _CONF], capture_output=True, text=True, check=False
        )
        if tested.returncode:
            say(f"nginx does not take it: {tested.stderr}")
            return
        if self._nginx is None:
            self._nginx = subprocess.Popen(["nginx", "-c", _CONF, "-g", "daemon off;"])
        else:
            self._nginx.send_signal(signal.SIGHUP)
        self._written = (text, plan)
        say(f"serves {len(plan.hosts)} hosts")

    def _report(self, cluster: Cluster) -> None:
        own = cluster.services.get((self._place, _NAME))
        for path, change in status.patches(
            cluster, self._kept["classes"].values(), status.frontend(own)
        ):
            try:
                self._api.patch(path, change)
            except OSError as error:  # it is gone, or changed: seen again with the next change
                say(f"status: {error}")


def make_default_certificate() -> None:
    """What is shown for hosts without a certificate of their own, as ingress-nginx has one."""
    Path(FOLDER, "tls").mkdir(parents=True, exist_ok=True)
    certificate, key = certificate_files(("", "default"))
    name = "/O=Acme Co/CN=Kubernetes Ingress Controller Fake Certificate"
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    files = ("-keyout", key, "-out", certificate)
    names = ("-subj", name, "-addext", "subjectAltName=DNS:ingress.local")
    argv = ["openssl", "req", "-x509", *curve, "-days", "365", *names, *files]
    subprocess.run(argv, check=True, capture_output=True)


if __name__ == "__main__":
    make_default_certificate()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    Controller().run()
