"""`python -m pytest_aksnet.lab`: the same as `aksnet-lab`."""

import sys

from pytest_aksnet.lab.cli import main

if __name__ == "__main__":
    sys.exit(main())
