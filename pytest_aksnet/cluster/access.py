"""The way to one API server: address, TLS, proxy, and as whom, from a kubeconfig or from a pod.

Writes no file: certificates and keys that a kubeconfig carries inside stay in anonymous memory, so
that a killed run leaves none behind.
"""

import base64
import binascii
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import urllib3
from kubernetes.client import Configuration
from kubernetes.config import ConfigException, load_kube_config_from_dict

from pytest_aksnet.cluster.credentials import (
    Credentials,
    ExecPlugin,
    FixedHeader,
    FromHook,
    TokenFile,
    basic_auth,
)
from pytest_aksnet.cluster.experience import Experience
from pytest_aksnet.cluster.kubeconfig import (
    CONTEXT_OPTION,
    DEFAULT_FILE,
    FILE_OPTION,
    Entry,
    Merged,
    context_name,
    locate,
    merge,
)
from pytest_aksnet.cluster.tls import ResumingContext, client_context
from pytest_aksnet.model.errors import SettingsError

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_POOL_SIZE = 32  # connections kept open: as many as threads that watch, exec and create at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to reach one API server, and as whom.

    `tls` is None for http. `origin` says in words where this was read. `context` is empty in a
    pod. `kubectl` are the options that make kubectl reach the same cluster. `experience` grows
    with use.
    """

    server: str
    context: str
    origin: str
    configuration: Configuration
    credentials: Credentials
    tls: ResumingContext | None
    kubectl: tuple[str, ...] = ()
    experience: Experience = field(default_factory=Experience)


def load_access(
    kubeconfig: str | None, context: str | None, environment: Mapping[str, str] | None = None
) -> Access:
    """The way to the cluster. Raises SettingsError in one line that names option and remedy."""
    environment = os.environ if environment is None else environment
    paths, origin = locate(kubeconfig, environment)
    if not paths:
        return _in_cluster(context, environment)
    merged = merge(paths, origin)
    name = context_name(merged, context)
    kubectl = (*(("--kubeconfig", kubeconfig) if kubeconfig else ()),)
    kubectl += ("--context", context) if context else ()
    return _access(merged, name, kubectl)


def _in_cluster(context: str | None, environment: Mapping[str, str]) -> Access:
    host = environment.get("KUBERNETES_SERVICE_HOST", "")
    port = environment.get("KUBERNETES_SERVICE_PORT", "443")
    token = _SERVICE_ACCOUNT / "token"
    if not host or not token.exists():
        raise SettingsError(
            f"there is no cluster: neither KUBECONFIG nor {DEFAULT_FILE} names one; "
            f"give {FILE_OPTION} FILE for a cluster, or --aksnet-lab for the embedded lab"
        )
    if context:
        raise SettingsError(
            f"{CONTEXT_OPTION}={context}: there is no kubeconfig to have contexts; leave the "
            f"option out to use the pod's service account, or give {FILE_OPTION} FILE"
        )
    server = f"https://{f'[{host}]' if ':' in host else host}:{port}"
    configuration = _configuration(server)
    configuration.ssl_ca_cert = str(_SERVICE_ACCOUNT / "ca.crt")
    return Access(
        server=server,
        context="",
        origin="the pod's service account",
        configuration=configuration,
        credentials=TokenFile(token),
        tls=_tls(configuration, "the pod's service account"),
    )


def _access(merged: Merged, context: str, kubectl: tuple[str, ...]) -> Access:
    where = f"{merged.origin}, context {context!r}"
    chosen = merged.contexts[context].body
    cluster_name, user_name = str(chosen.get("cluster") or ""), str(chosen.get("user") or "")
    if cluster_name not in merged.clusters:
        raise SettingsError(f"{where}: its cluster {cluster_name!r} is not in the kubeconfig")
    if user_name and user_name not in merged.users:
        raise SettingsError(f"{where}: its user {user_name!r} is not in the kubeconfig")
    cluster = merged.clusters[cluster_name]
    user = merged.users.get(user_name, Entry({}, cluster.base))
    server = str(cluster.body.get("server") or "").rstrip("/")
    if urlsplit(server).scheme not in ("http", "https") or not urlsplit(server).hostname:
        raise SettingsError(f"{where}: the server {server!r} is no http or https address")
    configuration = _configuration(server)
    configuration.verify_ssl = not cluster.body.get("insecure-skip-tls-verify", False)
    configuration.tls_server_name = cluster.body.get("tls-server-name") or None
    if cluster.body.get("proxy-url"):
        configuration.proxy = str(cluster.body["proxy-url"])
    proxy = urlsplit(configuration.proxy or "")
    if proxy.username:
        pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        configuration.proxy_headers = urllib3.make_headers(proxy_basic_auth=pair)
    authority = _material(cluster, "certificate-authority", where)
    if isinstance(authority, bytes):
        configuration.ca_cert_data = authority.decode("utf-8", errors="replace")
    elif authority is not None:
        configuration.ssl_ca_cert = str(authority)
    for attribute, key in (("cert_file", "client-certificate"), ("key_file", "client-key")):
        setattr(configuration, attribute, _as_file(_material(user, key, where)))
    credentials = _credentials(user_name, user, cluster, where)
    if isinstance(credentials, ExecPlugin):
        given = credentials.credential()
        if given.certificate and given.key:
            configuration.cert_file = _as_file(given.certificate.encode())
            configuration.key_file = _as_file(given.key.encode())
    return Access(
        server=server,
        context=context,
        origin=where,
        configuration=configuration,
        credentials=credentials,
        tls=_tls(configuration, where) if server.startswith("https") else None,
        kubectl=kubectl,
    )


def _configuration(server: str) -> Configuration:
    configuration = Configuration(host=server, connection_pool_maxsize=_POOL_SIZE)
    configuration.retries = False  # retries are the caller's, counted and bounded
    configuration.keep_alive = True
    return configuration


def _material(entry: Entry, key: str, where: str) -> bytes | Path | None:
    """What the entry says inline (bytes) or by path; data wins, as in kubectl."""
    data = entry.body.get(f"{key}-data")
    if data:
        try:
            return base64.b64decode(str(data), validate=True)
        except (binascii.Error, ValueError) as error:
            raise SettingsError(f"{where}: {key}-data is no base64") from error
    named = entry.body.get(key)
    if not named:
        return None
    path = entry.base / Path(str(named)).expanduser()
    if not path.is_file():
        raise SettingsError(f"{where}: {key}: there is no file {path}")
    return path


def _as_file(material: bytes | Path | None) -> str | None:
    """A path that the ssl module can read. Anonymous memory lives as long as this process."""
    if not isinstance(material, bytes):
        return str(material) if material is not None else None
    descriptor = os.memfd_create("aksnet-credential", os.MFD_CLOEXEC)
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(material)
    return f"/proc/self/fd/{descriptor}"


def _tls(configuration: Configuration, where: str) -> ResumingContext:
    """The context of our own WebSockets; building it here finds broken material early."""
    try:
        context = client_context(configuration.ssl_ca_cert, configuration.ca_cert_data)
        if not configuration.verify_ssl:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if configuration.cert_file:
            context.load_cert_chain(configuration.cert_file, configuration.key_file)
    except (ssl.SSLError, OSError) as error:
        raise SettingsError(
            f"{where}: its certificates cannot be used ({error}); write the kubeconfig again "
            "(az aks get-credentials)"
        ) from error
    return context


def _credentials(name: str, user: Entry, cluster: Entry, where: str) -> Credentials:
    """The order is that of client-go: token, token file, password, plugin, provider."""
    body = user.body
    if body.get("token"):
        return FixedHeader(f"Bearer {body['token']}")
    if body.get("tokenFile"):
        return TokenFile(user.base / str(body["tokenFile"]))
    if body.get("username") and body.get("password"):
        return basic_auth(str(body["username"]), str(body["password"]))
    plugin = body.get("exec")
    if isinstance(plugin, dict):
        return _plugin(name, plugin, user.base, cluster, where)
    if isinstance(body.get("auth-provider"), dict):
        return _provider(name, body, cluster, where)
    return FixedHeader("")


def _plugin(
    name: str, spec: Mapping[str, object], base: Path, cluster: Entry, where: str
) -> ExecPlugin:
    command, api_version = spec.get("command"), spec.get("apiVersion")
    if not command or not api_version:
        raise SettingsError(f"{where}: the exec entry of user {name!r} lacks command or apiVersion")
    if spec.get("interactiveMode") == "Always":
        raise SettingsError(
            f"{where}: the credential plugin {command!r} insists on a terminal "
            "(interactiveMode: Always); choose a login that needs none, "
            "such as kubelogin convert-kubeconfig -l azurecli"
        )
    program = str(command)
    if "/" in program:  # a relative path starts at the kubeconfig; a bare name is looked up in PATH
        program = str(base / program)
    arguments = spec.get("args") or []
    variables = spec.get("env") or []
    if not isinstance(arguments, list) or not isinstance(variables, list):
        raise SettingsError(f"{where}: args and env of user {name!r} must be lists")
    info = dict(cluster.body) if spec.get("provideClusterInfo") else None
    return ExecPlugin(
        user=name,
        argv=[program, *map(str, arguments)],
        environment={str(entry["name"]): str(entry["value"]) for entry in variables},
        api_version=str(api_version),
        cluster_info=info,
        install_hint=" ".join(str(spec.get("installHint") or "").split()),
    )


def _provider(name: str, user: Mapping[str, object], cluster: Entry, where: str) -> Credentials:
    """The auth-provider entries that the kubernetes client still knows (oidc, gcp)."""
    document = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": name}}],
        "clusters": [{"name": "k", "cluster": {"server": cluster.body.get("server")}}],
        "users": [{"name": name, "user": dict(user)}],
    }
    configuration = Configuration()
    try:
        load_kube_config_from_dict(
            document, client_configuration=configuration, persist_config=False
        )
    except (ConfigException, KeyError, ValueError) as error:
        raise SettingsError(f"{where}: the auth-provider of user {name!r}: {error}") from error
    return FromHook(lambda: configuration.get_api_key_with_prefix("BearerToken"))
