"""What a container is started with: its environment and argv, once all that they name is there."""

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import SERVICES
from pytest_aksnet.lab.controllers.events import WARNING
from pytest_aksnet.lab.controllers.kubelet import environment
from pytest_aksnet.lab.controllers.kubelet.container_report import ContainerReport
from pytest_aksnet.lab.controllers.kubelet.images import Image
from pytest_aksnet.lab.controllers.kubelet.pod_context import PodContext
from pytest_aksnet.lab.controllers.kubelet.references import MissingReference, configuration_change


async def configure(
    spec: JsonObject, context: PodContext, image: Image, report: ContainerReport
) -> tuple[dict[str, str], list[str]]:
    """Environment and argv of the container that `spec` describes.

    Tried again when something that was missing may be there.
    """
    while True:
        try:
            env = environment.variables(
                spec,
                context.references,
                _linked_services(context),
                hostname=context.hostname,
                path=image.path,
            )
            return env, environment.command(spec, image.program, env)
        except MissingReference as missing:
            report.waits("CreateContainerConfigError", str(missing))
            report.event(context, WARNING, "Failed", f"Error: {missing}")
        await configuration_change(context.around.store)


def _linked_services(context: PodContext) -> list[JsonObject]:
    """The API server's Service, and with enableServiceLinks those of the namespace."""
    store = context.around.store
    namespace = context.pod["metadata"]["namespace"]
    linked = []
    if context.pod["spec"].get("enableServiceLinks", True):
        linked = store.list(SERVICES, namespace)
    master = store.find(SERVICES, "kubernetes", "default")
    return [*linked, master] if master is not None else linked
