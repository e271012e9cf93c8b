"""The control plane of the mesh: python3 -m pytest_aksnet.lab.mesh.istiod.

Serves what `translate` makes of the cluster's objects over plain HTTP, as istiod does with xDS: a
sidecar names the version that it has, and is answered when there is another. POD_NAMESPACE names
the mesh's own namespace, REVISION its revision.
"""

import http.server
import json
import os
import signal
import sys
import threading
import time
from urllib.parse import parse_qs, urlsplit

from pytest_aksnet.lab.ingress_controller.kube import Api, Kept, say
from pytest_aksnet.lab.mesh.translate import Cluster, config_of

_PORT = 15010
_NETWORKING = "/apis/networking.istio.io/v1"
_PATHS = {
    "services": "/api/v1/services",
    "pods": "/api/v1/pods",
    "slices": "/apis/discovery.k8s.io/v1/endpointslices",
    "authentications": "/apis/security.istio.io/v1/peerauthentications",
    "virtual_services": f"{_NETWORKING}/virtualservices",
    "destination_rules": f"{_NETWORKING}/destinationrules",
}
_DEFECTS_KEY = "aksnet-lab-defects"
# Changes that come together are one version.
_GATHER_S = 0.02
_ASKED_FOR_S = 15.0


class Told:
    """The newest configuration, and those who wait for it."""

    def __init__(self) -> None:
        self._turn = threading.Condition()
        self._text = ""
        self._version = ""

    def put(self, config: dict[str, object]) -> None:
        """Have it told, where it is another one."""
        text = json.dumps(config, sort_keys=True)
        with self._turn:
            if text != self._text:
                self._text, self._version = text, str(time.monotonic_ns())
                self._turn.notify_all()

    def newer(self, version: str) -> bytes:
        """The newest, once it is another than this version or time is up."""
        with self._turn:
            self._turn.wait_for(lambda: self._version not in ("", version), _ASKED_FOR_S)
            whole = {**json.loads(self._text or "{}"), "version": self._version}
        return json.dumps(whole).encode()


def serve(told: Told) -> None:
    """Answer sidecars, in threads."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Health, or the configuration."""
            asked = urlsplit(self.path)
            body = b""
            if asked.path == "/config":
                body = told.newer(parse_qs(asked.query).get("version", [""])[0])
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: sidecars ask all the time."""

    server = http.server.ThreadingHTTPServer(("", _PORT), Answer)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main() -> None:
    """Follow the cluster until SIGTERM."""
    changed, told, api = threading.Event(), Told(), Api()
    place = os.environ["POD_NAMESPACE"]
    kept = {name: Kept(api, path, changed.set) for name, path in _PATHS.items()}
    settings = Kept(api, f"/api/v1/namespaces/{place}/configmaps", changed.set)
    for one in (*kept.values(), settings):
        one.listed.wait()
    serve(told)
    say("istiod serves")
    while True:
        changed.wait()
        time.sleep(_GATHER_S)
        changed.clear()
        mesh = settings.objects.get((place, f"istio-{os.environ['REVISION']}")) or {}
        defects = frozenset((mesh.get("data") or {}).get(_DEFECTS_KEY, "").split())
        found = {name: one.values() for name, one in kept.items()}
        told.put(config_of(Cluster(**found, root=place, defects=defects)))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    main()
