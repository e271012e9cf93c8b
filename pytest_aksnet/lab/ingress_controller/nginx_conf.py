"""A plan as nginx.conf: pure.

The longest path wins, an exact one before a prefix of the same length (Kubernetes docs, "Ingress":
Multiple matches). Prefixes match by elements, so /foo has one location for itself and one for what
is below it, as ingress-nginx writes them.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from pytest_aksnet.lab.ingress_controller.routes import EXACT, Backend, Host, Plan, Route

FOLDER = "/run/ingress"
NO_HOST = "_"
_HEAD = """user root;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
worker_shutdown_timeout 5s;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  server_tokens off;
  server_names_hash_bucket_size 512;
  client_max_body_size 1m;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  proxy_connect_timeout 5s;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  proxy_set_header X-Request-ID $request_id;
  proxy_set_header X-Real-IP $remote_addr;
  proxy_set_header X-Forwarded-For {forwarded_for};
  proxy_set_header X-Forwarded-Host $http_host;
  proxy_set_header X-Forwarded-Proto $scheme;
  default_type text/plain;
"""
_HEALTH = '  server {\n    listen 10254;\n    location /healthz { return 200 "ok\\n"; }\n  }\n'
# Where a share of the requests goes whose backend has no endpoints.
_NO_ENDPOINTS = """  upstream no_endpoints { server 127.0.0.1:10255; }
  server {
    listen 127.0.0.1:10255;
    location / { return 503 "no endpoints\\n"; }
  }
"""
_NOT_FOUND = '    location / { return 404 "default backend - 404\\n"; }\n'


def certificate_files(key: tuple[str, str]) -> tuple[str, str]:
    """The files of a Secret's certificate and key."""
    base = f"{FOLDER}/tls/{key[0]}_{key[1]}"
    return f"{base}.crt", f"{base}.key"


def nginx_conf(plan: Plan, defects: frozenset[str] = frozenset(), *, ipv6: bool = True) -> str:
    """The whole file; `defects` are what is broken on purpose."""
    forwarded = '""' if "no-forwarded-for" in defects else "$remote_addr"
    parts = [_HEAD.format(folder=FOLDER, forwarded_for=forwarded), _HEALTH, _NO_ENDPOINTS]
    hosts = [plan.hosts[name] for name in sorted(plan.hosts)]
    if "wrong-backend" in defects:
        hosts = _exchanged(hosts)
    if "hangs-without-endpoints" in defects:
        hosts = [_with_black_holes(host) for host in hosts]
    for backend in {one.name: one for one in _backends(hosts) if one.addresses}.values():
        servers = "".join(f"    server {address};\n" for address in backend.addresses)
        parts.append(f"  upstream {_upstream(backend)} {{\n{servers}  }}\n")
    for shares in dict.fromkeys(r.backends for h in hosts for r in h.routes):
        if len(shares) > 1:
            parts.append(_split(shares))
    named = [host for host in hosts if host.name]
    default = next((host for host in hosts if not host.name), Host(""))
    if "catch-all" in defects and named:
        default = replace(named[0], name="", secret=None)
    by_length = "path-order" not in defects
    wrong = "wrong-certificate" in defects
    # The first server block of an address is what no name matches.
    for host in (default, *named):
        secret = host.secret if host.secret in plan.certificates else None
        if wrong and secret is not None:
            secret = min(plan.certificates)
        parts.append(_server(host, secret, by_length=by_length, ipv6=ipv6))
    return "".join([*parts, "}\n"])


def _server(host: Host, secret: tuple[str, str] | None, *, by_length: bool, ipv6: bool) -> str:
    mark = "" if host.name else " default_server"
    certificate, key = certificate_files(secret) if secret else certificate_files(("", "default"))
    lines = [
        "  server {\n",
        f"    server_name {host.name or NO_HOST};\n",
        *(
            f"    listen {address}80{mark};\n    listen {address}443 ssl{mark};\n"
            for address in (("", "[::]:") if ipv6 else ("",))
        ),
        f"    ssl_certificate {certificate};\n    ssl_certificate_key {key};\n",
    ]
    written: set[str] = set()
    # An exact route has its location first: of the same one, only the first is written.
    ordered = sorted(host.routes, key=lambda route: route.kind != EXACT)
    for route in ordered if by_length else host.routes:
        for modifier, path in _locations(route, by_length=by_length):
            if f"{modifier}{path}" not in written:
                written.add(f"{modifier}{path}")
                lines.append(f'    location {modifier}"{path}" {{\n{_action(route)}    }}\n')
    if "/" not in written:
        lines.append(_NOT_FOUND)
    return "".join([*lines, "  }\n"])


def _locations(route: Route, *, by_length: bool) -> Iterator[tuple[str, str]]:
    if not by_length:  # regular expressions are tried in the order of the file
        yield "~ ", f"^{route.path}"
    elif route.kind == EXACT:
        yield "= ", route.path
    else:
        below = route.path.rstrip("/")
        if below:
            yield "= ", below
        yield "", f"{below}/"


def _action(route: Route) -> str:
    redirect = ""
    if route.to_https:
        redirect = "      if ($scheme = http) { return 308 https://$host$request_uri; }\n"
    usable = [one for one in route.backends if one.weight > 0]
    if len(usable) > 1:
        return f"{redirect}      proxy_pass http://$split_{_hash(route.backends)};\n"
    if not usable or not usable[0].addresses:
        return f'{redirect}      return 503 "no endpoints\\n";\n'
    return f"{redirect}      proxy_pass http://{_upstream(usable[0])};\n"


def _split(shares: tuple[Backend, ...]) -> str:
    """Which backend a request goes to: by a random number of its own."""
    total = sum(one.weight for one in shares)
    lines = []
    usable = [one for one in shares if one.weight > 0]
    for one in usable[:-1]:
        lines.append(f"    {100 * one.weight / total:.2f}% {_upstream(one)};\n")
    if usable:
        lines.append(f"    * {_upstream(usable[-1])};\n")
    name = f"$split_{_hash(shares)}"
    return f'  split_clients "$request_id" {name} {{\n{"".join(lines)}  }}\n'


def _backends(hosts: list[Host]) -> Iterator[Backend]:
    for host in hosts:
        for route in host.routes:
            yield from route.backends


def _upstream(backend: Backend) -> str:
    if not backend.addresses:
        return "no_endpoints"
    return f"up_{hashlib.sha256(backend.name.encode()).hexdigest()[:16]}"


def _hash(shares: tuple[Backend, ...]) -> str:
    text = ",".join(f"{one.name}={one.weight}" for one in shares)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _exchanged(hosts: list[Host]) -> list[Host]:
    """Each host with the backends of the next one's first route."""
    if len(hosts) < 2:
        return hosts
    others = [*hosts[1:], hosts[0]]
    return [
        replace(host, routes=[replace(r, backends=other.routes[0].backends) for r in host.routes])
        for host, other in zip(hosts, others, strict=True)
        if other.routes
    ]


def _with_black_holes(host: Host) -> Host:
    """Backends without endpoints have one that never answers (RFC 5737)."""
    routes = [
        replace(
            route,
            backends=tuple(
                one if one.addresses else replace(one, addresses=("192.0.2.1:80",))
                for one in route.backends
            ),
        )
        for route in host.routes
    ]
    return replace(host, routes=routes)
