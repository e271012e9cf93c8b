"""The table of all faults in docs/lab.md, made from the faults themselves.

`python -m pytest_aksnet.lab.faults.table docs/lab.md` writes it anew between its two marks.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from pytest_aksnet.lab.faults.fault import Fault
from pytest_aksnet.lab.faults.naming import all_faults, refusal, takes_node
from pytest_aksnet.lab.faults.rated import Valued
from pytest_aksnet.lab.layout import default_spec, make_spec
from pytest_aksnet.lab.options import ENGINES, MODES, SERVICE_PROXIES, BadOption, lab_options

BEGIN, END = "<!-- faults: made by pytest_aksnet.lab.faults.table -->", "<!-- end of faults -->"


def fault_table() -> str:
    """Rows of Markdown: name, what it imitates, source, which labs can have it."""
    spec = default_spec(MODES[0], "calico")
    lines = ["| fault | what it imitates | source | labs |", "|---|---|---|---|"]
    for fault in all_faults(spec):
        told, source = _split(fault.describes)
        usage = fault.name
        usage += "=VALUE" if isinstance(fault, Valued) else ""
        usage += "@NODE" if takes_node(fault.name, spec) else ""
        value = (
            f" VALUE: {fault.setting.meaning}, {fault.setting.default:g} if left out."
            if isinstance(fault, Valued)
            else ""
        )
        cells = (f"`{usage}`", f"{told}.{value}", source, _labs(fault))
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines)


def _split(describes: str) -> tuple[str, str]:
    """The sentence, and its source: the parentheses at its end, which may hold others."""
    depth = 0
    text = describes.removesuffix(".")
    for at in range(len(text) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(text[at], 0)
        if depth == 0:
            return text[:at].rstrip(), text[at + 1 : -1]
    return text, ""


def _labs(fault: Fault) -> str:
    """In which labs it is to be had, with all other options as by default."""
    modes = [mode for mode in MODES if not refusal(fault, default_spec(mode, "calico"))]
    if not modes:
        return _remedy(refusal(fault, default_spec(MODES[0], "calico")))
    parts = [] if len(modes) == len(MODES) else [f"mode {' or '.join(modes)}"]
    for key, choices in (("engine", ENGINES), ("service_proxy", SERVICE_PROXIES)):
        possible, fitting = _choices(fault, modes[0], key, choices)
        if fitting != possible:
            parts.append(f"{key.replace('_', '-')} {' or '.join(fitting)}")
    return ", ".join(parts) or "all"


def _choices(
    fault: Fault, mode: str, key: str, choices: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Which choices of an option go with a mode, and which of those with the fault."""
    possible, fitting = [], []
    for choice in choices:
        try:
            spec = make_spec(lab_options({"mode": mode, key.replace("_", "-"): choice}))
        except BadOption:
            continue
        possible.append(choice)
        if not refusal(fault, spec):
            fitting.append(choice)
    return possible, fitting


def _remedy(why: str) -> str:
    found = re.search(r"set (.*)$", why)
    return f"`--set {found[1]}`" if found else why


def main(arguments: Sequence[str]) -> None:
    """Write the table into a file that has the marks. Raises ValueError where it has none."""
    file = Path(arguments[0])
    text = file.read_text(encoding="utf-8")
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{file} has no {BEGIN} and {END}")
    file.write_text(f"{head}{BEGIN}\n{fault_table()}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
