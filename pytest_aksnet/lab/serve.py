"""Being a lab: checks what can be checked before, then hands over to `container.boot`.

What the plugin starts as a process, and `aksnet-lab up`. Imports nothing heavy: the fork server is
forked from here and carries whatever is loaded.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_aksnet.lab.container import boot
from pytest_aksnet.lab.container.boot import report_line
from pytest_aksnet.lab.layout import make_spec
from pytest_aksnet.lab.options import BadOption, lab_options
from pytest_aksnet.lab.spec import LabSpec

if TYPE_CHECKING:
    from pytest_aksnet.lab.container.context import BootContext, LabMain

__all__ = ["report_line", "serve"]

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Programs that the lab or its pods cannot do without, and the Debian packages that have them.
_PROGRAMS = {
    "ip": "iproute2",
    "nft": "nftables",
    "curl": "curl",
    "dig": "bind9-dnsutils",
    "iperf3": "iperf3",
    "ethtool": "ethtool",
    "nc": "netcat-openbsd",
    "python3": "python3",
}
_OF_INGRESS = {"nginx": "nginx-light", "openssl": "openssl"}


def serve(
    choices: Mapping[str, object],
    faults: Sequence[str],
    *,
    life_fd: int | None,
    report: Callable[[Mapping[str, object]], None],
    seed: int | None = None,
) -> int:
    """Run a lab; `report` gets its announcement, or {"error": line}. Returns the exit status.

    `choices` are the options of the lab, as `options.lab_options` takes them. `seed` is that of the
    faults that strike at random.
    """
    try:
        spec = make_spec(lab_options(choices))
    except BadOption as error:
        report({"error": str(error)})
        return 1
    needed = {**_PROGRAMS, **(_OF_INGRESS if spec.options.ingress == "nginx" else {})}
    missing = sorted({needed[name] for name in needed if not shutil.which(name, path=_PATH)})
    if missing:
        packages = " ".join(missing)
        report({"error": f"the lab's pods need programs: run `sudo apt-get install {packages}`"})
        return 1
    return boot.run(lambda: _load_main(spec, faults, seed), life_fd=life_fd, report=report)


def _load_main(spec: LabSpec, faults: Sequence[str], seed: int | None) -> "LabMain":
    """The main coroutine function: makes the machines while the rest is imported in a thread."""
    import asyncio
    import gc
    import importlib

    from pytest_aksnet.lab.machines import create_machines

    async def lab_main(context: "BootContext") -> None:
        creating = asyncio.create_task(create_machines(context, spec))
        # What is imported stays: looking through it for garbage is an eighth of the time.
        gc.disable()
        main = await asyncio.to_thread(importlib.import_module, "pytest_aksnet.lab.main")
        gc.freeze()
        gc.enable()
        await main.run_lab(context, spec, await creating, faults, seed)

    return lab_main
