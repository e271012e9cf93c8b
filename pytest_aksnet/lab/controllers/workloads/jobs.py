"""Jobs: pods that are to succeed so many times, and what becomes of those that fail.

Source: Kubernetes docs, "Jobs"; k8s.io/kubernetes pkg/controller/job (counts, conditions, texts).
Offered: parallelism, completions (Indexed too), backoffLimit, activeDeadlineSeconds, suspend,
ttlSecondsAfterFinished. Not offered: pod failure and success policies, a back-off per index.
"""

from pytest_aksnet.lab.api.errors import ApiError
from pytest_aksnet.lab.api.objects import JsonObject, clone, timestamp
from pytest_aksnet.lab.api.resources import JOBS, PODS
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers.endpoints import is_ready
from pytest_aksnet.lab.controllers.events import NORMAL, WARNING
from pytest_aksnet.lab.controllers.workloads import pods
from pytest_aksnet.lab.controllers.workloads.loop import WorkloadLoop

_INDEX = "batch.kubernetes.io/job-completion-index"
_BACK_OFF_SECONDS = 10.0
_LONGEST_BACK_OFF_SECONDS = 600.0


class JobController(WorkloadLoop):
    """Creates and counts pods of Jobs."""

    kind = JOBS
    watched = (JOBS, PODS)

    def __init__(self, store: Store) -> None:
        super().__init__(store, "job-controller")

    def reconcile(self, value: JsonObject) -> None:
        """Count what has ended, start what is missing, and say when it is over."""
        if finished(value):
            self._expire(value)
            return
        everything = pods.all_pods(self.store, value)
        failed = [pod for pod in everything if _phase(pod) == "Failed" or _is_lost(pod)]
        succeeded = [pod for pod in everything if _phase(pod) == "Succeeded"]
        active = pods.owned_pods(self.store, value)
        done = self._done(value, succeeded)
        status = dict(value.get("status") or {})
        suspended = bool(value["spec"].get("suspend"))
        if not suspended:
            status.setdefault("startTime", timestamp())
        end = self._end_of(value, status, len(failed), done, active)
        if end is not None or suspended:
            for pod in active:
                pods.delete_pod(self.store, self.events, value, pod)
            active = []
        else:
            self._start_missing(value, active, succeeded, failed, done)
            active = pods.owned_pods(self.store, value)
        self._report(value, status, active, len(failed), done, end)

    def _done(self, value: JsonObject, succeeded: list[JsonObject]) -> int:
        if _is_indexed(value):
            return len({_index(pod) for pod in succeeded})
        return len(succeeded)

    def _end_of(
        self,
        value: JsonObject,
        status: JsonObject,
        failures: int,
        done: int,
        active: list[JsonObject],
    ) -> tuple[str, str, str] | None:
        """Type, reason and text of the last condition; None while it goes on."""
        spec = value["spec"]
        restarts = sum(
            item["restartCount"]
            for pod in active
            for item in (pod.get("status") or {}).get("containerStatuses") or []
        )
        on_failure = spec["template"]["spec"].get("restartPolicy") == "OnFailure"
        limit = spec["backoffLimit"]
        if failures > limit or (on_failure and restarts > 0 and restarts >= limit):
            text = "Job has reached the specified backoff limit"
            return "Failed", "BackoffLimitExceeded", text
        deadline = spec.get("activeDeadlineSeconds")
        if deadline is not None and status.get("startTime"):
            left = deadline - pods.age_seconds(status["startTime"])
            if left <= 0:
                text = "Job was active longer than specified deadline"
                return "Failed", "DeadlineExceeded", text
            self.look_again(value, JOBS, left)
        wanted = spec.get("completions")
        over = done > 0 and not active if wanted is None else done >= wanted
        if over:
            return "Complete", "CompletionsReached", "Reached expected number of succeeded pods"
        return None

    def _start_missing(
        self,
        value: JsonObject,
        active: list[JsonObject],
        succeeded: list[JsonObject],
        failed: list[JsonObject],
        done: int,
    ) -> None:
        spec = value["spec"]
        wanted = spec.get("completions")
        room = spec["parallelism"] if wanted is None else min(spec["parallelism"], wanted - done)
        if wanted is None and succeeded:
            return  # a work queue: one success means that no more is to be started
        for pod in active[room:]:
            pods.delete_pod(self.store, self.events, value, pod)
        missing = room - len(active)
        if missing <= 0 or self._backs_off(value, failed):
            return
        free: list[int] = []
        if _is_indexed(value):
            taken = {_index(pod) for pod in (*active, *succeeded)}
            free = [index for index in range(wanted or 0) if index not in taken]
        for number in range(missing):
            self._create(value, free[number] if free else None)

    def _backs_off(self, value: JsonObject, failed: list[JsonObject]) -> bool:
        """Whether it is too early for another pod after those that failed."""
        if not failed:
            return False
        since = min(pods.age_seconds(_ended_at(pod)) for pod in failed)
        delay = min(_BACK_OFF_SECONDS * 2.0 ** (len(failed) - 1), _LONGEST_BACK_OFF_SECONDS)
        left = delay - since
        if left > 0:
            self.look_again(value, JOBS, left)
        return left > 0

    def _create(self, value: JsonObject, index: int | None) -> None:
        spec = clone(value["spec"]["template"]["spec"])
        template = clone(value["spec"]["template"])
        labels: dict[str, str] = {}
        name = ""
        if index is not None:
            labels[_INDEX] = str(index)
            template["metadata"].setdefault("annotations", {})[_INDEX] = str(index)
            spec["hostname"] = f"{value['metadata']['name']}-{index}"
            for container in spec["containers"]:
                variable = {"name": "JOB_COMPLETION_INDEX", "value": str(index)}
                container.setdefault("env", []).append(variable)
        pods.create_pod(
            self.store,
            self.events,
            value,
            labels=labels,
            spec=spec,
            name=name,
            template=template,
        )

    def _report(
        self,
        value: JsonObject,
        status: JsonObject,
        active: list[JsonObject],
        failures: int,
        done: int,
        end: tuple[str, str, str] | None,
    ) -> None:
        going = sum(map(pods.is_going, pods.all_pods(self.store, value)))
        counts = {"active": len(active), "succeeded": done, "failed": failures}
        for name, number in counts.items():
            status.pop(name, None)
            if number:
                status[name] = number
        status["ready"] = sum(map(is_ready, active))
        status["terminating"] = going
        status["uncountedTerminatedPods"] = {}
        conditions = [
            item for item in status.get("conditions") or [] if item["type"] != "Suspended"
        ]
        if value["spec"].get("suspend"):
            old = (value.get("status") or {}).get("conditions") or []
            known = [item for item in old if item["type"] == "Suspended"]
            conditions += known or [_condition("Suspended", "JobSuspended", "Job suspended")]
        if end is not None:
            kind, reason, text = end
            forerunner = "SuccessCriteriaMet" if kind == "Complete" else "FailureTarget"
            conditions += [_condition(forerunner, reason, text), _condition(kind, reason, text)]
            if kind == "Complete":
                status["completionTime"] = timestamp()
                self.events.record(value, NORMAL, "Completed", "Job completed")
            else:
                self.events.record(value, WARNING, reason, text)
        if conditions:
            status["conditions"] = conditions
        else:
            status.pop("conditions", None)
        self.write_status(value, status)

    def _expire(self, value: JsonObject) -> None:
        """Delete it when its time after the end is over."""
        keep = value["spec"].get("ttlSecondsAfterFinished")
        if keep is None:
            return
        ended = next(
            item["lastTransitionTime"]
            for item in value["status"]["conditions"]
            if item["type"] in ("Complete", "Failed")
        )
        left = keep - pods.age_seconds(ended)
        if left > 0:
            self.look_again(value, JOBS, left)
            return
        metadata = value["metadata"]
        try:
            self.store.delete(JOBS, metadata["name"], metadata["namespace"], uid=metadata["uid"])
        except ApiError as error:
            if error.code != 404:
                raise


def finished(job: JsonObject) -> bool:
    """Whether a Job has completed or failed."""
    return any(
        item["type"] in ("Complete", "Failed") and item["status"] == "True"
        for item in (job.get("status") or {}).get("conditions") or []
    )


def _condition(kind: str, reason: str, text: str) -> JsonObject:
    now = timestamp()
    return {
        "type": kind,
        "status": "True",
        "lastProbeTime": now,
        "lastTransitionTime": now,
        "reason": reason,
        "message": text,
    }


def _phase(pod: JsonObject) -> str:
    return str((pod.get("status") or {}).get("phase", ""))


def _is_lost(pod: JsonObject) -> bool:
    """Deleted before it ended: counts as failed."""
    return pods.is_going(pod) and not pods.is_over(pod)


def _is_indexed(value: JsonObject) -> bool:
    return bool(value["spec"].get("completionMode") == "Indexed")


def _index(pod: JsonObject) -> int:
    return int((pod["metadata"].get("annotations") or {}).get(_INDEX, -1))


def _ended_at(pod: JsonObject) -> str:
    for item in (pod.get("status") or {}).get("containerStatuses") or []:
        ended = (item.get("state") or {}).get("terminated")
        if ended:
            return str(ended["finishedAt"])
    return str(pod["metadata"]["creationTimestamp"])
