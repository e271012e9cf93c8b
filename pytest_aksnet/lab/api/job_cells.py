"""Cells of Jobs and ControllerRevisions in Table answers, as the API server's printers."""

import datetime

from pytest_aksnet.lab.api.cells import human_duration
from pytest_aksnet.lab.api.objects import JsonObject


def controller(value: JsonObject) -> object:
    """What a ControllerRevision is of: daemonset.apps/NAME."""
    for owner in value["metadata"].get("ownerReferences") or []:
        if owner.get("controller"):
            group = owner["apiVersion"].rpartition("/")[0]
            return f"{owner['kind'].lower()}.{group}/{owner['name']}"
    return "<none>"


def status(value: JsonObject) -> object:
    """Complete, Failed, Suspended, Terminating or Running."""
    holding = {
        item["type"]
        for item in (value.get("status") or {}).get("conditions") or []
        if item["status"] == "True"
    }
    for kind in ("Complete", "Failed"):
        if kind in holding:
            return kind
    if "deletionTimestamp" in value["metadata"]:
        return "Terminating"
    for kind in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if kind in holding:
            return kind
    return "Running"


def completions(value: JsonObject) -> object:
    """How many of the wanted pods have succeeded."""
    done = (value.get("status") or {}).get("succeeded", 0)
    wanted = value["spec"].get("completions")
    if wanted is not None:
        return f"{done}/{wanted}"
    parallelism = value["spec"].get("parallelism", 0)
    return f"{done}/1 of {parallelism}" if parallelism > 1 else f"{done}/1"


def duration(value: JsonObject) -> object:
    """From its start to its end, or to now."""
    found = value.get("status") or {}
    if not found.get("startTime"):
        return ""
    begun = datetime.datetime.fromisoformat(found["startTime"])
    now = datetime.datetime.now(datetime.UTC)
    ended = found.get("completionTime")
    end = datetime.datetime.fromisoformat(ended) if ended else now
    return human_duration((end - begun).total_seconds())
