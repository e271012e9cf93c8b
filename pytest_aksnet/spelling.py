"""How images, taints and names of objects are spelled; wrong ones are one usage error.

Loaded only where such an option is given, or by what speaks of images.
"""

import re
from collections.abc import Mapping

import pytest

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
# KEY[=VALUE][:EFFECT] with key and value of a label, as kubectl taint takes it.
_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_TAINT = re.compile(
    rf"(?P<key>(?:[a-z0-9](?:[-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_NAME})"
    rf"(?P<equals>=(?P<value>(?:{_NAME})?))?(?::(?P<effect>[A-Za-z]+))?"
)
# The grammar of github.com/distribution/reference.
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9.]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?"
_IMAGE = re.compile(
    rf"(?P<name>(?:{_HOST}/)?{_PART}(?:/{_PART})*)(?P<tag>:\w[-\w.]{{0,127}})?"
    r"(?P<digest>@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9A-Fa-f]{32,})?",
    re.ASCII,
)
_NAMESPACE = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_CHOICE = re.compile(rf"(?:[a-z0-9](?:[-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_NAME}=(?:{_NAME})?")
_KINDS = ("pod", "deployment")
_OBJECT_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")


def checked_image(value: str) -> str:
    """The image reference itself. Raises pytest.UsageError where it is none."""
    if not _IMAGE.fullmatch(value):
        raise pytest.UsageError(
            f"--aksnet-image={value!r}: no image reference; write it as "
            "[REGISTRY[:PORT]/]PATH[:TAG][@DIGEST], such as registry.example.com/netshoot:v0.13"
        )
    return value


def pins_nothing(image: str) -> str:
    """What is wrong with an image that names no version; empty where it names one."""
    found = _IMAGE.fullmatch(image)
    if found is None or found["digest"] or found["tag"] not in (None, ":latest"):
        return ""
    return (
        f"{image} names no version: a node that has it keeps the one that it has "
        "(imagePullPolicy IfNotPresent), another one pulls the newest; name a tag"
    )


def canonical_image(image: str) -> str:
    """The name under which a kubelet lists it: with registry, and with a tag or digest.

    Source: familiar names in github.com/distribution/reference (docker.io/library/busybox).
    """
    found = _IMAGE.fullmatch(image)
    if found is None:
        return image
    name, tag, digest = found["name"], found["tag"] or "", found["digest"] or ""
    first, slash, _ = name.partition("/")
    if not slash:
        name = f"docker.io/library/{name}"
    elif not ("." in first or ":" in first or first == "localhost"):
        name = f"docker.io/{name}"
    # With a digest the tag says nothing.
    return f"{name}{digest or tag or ':latest'}"


def checked_secret_name(value: str) -> str:
    """The name itself. Raises pytest.UsageError where no Secret can have it."""
    if not _OBJECT_NAME.fullmatch(value):
        raise pytest.UsageError(
            f"--aksnet-image-pull-secret={value!r}: no name of a Secret; use lower-case letters, "
            "digits, '-' and '.'"
        )
    return value


def checked_namespace(value: str) -> str:
    """The name itself. Raises pytest.UsageError where no namespace can have it."""
    if not _NAMESPACE.fullmatch(value):
        raise pytest.UsageError(
            f"--aksnet-lease-namespace={value!r}: no name of a namespace; use at most 63 "
            "lower-case letters, digits and '-'"
        )
    return value


def toleration(taint: str) -> Mapping[str, str]:
    """The toleration of the API for KEY[=VALUE][:EFFECT]. Raises pytest.UsageError.

    Without a value every value is tolerated, without an effect every effect.
    """
    found = _TAINT.fullmatch(taint)
    if found is None or found["effect"] not in (None, *_EFFECTS):
        raise pytest.UsageError(
            f"--aksnet-tolerate={taint!r}: no taint; write it as KEY[=VALUE][:EFFECT], such as "
            f"sku=gpu:NoSchedule; EFFECT is one of {', '.join(_EFFECTS)}"
        )
    given = {"key": found["key"], "operator": "Equal" if found["equals"] else "Exists"}
    if found["value"]:
        given["value"] = found["value"]
    if found["effect"]:
        given["effect"] = found["effect"]
    return given


def checked_pod_choice(value: str) -> str:
    """NAMESPACE/POD, NAMESPACE/deployment/NAME or NAMESPACE/KEY=VALUE itself.

    Raises pytest.UsageError where it is none of them.
    """
    namespace, _, rest = value.partition("/")
    kind, slash, name = rest.rpartition("/")
    good = bool(_NAMESPACE.fullmatch(namespace)) and (
        bool(_LABEL_CHOICE.fullmatch(rest))
        if "=" in rest
        else bool(_OBJECT_NAME.fullmatch(name)) and (kind in _KINDS or not slash)
    )
    if not good:
        raise pytest.UsageError(
            f"--aksnet-policy-pods={value}: names no pod; write NAMESPACE/POD, "
            "NAMESPACE/deployment/NAME or NAMESPACE/KEY=VALUE, such as shop/app=web"
        )
    return value
