"""The labels and annotations by which everything that a run creates is known as its own."""

import datetime
from collections.abc import Mapping

from pytest_aksnet.cluster.owner import owner, process_mark
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.marks import RUN_LABEL

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "pytest-aksnet"
WORKER_LABEL = "aksnet.io/worker"
CREATED_ANNOTATION = "aksnet.io/created"
OWNER_ANNOTATION = "aksnet.io/owner"
PROCESS_ANNOTATION = "aksnet.io/process"


def marks(run_id: str, worker: str = "") -> tuple[dict[str, str], dict[str, str]]:
    """Labels and annotations: whose it is, made when (UTC), for people by whom, by which process.

    `worker` is the parallel worker of the run, empty for the run itself.
    """
    labels = {MANAGED_BY_LABEL: MANAGED_BY, RUN_LABEL: run_id}
    if worker:
        labels[WORKER_LABEL] = worker
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    annotations = {CREATED_ANNOTATION: now, OWNER_ANNOTATION: owner()}
    if mark := process_mark():
        annotations[PROCESS_ANNOTATION] = mark
    return labels, annotations


def selector(labels: Mapping[str, str]) -> str:
    """What selects objects with these labels that also carry the label of some run."""
    terms = [f"{key}={value}" for key, value in labels.items()]
    return ",".join(terms if RUN_LABEL in labels else [*terms, RUN_LABEL])


def is_ours(found: Json) -> bool:
    """Whether an object carries everything by which ours are known: labels and annotations."""
    metadata = found["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    return (
        labels.get(MANAGED_BY_LABEL) == MANAGED_BY
        and bool(labels.get(RUN_LABEL))
        and OWNER_ANNOTATION in annotations
        and CREATED_ANNOTATION in annotations
    )


def process_of(found: Json) -> str:
    """The mark of the process that made an object or holds a Lease; empty where it has none."""
    return str((found["metadata"].get("annotations") or {}).get(PROCESS_ANNOTATION, ""))


def age_s(found: Json, now: datetime.datetime) -> float | None:
    """Seconds since an object was made, by its annotation; None where that cannot be read."""
    stamp = (found["metadata"].get("annotations") or {}).get(CREATED_ANNOTATION, "")
    try:
        return (now - datetime.datetime.fromisoformat(stamp)).total_seconds()
    except (ValueError, TypeError):
        return None
