"""What connecting says: one line for each way in which it can fail; and REST's bounded retries."""

import contextlib
import datetime
import ipaddress
import socket
import socketserver
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pytest_aksnet.cluster.connect import Cluster, connect
from pytest_aksnet.cluster.exec import StreamExecutor
from pytest_aksnet.cluster.rest import ATTEMPTS
from pytest_aksnet.model.errors import (
    AksnetError,
    ApiRefused,
    ApiUnreachable,
    EnvironmentProblem,
    SettingsError,
)
from pytest_aksnet.model.execution import Completed
from pytest_aksnet.model.peers import PodRef
from tests.unit.cluster.scripted_api import ExecPeer, Json, Request, ScriptedApi, status

WriteKubeconfig = Callable[..., str]
PODS = "/api/v1/namespaces/ns/pods"


def message(error: pytest.ExceptionInfo[AksnetError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


def test_a_cluster_that_answers_is_connected(cluster: Cluster, api: ScriptedApi) -> None:
    assert (cluster.version, cluster.server, cluster.context) == ("v1.34.2", api.url, "prod")
    assert {r.headers["Authorization"] for r in api.requests} == {"Bearer s3cret"}
    assert {r.method for r in api.requests} == {"GET"}


def test_nothing_listens(write_kubeconfig: WriteKubeconfig) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(EnvironmentProblem) as error:
        connect(write_kubeconfig(f"http://127.0.0.1:{port}"), None)
    assert f"http://127.0.0.1:{port}" in message(error)
    assert "Connection refused" in message(error)
    assert "context 'prod'" in message(error)


def test_a_name_that_does_not_resolve(write_kubeconfig: WriteKubeconfig) -> None:
    with pytest.raises(EnvironmentProblem) as error:
        connect(write_kubeconfig("http://api.invalid"), None)
    assert "does not answer" in message(error)


def test_a_server_that_accepts_and_is_silent(
    write_kubeconfig: WriteKubeconfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_aksnet.cluster.connect._FIRST_READ_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(EnvironmentProblem) as error:
            connect(write_kubeconfig(url), None)
    assert "no answer within" in message(error)
    assert time.monotonic() - started < 5


def test_something_else_than_an_api_server(
    api: ScriptedApi, write_kubeconfig: WriteKubeconfig
) -> None:
    api.answer("GET", "/version", (404, {"error": "no"}))
    with pytest.raises(EnvironmentProblem) as error:
        connect(write_kubeconfig(api.url), None)
    assert "404" in message(error)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (status(401, "Unauthorized", "Unauthorized"), "does not know this user"),
        (
            status(403, "Forbidden", 'nodes is forbidden: User "x" cannot list resource "nodes"'),
            "does not let this user read nodes",
        ),
    ],
)
def test_a_user_who_may_not(
    api: ScriptedApi, write_kubeconfig: WriteKubeconfig, answer: tuple[int, Json], words: str
) -> None:
    api.answer("GET", "/api/v1/nodes", answer)
    with pytest.raises(EnvironmentProblem) as error:
        connect(write_kubeconfig(api.url), None)
    assert words in message(error)
    assert "--aksnet-context" in message(error)
    assert "s3cret" not in message(error)


class Certificates:
    """A CA, and a server certificate for 127.0.0.1 that it signed."""

    def __init__(self, folder: Path) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test-ca")])
        self.ca = self._sign(self.name, self.key, is_ca=True)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
        certificate = self._sign(subject, key, is_ca=False)
        self.pem = self.ca.public_bytes(serialization.Encoding.PEM)
        chain = folder / "server.pem"
        chain.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(chain)

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, is_ca: bool
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([address]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .sign(self.key, hashes.SHA256())
        )


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


@pytest.fixture
def tls_api(certificates: Certificates) -> Iterator[ScriptedApi]:
    server = ScriptedApi(certificates.context)
    server.answer("GET", "/version", (200, {"gitVersion": "v1.34.2"}))
    server.answer("GET", "/api/v1/nodes", (200, {"items": []}))
    yield server
    server.stop()


def succeeds(peer: ExecPeer) -> None:
    peer.accept()
    peer.finish(0, stdout=b"over tls")


def test_rest_and_exec_trust_the_authority_of_the_kubeconfig(
    tls_api: ScriptedApi, certificates: Certificates, write_kubeconfig: WriteKubeconfig
) -> None:
    data = b64encode(certificates.pem).decode()
    kubeconfig = write_kubeconfig(tls_api.url, **{"certificate-authority-data": data})
    tls_api.execs = [succeeds]
    cluster = connect(kubeconfig, None)
    pod = PodRef(namespace="ns", name="p", container="c", node="n", ip="")
    done = StreamExecutor(cluster).run(pod, ["true"], timeout_s=10)
    cluster.close()
    assert isinstance(done, Completed)
    assert done.stdout == "over tls"


class ConnectProxy(socketserver.ThreadingTCPServer):
    """An HTTP proxy that knows only CONNECT and keeps the header lines that it saw."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ConnectHandler)
        self.url = f"http://me:pw@127.0.0.1:{self.server_address[1]}"
        self.seen: list[list[str]] = []


class ConnectHandler(socketserver.StreamRequestHandler):
    """One tunnel."""

    def handle(self) -> None:
        lines: list[str] = []
        while line := self.rfile.readline().strip().decode():
            lines.append(line)
        assert isinstance(self.server, ConnectProxy)
        self.server.seen.append(lines)
        host, port = lines[0].split()[1].split(":")
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        with socket.create_connection((host, int(port))) as target:
            back = threading.Thread(target=_pump, args=(target, self.connection), daemon=True)
            back.start()
            _pump(self.connection, target)
            back.join(5)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def test_rest_and_exec_go_through_the_proxy_of_the_kubeconfig(
    tls_api: ScriptedApi, certificates: Certificates, write_kubeconfig: WriteKubeconfig
) -> None:
    data = b64encode(certificates.pem).decode()
    tls_api.execs = [succeeds]
    with ConnectProxy() as proxy:
        serving = threading.Thread(target=proxy.serve_forever, args=(0.02,))
        serving.start()
        kubeconfig = write_kubeconfig(
            tls_api.url, **{"certificate-authority-data": data, "proxy-url": proxy.url}
        )
        cluster = connect(kubeconfig, None)
        rest_tunnels = len(proxy.seen)
        pod = PodRef(namespace="ns", name="p", container="c", node="n", ip="")
        done = StreamExecutor(cluster).run(pod, ["true"], timeout_s=10)
        cluster.close()
        proxy.shutdown()
        serving.join()
    assert isinstance(done, Completed)
    assert rest_tunnels >= 1
    assert len(proxy.seen) == rest_tunnels + 1
    basic = f"proxy-authorization: basic {b64encode(b'me:pw').decode()}".lower()
    assert all(basic in map(str.lower, lines) for lines in proxy.seen)


def test_a_certificate_that_is_not_trusted_is_told_apart(
    tls_api: ScriptedApi, write_kubeconfig: WriteKubeconfig
) -> None:
    with pytest.raises(EnvironmentProblem) as error:
        connect(write_kubeconfig(tls_api.url), None)
    assert "a certificate that the kubeconfig does not trust" in message(error)
    assert "az aks get-credentials" in message(error)


def test_a_kubeconfig_may_waive_trust(
    tls_api: ScriptedApi, write_kubeconfig: WriteKubeconfig
) -> None:
    kubeconfig = write_kubeconfig(tls_api.url, **{"insecure-skip-tls-verify": True})
    connect(kubeconfig, None).close()


def test_an_unknown_context_is_a_setting_before_any_request(
    api: ScriptedApi, write_kubeconfig: WriteKubeconfig
) -> None:
    with pytest.raises(SettingsError):
        connect(write_kubeconfig(api.url), "nope")
    assert not api.requests


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_server_in_trouble_is_asked_again(api: ScriptedApi, cluster: Cluster, code: int) -> None:
    api.answer("GET", PODS, status(code, "x", "later"), (200, {"items": [{"a": 1}]}))
    assert cluster.rest.get(PODS) == {"items": [{"a": 1}]}


def test_throttling_is_waited_out(api: ScriptedApi, cluster: Cluster) -> None:
    code, body = status(429, "TooManyRequests", "later")
    api.answer("GET", PODS, (code, body, {"Retry-After": "1"}), (200, {}))
    started = time.monotonic()
    cluster.rest.get(PODS)
    assert time.monotonic() - started >= 1.0


def test_a_refusal_is_not_asked_again(api: ScriptedApi, cluster: Cluster) -> None:
    api.answer("GET", PODS, status(403, "Forbidden", "no"))
    with pytest.raises(ApiRefused) as error:
        cluster.rest.get(PODS)
    assert (error.value.status, error.value.reason) == (403, "Forbidden")
    assert len(api.sent("GET", PODS)) == 1


def test_a_lost_server_is_asked_a_bounded_number_of_times(
    api: ScriptedApi, cluster: Cluster
) -> None:
    api.routes["GET", PODS] = lambda request: None
    with pytest.raises(ApiUnreachable):
        cluster.rest.get(PODS)
    assert len(api.sent("GET", PODS)) == ATTEMPTS


def test_a_create_whose_answer_was_lost_finds_its_own_object(
    api: ScriptedApi, cluster: Cluster
) -> None:
    made: list[Request] = []

    def post(request: Request) -> tuple[int, Json] | None:
        made.append(request)
        return None if len(made) == 1 else status(409, "AlreadyExists", "taken")

    api.routes["POST", PODS] = post
    api.answer("GET", f"{PODS}/a", (200, {"metadata": {"name": "a", "uid": "u"}}))
    created = cluster.rest.create(PODS, {"metadata": {"name": "a"}})
    assert created["metadata"]["uid"] == "u"
    assert {r.query["fieldValidation"] for r in made} == {"Strict"}


def test_a_name_that_was_taken_before_is_refused(api: ScriptedApi, cluster: Cluster) -> None:
    api.answer("POST", PODS, status(409, "AlreadyExists", "taken"))
    with pytest.raises(ApiRefused):
        cluster.rest.create(PODS, {"metadata": {"name": "a"}})


def test_lists_are_read_page_by_page(api: ScriptedApi, cluster: Cluster) -> None:
    def route(request: Request) -> tuple[int, Json]:
        if "continue" in request.query:
            return 200, {"metadata": {}, "items": [{"n": 2}]}
        return 200, {"metadata": {"continue": "more"}, "items": [{"n": 1}]}

    api.routes["GET", PODS] = route
    assert cluster.rest.items(PODS, {"labelSelector": "a=b"}) == [{"n": 1}, {"n": 2}]
    assert {r.query["labelSelector"] for r in api.sent("GET", PODS)} == {"a=b"}


def test_what_is_gone_already_is_no_error_to_delete(api: ScriptedApi, cluster: Cluster) -> None:
    assert cluster.rest.delete(f"{PODS}/a") is False
    api.answer("DELETE", f"{PODS}/b", status(409, "Conflict", "the UID does not match"))
    assert cluster.rest.delete(f"{PODS}/b", uid="u") is False
    api.answer("DELETE", f"{PODS}/c", (200, {}))
    assert cluster.rest.delete(f"{PODS}/c", uid="u", grace_s=0) is True
    assert api.sent("DELETE", f"{PODS}/c")[0].body == {
        "propagationPolicy": "Background",
        "preconditions": {"uid": "u"},
        "gracePeriodSeconds": 0,
    }


def test_an_expired_token_is_renewed_once(
    api: ScriptedApi, write_kubeconfig: WriteKubeconfig, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("old", encoding="ascii")
    cluster = connect(write_kubeconfig(api.url, user={"tokenFile": "token"}), None)
    (tmp_path / "token").write_text("new", encoding="ascii")

    def route(request: Request) -> tuple[int, Json]:
        if request.headers["Authorization"] == "Bearer old":
            return status(401, "Unauthorized", "Unauthorized")
        return 200, {"kind": "PodList"}

    api.routes["GET", PODS] = route
    assert cluster.rest.get(PODS)["kind"] == "PodList"
    cluster.close()


def test_repeated_requests_are_counted_by_cause(api: ScriptedApi, cluster: Cluster) -> None:
    code, body = status(429, "TooManyRequests", "later")
    api.answer("GET", PODS, (code, body, {"Retry-After": "0"}), status(503, "x", "y"), (200, {}))
    cluster.rest.get(PODS)
    lost = [True]
    api.routes["GET", PODS] = lambda request: None if lost and lost.pop() else (200, {})
    cluster.rest.get(PODS)
    assert cluster.rest.retries.counts() == {"http 429": 1, "http 503": 1, "not reached": 1}


def test_a_server_that_asks_for_more_time_than_there_is_is_not_asked_again(
    api: ScriptedApi, cluster: Cluster
) -> None:
    code, body = status(429, "TooManyRequests", "later")
    api.answer("GET", PODS, (code, body, {"Retry-After": "60"}))
    with pytest.raises(ApiRefused) as error:
        cluster.rest.get(PODS)
    assert error.value.retry_after_s == 60
    assert len(api.sent("GET", PODS)) == 1


def test_a_list_whose_next_page_has_expired_is_read_as_one(
    api: ScriptedApi, cluster: Cluster
) -> None:
    def route(request: Request) -> tuple[int, Json]:
        if "continue" in request.query:
            return status(410, "Expired", "the provided continue parameter is too old")
        if "limit" in request.query:
            return 200, {"metadata": {"continue": "more"}, "items": [{"n": 1}]}
        return 200, {"metadata": {}, "items": [{"n": 1}, {"n": 2}]}

    api.routes["GET", PODS] = route
    assert cluster.rest.items(PODS) == [{"n": 1}, {"n": 2}]


def test_a_watch_gives_events_and_ends(api: ScriptedApi, cluster: Cluster) -> None:
    api.watches[PODS] = lambda request: iter(
        [{"type": "ADDED", "object": {"n": 1}}, {"type": "MODIFIED", "object": {"n": 2}}]
    )
    events = list(cluster.rest.watch(PODS, {"resourceVersion": "7"}, timeout_s=5))
    assert events == [("ADDED", {"n": 1}), ("MODIFIED", {"n": 2})]
    [request] = api.sent("GET", PODS)
    assert request.query == {"resourceVersion": "7", "watch": "1", "timeoutSeconds": "5"}


def test_a_silent_watch_ends_by_itself(api: ScriptedApi, cluster: Cluster) -> None:
    def silent(request: Request) -> Iterator[Json]:
        yield {"type": "ADDED", "object": {}}
        time.sleep(1)

    api.watches[PODS] = silent
    assert len(list(cluster.rest.watch(PODS, {}, timeout_s=0.2))) == 1


def test_a_refused_watch_just_ends(api: ScriptedApi, cluster: Cluster) -> None:
    assert list(cluster.rest.watch("/no/such", {}, timeout_s=1)) == []
