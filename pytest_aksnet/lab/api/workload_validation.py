"""What the API server refuses with 422 of workloads: sets of pods, Jobs, CronJobs.

Each function returns causes and changes nothing.
"""

from pytest_aksnet.lab.api import names, schedule
from pytest_aksnet.lab.api.errors import Cause, invalid_value, required
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.selectors import matches_label_selector
from pytest_aksnet.lab.api.validation import RESTART_POLICIES, pod_spec


def workload(value: JsonObject, old: JsonObject | None) -> list[Cause]:
    """A Deployment, ReplicaSet, DaemonSet or StatefulSet."""
    spec = value["spec"]
    selector = spec.get("selector")
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    causes = []
    if not selector:
        causes.append(required("spec.selector"))
    else:
        causes += names.check_selector("spec.selector", selector)
        if not causes and not matches_label_selector(selector, labels):
            shown = "{" + ",".join(f'"{key}":"{item}"' for key, item in labels.items()) + "}"
            text = "`selector` does not match template `labels`"
            causes.append(invalid_value("spec.template.metadata.labels", shown, text))
    if "spec" in template:
        causes += pod_spec("spec.template.spec", template["spec"])
    else:
        causes.append(required("spec.template.spec.containers"))
    if old is not None and selector != old["spec"].get("selector"):
        causes.append(invalid_value("spec.selector", "{}", "field is immutable"))
    return causes


def job(value: JsonObject, old: JsonObject | None) -> list[Cause]:
    """A Job: what a workload must be, and how its pods may restart."""
    causes = workload(value, old)
    spec = value["spec"]
    for field in ("parallelism", "completions", "backoffLimit"):
        if spec.get(field) is not None and spec[field] < 0:
            text = "must be greater than or equal to 0"
            causes.append(invalid_value(f"spec.{field}", str(spec[field]), text))
    if old is None:
        causes += _restarts("spec.template.spec", spec)
    elif spec.get("template") != old["spec"].get("template"):
        causes.append(invalid_value("spec.template", "{}", "field is immutable"))
    return causes


def cron_job(value: JsonObject) -> list[Cause]:
    """A CronJob: its schedule, and the template of its Jobs."""
    spec = value["spec"]
    causes = []
    if not spec.get("schedule"):
        causes.append(required("spec.schedule"))
    elif (wrong := schedule.problem(spec["schedule"])) is not None:
        causes.append(invalid_value("spec.schedule", f'"{spec["schedule"]}"', wrong))
    template = (spec.get("jobTemplate") or {}).get("spec") or {}
    place = "spec.jobTemplate.spec.template.spec"
    pod_template = (template.get("template") or {}).get("spec") or {}
    if "containers" not in pod_template:
        return [*causes, required(f"{place}.containers")]
    return causes + pod_spec(place, pod_template) + _restarts(place, template)


def _restarts(place: str, spec: JsonObject) -> list[Cause]:
    """A pod of a Job may not be restarted for ever."""
    policy = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy")
    allowed = ("OnFailure", "Never")
    if policy in allowed or policy not in RESTART_POLICIES:
        return []
    if policy == "Always":
        return [required(f"{place}.restartPolicy", 'valid values: "OnFailure", "Never"')]
    return []
