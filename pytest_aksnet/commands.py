"""What options ask for instead of a test run: listing images, cleaning up."""

import sys

import pytest

from pytest_aksnet.model.errors import AksnetError
from pytest_aksnet.options import Settings


def print_images(settings: Settings) -> int:
    """Print the images that a run would pull, one a line. Needs no cluster."""
    sys.stdout.write(f"{settings.image}\n")
    return int(pytest.ExitCode.OK)
