"""Finds and reads kubeconfigs as kubectl does: a file, the KUBECONFIG list, or ~/.kube/config.

Owns the format of the file and the words of its errors. No message repeats a line of the file,
because a line may hold a token. Never writes a kubeconfig.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from pytest_aksnet.model.errors import SettingsError

FILE_OPTION = "--aksnet-kubeconfig"
CONTEXT_OPTION = "--aksnet-context"
DEFAULT_FILE = "~/.kube/config"


@dataclass(slots=True)
class Entry:
    """One named entry and the directory that its relative paths start from."""

    body: Mapping[str, object]
    base: Path


@dataclass(slots=True)
class Merged:
    """Several kubeconfigs as one; as in kubectl, the first file that names something wins."""

    origin: str
    current: str = ""
    clusters: dict[str, Entry] = field(default_factory=dict)
    users: dict[str, Entry] = field(default_factory=dict)
    contexts: dict[str, Entry] = field(default_factory=dict)


def locate(kubeconfig: str | None, environment: Mapping[str, str]) -> tuple[list[Path], str]:
    """The files to read, and in words where they were named; no files where there are none.

    Raises SettingsError where something names files and none of them exists.
    """
    if kubeconfig:
        path = Path(kubeconfig).expanduser()
        if not path.exists():
            raise SettingsError(
                f"{FILE_OPTION}={kubeconfig}: no such file; give the path of a kubeconfig "
                "(az aks get-credentials --file PATH writes one), or use --aksnet-lab"
            )
        return [path], f"{FILE_OPTION}={kubeconfig}"
    listed = environment.get("KUBECONFIG", "")
    if listed:
        paths = [Path(part).expanduser() for part in listed.split(os.pathsep) if part]
        existing = [path for path in paths if path.exists()]
        if not existing:
            raise SettingsError(
                f"KUBECONFIG={listed}: no such file; set it to a kubeconfig, "
                f"give {FILE_OPTION} FILE, or use --aksnet-lab"
            )
        return existing, f"KUBECONFIG={listed}"
    default = Path(DEFAULT_FILE).expanduser()
    return ([default], str(default)) if default.exists() else ([], "")


def merge(paths: list[Path], origin: str) -> Merged:
    """The files as one kubeconfig. Raises SettingsError for what is no kubeconfig."""
    merged = Merged(origin)
    for path in paths:
        document = _read(path, origin)
        merged.current = merged.current or str(document.get("current-context") or "")
        for kind, key, into in (
            ("clusters", "cluster", merged.clusters),
            ("users", "user", merged.users),
            ("contexts", "context", merged.contexts),
        ):
            for entry in _list(document.get(kind), path, kind):
                body = entry.get(key) or {}
                if not isinstance(body, dict) or "name" not in entry:
                    raise SettingsError(
                        f"{origin}: {path}: an entry of {kind!r} lacks its name or its {key!r}; "
                        "write the kubeconfig again (az aks get-credentials)"
                    )
                into.setdefault(str(entry["name"]), Entry(body, path.absolute().parent))
    return merged


def _read(path: Path, origin: str) -> Mapping[str, object]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"{origin}: {path} cannot be read ({error.strerror}); give a readable kubeconfig"
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{origin}: {path} is no text file; give a kubeconfig") from error
    except yaml.YAMLError as error:
        # Only the place: the library's own text quotes the line, and a line may hold a token.
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark is not None else ""
        raise SettingsError(
            f"{origin}: {path} is not YAML{where}; give a kubeconfig "
            "(az aks get-credentials --file PATH writes one)"
        ) from error
    if not isinstance(document, dict):
        raise SettingsError(
            f"{origin}: {path} is {'empty' if document is None else 'no kubeconfig'}; give a "
            "kubeconfig (az aks get-credentials --file PATH writes one)"
        )
    return document


def _list(value: object, path: Path, kind: str) -> list[dict[str, object]]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise SettingsError(f"{path}: {kind!r} is no list of entries; give a kubeconfig")
    return value


def context_name(merged: Merged, context: str | None) -> str:
    """The context to use. Raises SettingsError that lists the known ones."""
    known = ", ".join(sorted(merged.contexts)) or "none"
    if context and context not in merged.contexts:
        raise SettingsError(
            f"{CONTEXT_OPTION}={context}: {merged.origin} has no such context; known are: {known}"
        )
    name = context or merged.current
    if not name:
        raise SettingsError(
            f"{merged.origin} names no current context; choose one with {CONTEXT_OPTION}: {known}"
        )
    if name not in merged.contexts:
        raise SettingsError(
            f"{merged.origin}: the current context {name!r} does not exist; choose one with "
            f"{CONTEXT_OPTION}: {known}"
        )
    return name
