"""What options ask for instead of a test run: listing images, cleaning up."""

import sys

import pytest

from pytest_aksnet.model.errors import AksnetError
from pytest_aksnet.needs import RUN_LEASE
from pytest_aksnet.options import Settings
from pytest_aksnet.report.redaction import clean, one_line

# A run that still goes on elsewhere may be as old as this; one that is older has been killed.
STALE_AFTER_S = 6 * 3600.0


def print_images(settings: Settings) -> int:
    """Print the images that a run would pull, one a line. Needs no cluster."""
    sys.stdout.write(f"{settings.image}\n")
    return int(pytest.ExitCode.OK)


def cleanup(settings: Settings) -> int:
    """Remove what killed runs left in the cluster; print what became of it.

    Raises pytest.UsageError where the cluster cannot be reached. Fails where something stays that
    should have gone.
    """
    if settings.is_lab:
        raise pytest.UsageError(
            "--aksnet-cleanup: the embedded lab leaves nothing behind; leave out --aksnet-lab"
        )
    from pytest_aksnet.cluster.connect import connect
    from pytest_aksnet.cluster.stale import cleanup_stale
    from pytest_aksnet.interrupts import Interrupts

    interrupts = Interrupts()
    try:
        cluster = connect(settings.kubeconfig, settings.context)
        interrupts.install()
        with interrupts.cleaning() as hurry:
            done = cleanup_stale(
                cluster,
                older_than_s=STALE_AFTER_S,
                lease_namespace=settings.lease_namespace,
                run_lease=RUN_LEASE,
                say=_say,
                hurry=hurry,
            )
    except AksnetError as error:
        raise pytest.UsageError(clean(str(error))) from error
    finally:
        interrupts.restore()
    lines = [f"removed {name}" for name in done.removed]
    lines += [f"kept {name}: {why}" for name, why in done.kept.items()]
    lines += [f"left {name}: {why}" for name, why in done.left.items()]
    lines = [one_line(line) for line in lines]
    sys.stdout.write("".join(f"{line}\n" for line in lines or ["nothing was left by earlier runs"]))
    cluster.close()
    return int(pytest.ExitCode.TESTS_FAILED if done.left else pytest.ExitCode.OK)


def _say(text: str) -> None:
    sys.stderr.write(f"aksnet: {one_line(text)}\n")
