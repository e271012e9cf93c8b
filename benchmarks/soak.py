"""Whether trouble on the way to the cluster changes what checks say: it must not.

Runs many small checks in a quiet lab, then under each fault of the API server, its streams and its
pods, and under all of them at random. Each outcome must be that of the quiet run, or inconclusive.
Ends with status 1 where one was wrong.

Run: .venv/bin/python -m benchmarks.soak [--checks 200] [--rate 0.05] [--fault NAME]
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.e2e.soak_run import Comparison, compare, faults_at, soak, soak_quietly

_WIDTHS = (28, 7, 6, 13, 7, 6, 6, 8, 8)
_HEAD = (
    "fault",
    "checks",
    "wrong",
    "inconclusive",
    "errors",
    "exec",
    "rest",
    "streams",
    "seconds",
)


def main() -> int:
    options = read_options()
    folder = Path(options.folder or tempfile.mkdtemp(prefix="aksnet-soak-"))
    rated = faults_at(options.rate)
    faults = [
        text for text in rated if not options.fault or text.partition("=")[0] in options.fault
    ]
    faults += [text for text in options.fault if "=" in text]
    if not faults:
        names = ", ".join(text.partition("=")[0] for text in rated)
        sys.stderr.write(f"no such fault: known are {names}\n")
        return 2
    sys.stdout.write(f"{options.checks} checks a run, {options.workers} workers; {folder}\n")
    quiet = soak_quietly(folder / "quiet", options.checks, workers=options.workers)
    again = compare(quiet.run, quiet.run)
    show(_HEAD)
    show(row("(none)", again, quiet.seconds))
    comparisons = []
    for fault in faults:
        troubled = soak(folder / fault, options.checks, (fault,), workers=options.workers)
        seen = compare(quiet.run, troubled.run)
        comparisons.append(seen)
        show(row(fault, seen, troubled.seconds))
        for text in (*seen.wrong, *seen.errors, *seen.inconclusive):
            sys.stdout.write(f"    {text[: options.width]}\n")
    return int(any(seen.wrong or seen.errors for seen in comparisons))


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--checks", type=int, default=200, help="checks per run")
    parser.add_argument("--rate", type=float, default=0.05, help="probability, or times a second")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="only this fault; repeatable",
    )
    parser.add_argument("--workers", type=int, default=4, help="xdist workers of each run")
    parser.add_argument("--folder", help="where the reports go; default a temporary folder")
    parser.add_argument("--width", type=int, default=200, help="characters of a reason")
    return parser.parse_args()


def row(fault: str, seen: Comparison, seconds: float) -> tuple[object, ...]:
    counts = (len(seen.wrong), len(seen.inconclusive), len(seen.errors))
    retries = (seen.retries[way] for way in ("exec", "rest", "streams"))
    return (fault, seen.checks, *counts, *retries, round(seconds))


def show(cells: tuple[object, ...]) -> None:
    texts = (str(cell).rjust(width) for cell, width in zip(cells[1:], _WIDTHS[1:], strict=True))
    sys.stdout.write(f"{cells[0]!s:{_WIDTHS[0]}}{''.join(texts)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
