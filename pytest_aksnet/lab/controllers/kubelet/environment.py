"""Environment and command of a container: sources, service links, $(VAR) expansion.

Source: Kubernetes docs, "Define Environment Variables for a Container", "Service: environment
variables"; expansion as in the API reference of Container.command.
"""

import re
from collections.abc import Iterable, Mapping

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.controllers.kubelet.images import Program
from pytest_aksnet.lab.controllers.kubelet.references import MissingReference, References

_REFERENCE = re.compile(r"\$(?:(\$)|\(([^)]*)\))")


def expand(text: str, environment: Mapping[str, str]) -> str:
    """Replace $(NAME) where NAME is known; $$ is a dollar sign that starts nothing."""

    def replacement(found: re.Match[str]) -> str:
        if found[1]:
            return "$"
        return environment.get(found[2], found[0])

    return _REFERENCE.sub(replacement, text)


def variables(
    container: JsonObject,
    references: References,
    services: Iterable[JsonObject],
    *,
    hostname: str,
    path: str,
) -> dict[str, str]:
    """The environment of a container; `services` are those it gets links to.

    `path` is what its image has for PATH.

    Raises MissingReference.
    """
    result = {"PATH": path, "HOSTNAME": hostname, "HOME": "/root"}
    for service in services:
        result |= service_links(service)
    for source in container.get("envFrom") or []:
        result |= _from_source(source, references)
    for item in container.get("env") or []:
        value = _value(item, references, container)
        if value is None:
            continue
        result[item["name"]] = expand(value, result) if "valueFrom" not in item else value
    if container.get("tty"):
        result.setdefault("TERM", "xterm")
    return result


def command(container: JsonObject, image: Program, env: Mapping[str, str]) -> list[str]:
    """The argv of the container's main process, from its spec and what its image runs."""
    if image.only_this:
        return [*image.entrypoint]
    given = container.get("command") or []
    arguments = container.get("args") or []
    own = [*image.entrypoint, *(arguments or image.command)]
    argv = [*given, *arguments] if given else own
    return [expand(str(part), env) for part in argv]


def service_links(service: JsonObject) -> dict[str, str]:
    """The Docker-links-like variables of a Service with a cluster IP."""
    spec = service["spec"]
    ip = spec.get("clusterIP")
    ports = spec.get("ports") or []
    if not ip or ip == "None" or not ports:
        return {}
    prefix = service["metadata"]["name"].upper().replace("-", "_")
    result = {f"{prefix}_SERVICE_HOST": ip, f"{prefix}_SERVICE_PORT": str(ports[0]["port"])}
    for port in ports:
        if port.get("name"):
            name = port["name"].upper().replace("-", "_")
            result[f"{prefix}_SERVICE_PORT_{name}"] = str(port["port"])
    for index, port in enumerate(ports):
        protocol = port.get("protocol", "TCP")
        host = f"[{ip}]" if ":" in ip else ip
        url = f"{protocol.lower()}://{host}:{port['port']}"
        if index == 0:
            result[f"{prefix}_PORT"] = url
        stem = f"{prefix}_PORT_{port['port']}_{protocol}"
        result[stem] = url
        result[f"{stem}_PROTO"] = protocol.lower()
        result[f"{stem}_PORT"] = str(port["port"])
        result[f"{stem}_ADDR"] = ip
    return result


def _from_source(source: JsonObject, references: References) -> dict[str, str]:
    prefix = source.get("prefix", "")
    content: dict[str, bytes] = {}
    for kind, read in (
        ("configMapRef", references.config_map),
        ("secretRef", references.secret),
    ):
        if kind in source:
            reference = source[kind]
            content = read(reference["name"], optional=bool(reference.get("optional")))
    return {f"{prefix}{key}": text.decode("utf-8", "replace") for key, text in content.items()}


def _value(item: JsonObject, references: References, container: JsonObject) -> str | None:
    source = item.get("valueFrom")
    if source is None:
        return str(item.get("value", ""))
    if "fieldRef" in source:
        return references.field(source["fieldRef"]["fieldPath"])
    if "resourceFieldRef" in source:
        return references.resource(source["resourceFieldRef"], container)
    for kind, label, read in (
        ("configMapKeyRef", "ConfigMap", references.config_map),
        ("secretKeyRef", "Secret", references.secret),
    ):
        if kind in source:
            reference = source[kind]
            optional = bool(reference.get("optional"))
            content = read(reference["name"], optional=optional)
            if reference["key"] in content:
                return content[reference["key"]].decode("utf-8", "replace")
            if optional:
                return None
            raise MissingReference(
                f"couldn't find key {reference['key']} in {label} "
                f"{references.namespace}/{reference['name']}"
            )
    return None
