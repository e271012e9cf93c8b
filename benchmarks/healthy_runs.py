"""Runs all suites in healthy labs, one run after the other, and counts what is not as it should be.

In a healthy lab no check may fail or be inconclusive, and what is skipped has a reason. Labs take
turns: all modes with the engines that go with them, and further options. Ends with status 1 where
something failed or was inconclusive.

Run: .venv/bin/python -m benchmarks.healthy_runs [--runs 10] [--lab MODE:ENGINE[,KEY=VALUE]...]
[--suites suites/network_policy/truth_table]
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.lab_boots import kinds
from tests.e2e.suite_run import lab_arguments, run_suites

_FURTHER = (
    "overlay:cilium,local-dns=true",
    "overlay:calico,dual-stack=true",
    "overlay:calico,service-proxy=nftables",
    "overlay:calico,egress=nat-gateway",
    "overlay:calico,egress=firewall",
    "overlay:calico,egress=none",
    "overlay:calico,custom-dns=true",
    "overlay:calico,imds-restricted=true",
    "pod-subnet:azure,static-blocks=true",
)
_SHOWN = ("passed", "failed", "inconclusive", "skipped", "error")


def main() -> int:
    options = read_options()
    # An engine that is missing is a finding (network-policy.engine-present), not a healthy lab.
    healthy = [f"{mode}:{engine}" for mode, engine in kinds() if engine != "none"]
    labs = options.lab or [*healthy, *_FURTHER]
    folder = Path(options.folder or tempfile.mkdtemp(prefix="aksnet-healthy-"))
    sys.stdout.write(f"{options.runs} runs, {options.workers} workers; {folder}\n")
    unlike = 0
    for number in range(options.runs):
        lab = labs[number % len(labs)]
        place = folder / f"{number:03d}"
        place.mkdir(parents=True)
        mode_engine, *settings = lab.split(",")
        mode, _, engine = mode_engine.partition(":")
        begun = time.monotonic()
        run = run_suites(
            place,
            *lab_arguments(place, mode, engine, settings),
            *(["-n", str(options.workers)] if options.workers else []),
            suites=options.suites or ["suites"],
            seconds=1800,
        )
        counts = Counter(check["outcome"] for check in run.results["checks"])
        took = time.monotonic() - begun
        shown = ", ".join(f"{counts[word]} {word}" for word in _SHOWN if counts[word])
        cells = [o for c in run.results["checks"] for o in c["observations"] if "cells" in o]
        if cells:
            wrong = sum(table["wrong"] for table in cells)
            shown += f"; {wrong} of {sum(table['cells'] for table in cells)} cells wrong"
        sys.stdout.write(f"{number:3d} {lab:45} {took:6.1f} s  {shown}\n")
        for check, reason in run.not_passed().items():
            if not reason.startswith("skipped:"):
                unlike += 1
                sys.stdout.write(f"      {check}: {reason[: options.width]}\n")
        sys.stdout.flush()
    return int(unlike > 0)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=10, help="how many runs")
    parser.add_argument("--lab", action="append", help="only this lab (repeatable)")
    parser.add_argument("--suites", action="append", help="only these suites (repeatable)")
    parser.add_argument("--workers", type=int, default=2, help="as pytest's -n")
    parser.add_argument("--folder", help="where the reports go (default: a new folder)")
    parser.add_argument("--width", type=int, default=300, help="longest reason that is shown")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
