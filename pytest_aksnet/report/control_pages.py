"""A page for each framework of controls: control, checks, what became of them, and the evidence.

Pages hold all that they need but the evidence, which they link, and run no script.
"""

from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup

from pytest_aksnet.report.control_results import page_of
from pytest_aksnet.report.evidence import TEXT_FILE
from pytest_aksnet.report.results import Results
from pytest_aksnet.report.templates import FOLDER, template

_TEMPLATE = "controls.html.j2"
STYLE_FILE = FOLDER / "controls.css"
_MADE_HERE = '<meta name="generator" content="pytest-aksnet">'
_MOST_REASONS = 3


def write_control_pages(report_dir: Path, results: Results, page: str) -> None:
    """Write the pages; those of frameworks that an earlier run had do not stay.

    `page` is the file of all checks, empty where there is none.
    """
    for left in report_dir.glob(page_of("*")):
        if _MADE_HERE in left.read_text(encoding="utf-8", errors="replace"):
            left.unlink()
    for framework in results.controls:
        text = template(_TEMPLATE).render(
            page=page,
            framework=framework,
            run=results.run,
            cluster=results.cluster,
            style=Markup(STYLE_FILE.read_text(encoding="utf-8")),
            evidence_of=_evidence_link,
            most_reasons=_MOST_REASONS,
        )
        (report_dir / framework.page).write_text(text, encoding="utf-8", errors="replace")


def _evidence_link(folder: str) -> str:
    return quote(f"{folder}/{TEXT_FILE}")
