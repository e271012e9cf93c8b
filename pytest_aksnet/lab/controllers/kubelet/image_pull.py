"""How a container gets its image: the pull policy, failed pulls, and the back-off after them."""

import asyncio

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.controllers.events import NORMAL, WARNING
from pytest_aksnet.lab.controllers.kubelet import images
from pytest_aksnet.lab.controllers.kubelet.backoff import BackOff
from pytest_aksnet.lab.controllers.kubelet.container_report import ContainerReport
from pytest_aksnet.lab.controllers.kubelet.images import Image, PullError
from pytest_aksnet.lab.controllers.kubelet.pod_context import PodContext


class ImagePull:
    """Gets the image of the container that `spec` describes and `report` speaks for."""

    def __init__(self, spec: JsonObject, report: ContainerReport) -> None:
        self._spec = spec
        self._report = report

    @property
    def _never_pulls(self) -> bool:
        return bool(self._spec.get("imagePullPolicy") == "Never")

    async def image(self, context: PodContext) -> Image:
        """The image, tried again with back-off while it cannot be had."""
        reference = self._spec["image"]
        back_off = BackOff()
        while True:
            try:
                image = images.resolve(reference)
                self._obtain(context, image)
            except PullError as error:
                absent = error.reason == "ErrImagePull" and self._never_pulls
                reported = images.absent(reference) if absent else error
                await self._wait_after(context, reported, back_off)
            else:
                return image

    def _obtain(self, context: PodContext, image: Image) -> None:
        """Have the image on the node, pulled where the policy says so. Raises PullError."""
        reference, present = self._spec["image"], context.node_images.has(image)
        event = self._report.event
        if self._never_pulls and not present:
            raise images.absent(reference)
        if not self._never_pulls:
            context.pull(image)
        if present and self._spec.get("imagePullPolicy") != "Always":
            text = f'Container image "{reference}" already present on machine'
            event(context, NORMAL, "Pulled", f"{text} and can be accessed by the pod")
            return
        event(context, NORMAL, "Pulling", f'Pulling image "{reference}"')
        context.node_images.add(image)
        text = f'Successfully pulled image "{reference}" in 0s (0s including waiting).'
        size = f"Image size: {image.program.size} bytes."
        event(context, NORMAL, "Pulled", f"{text} {size}")

    async def _wait_after(self, context: PodContext, error: PullError, back_off: BackOff) -> None:
        """Say that the image cannot be had, and wait until it is time to try again."""
        reference = self._spec["image"]
        event = self._report.event
        self._report.waits(error.reason, error.text)
        if error.reason == "ErrImagePull":
            event(context, NORMAL, "Pulling", f'Pulling image "{reference}"')
            event(context, WARNING, "Failed", f'Failed to pull image "{reference}": {error.text}')
            event(context, WARNING, "Failed", "Error: ErrImagePull")
        else:
            invalid = error.reason == "InvalidImageName"
            reason = "InspectFailed" if invalid else error.reason
            event(context, WARNING, reason, error.text)
            event(context, WARNING, "Failed", f"Error: {error.reason}")
        delay = back_off.delay() or back_off.delay()
        if error.reason == "ErrImagePull":
            text = f'Back-off pulling image "{reference}"'
            event(context, NORMAL, "BackOff", text)
            event(context, WARNING, "Failed", "Error: ImagePullBackOff")
            self._report.waits("ImagePullBackOff", f"{text}: ErrImagePull: {error.text}")
        await asyncio.sleep(delay)
