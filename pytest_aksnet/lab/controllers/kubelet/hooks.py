"""The lifecycle hooks of a container: after its start and before its end.

Source: Kubernetes docs, "Container Lifecycle Hooks".
"""

import asyncio

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.controllers.events import WARNING
from pytest_aksnet.lab.controllers.kubelet.container_report import ContainerReport
from pytest_aksnet.lab.controllers.kubelet.pod_context import PodContext
from pytest_aksnet.lab.controllers.kubelet.probes import Prober

POST_START, PRE_STOP = "PostStart", "PreStop"

_FIELDS = {POST_START: "postStart", PRE_STOP: "preStop"}
_LONGEST_HOOK_SECONDS = 3600.0


def hook_of(spec: JsonObject, which: str) -> JsonObject | None:
    """The hook POST_START or PRE_STOP of a container, or None."""
    found: JsonObject | None = (spec.get("lifecycle") or {}).get(_FIELDS[which])
    return found


async def run_hook(
    hook: JsonObject, which: str, context: PodContext, prober: Prober, report: ContainerReport
) -> bool:
    """Whether a hook (POST_START or PRE_STOP) went well; an event says where it did not."""
    if "sleep" in hook:
        await asyncio.sleep(float(hook["sleep"]["seconds"]))
        return True
    # A postStart hook may take as long as it likes, a preStop hook the pod's grace.
    seconds = _LONGEST_HOOK_SECONDS if which == POST_START else context.grace_seconds
    look = await prober.look({**hook, "timeoutSeconds": seconds})
    if not look.good:
        text = f"{which}Hook failed: {look.output}"
        report.event(context, WARNING, f"Failed{which}Hook", text)
    return look.good
