"""Volumes of a pod as files: what each container's mounts hold. Reads the store only.

Supported: configMap, secret, downwardAPI, projected, emptyDir, hostPath (of the lab's node: what
its programs can write is the node's own, never the machine's). Anything else raises
`MountFailure`, which the pod reports as FailedMount: a stand-in directory would be a lie.
Contents are those of the pod's start; a later change of a ConfigMap does not reach it.
"""

import dataclasses
from collections.abc import Callable, Iterator

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.controllers.kubelet.references import MissingReference, References

IssueToken = Callable[[str, str], str]
_DEFAULT_MODE = 0o644


class MountFailure(Exception):
    """A volume that cannot be set up, in the kubelet's words."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class VolumeFile:
    """One file of a volume: its path below the volume, content and mode."""

    path: str
    content: bytes
    mode: int = _DEFAULT_MODE


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A directory (or with `single_file` a file) that a container is to find at `path`.

    With `host_path` it is that path of the node, of the type `host_type`.
    """

    path: str
    files: tuple[VolumeFile, ...]
    single_file: bool = False
    host_path: str = ""
    host_type: str = ""
    read_only: bool = False


class Volumes:
    """The volumes of one pod. `issue_token` makes a token of (namespace, service account)."""

    def __init__(self, pod: JsonObject, references: References, issue_token: IssueToken) -> None:
        self._pod = pod
        self._references = references
        self._issue_token = issue_token

    def mounts(self) -> list[Mount]:
        """All mounts of all containers, each path once. Raises MountFailure."""
        spec = self._pod["spec"]
        volumes = {volume["name"]: volume for volume in spec.get("volumes") or []}
        contents = {
            name: self._content(volume)
            for name, volume in volumes.items()
            if "hostPath" not in volume
        }
        found: dict[str, Mount] = {}
        for container in [*(spec.get("initContainers") or []), *spec["containers"]]:
            for mount in container.get("volumeMounts") or []:
                path = mount["mountPath"].rstrip("/")
                if mount["name"] not in volumes:
                    raise MountFailure(f'references non-existent volume "{mount["name"]}"')
                if mount["name"] not in contents:
                    found[path] = _of_host(path, volumes[mount["name"]]["hostPath"], mount)
                    continue
                found[path] = _at(path, contents[mount["name"]], mount.get("subPath", ""))
        return list(found.values())

    def _content(self, volume: JsonObject) -> tuple[VolumeFile, ...]:
        try:
            return tuple(self._files(volume))
        except MissingReference as missing:
            raise MountFailure(
                f'MountVolume.SetUp failed for volume "{volume["name"]}" : {missing}'
            ) from missing

    def _files(self, volume: JsonObject) -> Iterator[VolumeFile]:
        if "emptyDir" in volume:
            return
        if "projected" in volume:
            mode = volume["projected"].get("defaultMode", _DEFAULT_MODE)
            for source in volume["projected"].get("sources") or []:
                yield from self._projected(source, mode)
            return
        for kind, name_field in (("configMap", "name"), ("secret", "secretName")):
            if kind in volume:
                source = volume[kind]
                mode = source.get("defaultMode", _DEFAULT_MODE)
                yield from self._object(kind, source, source.get(name_field, ""), mode)
                return
        if "downwardAPI" in volume:
            source = volume["downwardAPI"]
            yield from self._downward(source, source.get("defaultMode", _DEFAULT_MODE))
            return
        kinds = ", ".join(sorted(key for key in volume if key != "name"))
        raise MountFailure(
            f'MountVolume.SetUp failed for volume "{volume["name"]}" : the lab has no {kinds} '
            "volumes; use emptyDir, hostPath, configMap, secret, downwardAPI or projected"
        )

    def _projected(self, source: JsonObject, mode: int) -> Iterator[VolumeFile]:
        if "serviceAccountToken" in source:
            account = self._pod["spec"].get("serviceAccountName", "default")
            token = self._issue_token(self._references.namespace, account)
            path = source["serviceAccountToken"]["path"]
            yield VolumeFile(path=path, content=token.encode(), mode=mode)
        for kind in ("configMap", "secret"):
            if kind in source:
                yield from self._object(kind, source[kind], source[kind]["name"], mode)
        if "downwardAPI" in source:
            yield from self._downward(source["downwardAPI"], mode)

    def _object(self, kind: str, source: JsonObject, name: str, mode: int) -> Iterator[VolumeFile]:
        read = self._references.config_map if kind == "configMap" else self._references.secret
        optional = bool(source.get("optional"))
        content = read(name, optional=optional)
        items = source.get("items") or [{"key": key, "path": key} for key in content]
        for item in items:
            if item["key"] in content:
                data = content[item["key"]]
                yield VolumeFile(path=item["path"], content=data, mode=item.get("mode", mode))
            elif not optional:
                raise MissingReference(f"references non-existent config key: {item['key']}")

    def _downward(self, source: JsonObject, mode: int) -> Iterator[VolumeFile]:
        containers = {item["name"]: item for item in self._pod["spec"]["containers"]}
        for item in source.get("items") or []:
            if "fieldRef" in item:
                text = self._references.field(item["fieldRef"]["fieldPath"])
            else:
                reference = item["resourceFieldRef"]
                container = containers.get(reference.get("containerName", ""), {})
                text = self._references.resource(reference, container)
            yield VolumeFile(path=item["path"], content=text.encode(), mode=item.get("mode", mode))


def _of_host(path: str, source: JsonObject, mount: JsonObject) -> Mount:
    below = mount.get("subPath", "").strip("/")
    whole = source["path"].rstrip("/")
    return Mount(
        path=path,
        files=(),
        host_path=f"{whole}/{below}" if below else whole or "/",
        host_type="" if below else source.get("type") or "",
        read_only=bool(mount.get("readOnly")),
    )


def _at(path: str, files: tuple[VolumeFile, ...], sub_path: str) -> Mount:
    if not sub_path:
        return Mount(path=path, files=files)
    for file in files:
        if file.path == sub_path:
            return Mount(path=path, files=(file,), single_file=True)
    prefix = sub_path.rstrip("/") + "/"
    below = tuple(
        dataclasses.replace(file, path=file.path.removeprefix(prefix))
        for file in files
        if file.path.startswith(prefix)
    )
    return Mount(path=path, files=below)
