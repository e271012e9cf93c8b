"""The templates of pages: what they are given is escaped and clean."""

from pathlib import Path

import jinja2
from markupsafe import Markup

from pytest_aksnet.report.redaction import clean

FOLDER = Path(__file__).parent


def template(name: str) -> jinja2.Template:
    """The template in the file of that name."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_clean,
    )
    return environment.get_template(name)


def _clean(value: object) -> object:
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value
