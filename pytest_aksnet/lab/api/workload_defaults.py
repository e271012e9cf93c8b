"""The defaults that the API server writes into workloads: sets of pods, Jobs, CronJobs.

One function per kind; each edits the object in place. Source: Kubernetes API reference.
"""

from pytest_aksnet.lab.api.defaults import pod_spec
from pytest_aksnet.lab.api.objects import JsonObject

_ROLLING_MAX = "25%"


def deployment(value: JsonObject) -> None:
    """A Deployment."""
    spec = value.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    strategy = spec.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", _ROLLING_MAX)
        rolling.setdefault("maxSurge", _ROLLING_MAX)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    _template(spec)


def replica_set(value: JsonObject) -> None:
    """A ReplicaSet."""
    spec = value.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    _zero_status(value, "replicas")
    _template(spec)


def daemon_set(value: JsonObject) -> None:
    """A DaemonSet."""
    spec = value.setdefault("spec", {})
    strategy = spec.setdefault("updateStrategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)
    spec.setdefault("revisionHistoryLimit", 10)
    _zero_status(
        value,
        "currentNumberScheduled",
        "desiredNumberScheduled",
        "numberMisscheduled",
        "numberReady",
    )
    _template(spec)


def stateful_set(value: JsonObject) -> None:
    """A StatefulSet."""
    spec = value.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    spec.setdefault("podManagementPolicy", "OrderedReady")
    strategy = spec.setdefault("updateStrategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        strategy.setdefault("rollingUpdate", {}).setdefault("partition", 0)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault(
        "persistentVolumeClaimRetentionPolicy", {"whenDeleted": "Retain", "whenScaled": "Retain"}
    )
    _zero_status(value, "availableReplicas", "replicas")
    _template(spec)


def job(value: JsonObject) -> None:
    """A Job."""
    _job_spec(value.setdefault("spec", {}))


def _job_spec(spec: JsonObject) -> None:
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("manualSelector", False)
    spec.setdefault("suspend", False)
    spec.setdefault("podReplacementPolicy", "TerminatingOrFailed")
    _template(spec)


def new_job(value: JsonObject) -> None:
    """A Job that is about to be created: its selector and labels follow from its uid."""
    spec = value.setdefault("spec", {})
    if spec.get("manualSelector"):
        return
    metadata = value["metadata"]
    uid, name = metadata["uid"], metadata.get("name", "")
    own = {"batch.kubernetes.io/controller-uid": uid}
    spec.setdefault("selector", {"matchLabels": own})
    template = spec.setdefault("template", {})
    labels = template.setdefault("metadata", {}).setdefault("labels", {})
    labels |= {
        **own,
        "batch.kubernetes.io/job-name": name,
        "controller-uid": uid,
        "job-name": name,
    }


def cron_job(value: JsonObject) -> None:
    """A CronJob."""
    spec = value.setdefault("spec", {})
    spec.setdefault("concurrencyPolicy", "Allow")
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)
    template = (spec.get("jobTemplate") or {}).get("spec") or {}
    _template(template)


def _zero_status(value: JsonObject, *fields: str) -> None:
    """Counts that the API always shows, also before a controller has counted."""
    status = value.setdefault("status", {})
    for field in fields:
        status.setdefault(field, 0)


def _template(spec: JsonObject) -> None:
    template = spec.get("template")
    if isinstance(template, dict):
        template.setdefault("metadata", {})
        pod_spec(template.setdefault("spec", {}), template)
