"""CronJobs: a Job at every minute of their schedule.

Source: Kubernetes docs, "CronJob"; k8s.io/kubernetes pkg/controller/cronjob (names, events). Times
are UTC; other values of timeZone are taken from the machine's time zone data.
"""

import datetime
import zoneinfo

from pytest_aksnet.lab.api import schedule
from pytest_aksnet.lab.api.errors import ApiError
from pytest_aksnet.lab.api.objects import JsonObject, clone
from pytest_aksnet.lab.api.resources import CRON_JOBS, JOBS
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers.events import NORMAL, WARNING
from pytest_aksnet.lab.controllers.workloads import pods
from pytest_aksnet.lab.controllers.workloads.jobs import finished
from pytest_aksnet.lab.controllers.workloads.loop import WorkloadLoop

_SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"


class CronJobController(WorkloadLoop):
    """Creates Jobs when they are due, and forgets old ones."""

    kind = CRON_JOBS
    watched = (CRON_JOBS, JOBS)

    def __init__(self, store: Store) -> None:
        super().__init__(store, "cronjob-controller")

    def reconcile(self, value: JsonObject) -> None:
        """Create what is due now, and come back when the next one is."""
        metadata = value["metadata"]
        jobs = [
            item.value
            for item in self.store.controlled(JOBS, metadata["uid"], metadata["namespace"])
        ]
        status = dict(value.get("status") or {})
        spec = value["spec"]
        if not spec.get("suspend"):
            self._run_due(value, status, jobs)
        self._report(value, status)
        for ended, field in (("Complete", "successful"), ("Failed", "failed")):
            self._forget(jobs, ended, spec[f"{field}JobsHistoryLimit"])

    def _run_due(self, value: JsonObject, status: JsonObject, jobs: list[JsonObject]) -> None:
        spec = value["spec"]
        zone: datetime.tzinfo = datetime.UTC
        if spec.get("timeZone"):
            try:
                zone = zoneinfo.ZoneInfo(spec["timeZone"])
            except (zoneinfo.ZoneInfoNotFoundError, ValueError):
                text = f"invalid timeZone: {spec['timeZone']!r}"
                self.events.record(value, WARNING, "UnknownTimeZone", text)
                return
        plan = schedule.parse(spec["schedule"])
        now = datetime.datetime.now(zone)
        last = status.get("lastScheduleTime") or value["metadata"]["creationTimestamp"]
        due = plan.next_after(datetime.datetime.fromisoformat(last).astimezone(zone))
        latest = None
        while due is not None and due <= now:
            latest, due = due, plan.next_after(due)
        if due is not None:
            self.look_again(value, CRON_JOBS, (due - now).total_seconds())
        if latest is None:
            return
        patience = spec.get("startingDeadlineSeconds")
        if patience is not None and (now - latest).total_seconds() > patience:
            text = f"Missed scheduled time to start a job: {latest:%a, %d %b %Y %H:%M:%S %z}"
            self.events.record(value, WARNING, "MissSchedule", text)
            return
        active = [job for job in jobs if not finished(job)]
        if active and spec["concurrencyPolicy"] == "Forbid":
            text = "Not starting job because prior execution is running and concurrency policy is"
            self.events.record(value, NORMAL, "JobAlreadyActive", f"{text} Forbid")
            return
        if spec["concurrencyPolicy"] == "Replace":
            for job in active:
                self._delete(job)
                text = f"Deleted job {job['metadata']['name']}"
                self.events.record(value, NORMAL, "SuccessfulDelete", text)
        self._create(value, latest)
        status["lastScheduleTime"] = latest.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _create(self, value: JsonObject, due: datetime.datetime) -> None:
        template = clone(value["spec"]["jobTemplate"])
        metadata = template.get("metadata") or {}
        name = f"{value['metadata']['name']}-{int(due.timestamp()) // 60}"
        job: JsonObject = {
            "metadata": {
                **metadata,
                "name": name,
                "annotations": {
                    **(metadata.get("annotations") or {}),
                    _SCHEDULED: due.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                },
                "ownerReferences": [pods.owner_reference(value)],
            },
            "spec": template["spec"],
        }
        try:
            self.store.create(JOBS, job, value["metadata"]["namespace"])
        except ApiError as error:
            if error.code == 409:
                return
            self.events.record(value, WARNING, "FailedCreate", f"Error creating job: {error}")
            raise
        self.events.record(value, NORMAL, "SuccessfulCreate", f"Created job {name}")

    def _report(self, value: JsonObject, status: JsonObject) -> None:
        metadata = value["metadata"]
        jobs = [
            item.value
            for item in self.store.controlled(JOBS, metadata["uid"], metadata["namespace"])
        ]
        active = [_reference(job) for job in jobs if not finished(job)]
        status.pop("active", None)
        if active:
            status["active"] = active
        succeeded = [
            job["status"]["completionTime"]
            for job in jobs
            if (job.get("status") or {}).get("completionTime")
        ]
        if succeeded:
            status["lastSuccessfulTime"] = max(succeeded)
        self.write_status(value, status)

    def _forget(self, jobs: list[JsonObject], ended: str, limit: int) -> None:
        found = [
            job
            for job in jobs
            if any(
                item["type"] == ended and item["status"] == "True"
                for item in (job.get("status") or {}).get("conditions") or []
            )
        ]
        found.sort(key=lambda job: (job["metadata"]["creationTimestamp"], job["metadata"]["name"]))
        for job in found[: max(0, len(found) - limit)]:
            self._delete(job)

    def _delete(self, job: JsonObject) -> None:
        metadata = job["metadata"]
        try:
            self.store.delete(JOBS, metadata["name"], metadata["namespace"], uid=metadata["uid"])
        except ApiError as error:
            if error.code not in (404, 409):
                raise


def _reference(job: JsonObject) -> JsonObject:
    metadata = job["metadata"]
    return {
        "kind": "Job",
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "apiVersion": "batch/v1",
        "resourceVersion": metadata["resourceVersion"],
    }
