"""Which of the selected checks can run here: the others are skipped, each with its reason.

Everything is decided before anything is created. A right that is missing is no failure of the
network; where nothing at all is left to run, the run says so instead of ending well.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import pytest

from pytest_aksnet.collection import SKIP_KEY
from pytest_aksnet.model.record import Skip
from pytest_aksnet.model.rights import RIGHTS_PAGE, Preflight
from pytest_aksnet.needs import Need, fixtures_of, need_of, together
from pytest_aksnet.options import Settings
from pytest_aksnet.report.redaction import one_line
from pytest_aksnet.session import AksnetSession
from pytest_aksnet.shared import Opening
from pytest_aksnet.spelling import pins_nothing


def leave_out(items: Sequence[pytest.Item], session: AksnetSession) -> str:
    """Give a skip mark to every check that cannot run here.

    Returns why there is nothing left to run, in lines; empty where something is left.
    """
    selected = [item for item in items if item.get_closest_marker("skip") is None]
    needs = {item: need_of(item) for item in selected if fixtures_of(item)}
    if not needs:
        return ""
    session.preflight(together(needs.values()))
    reasons: Counter[str] = Counter()
    for item, need in needs.items():
        why = one_line(session.why_not(need))
        if why:
            item.add_marker(pytest.mark.skip(reason=why))
            is_azure = need.azure and why == one_line(session.no_azure)
            item.stash[SKIP_KEY] = Skip.AZURE_NOT_ASKED if is_azure else Skip.NOT_RUN_HERE
            reasons[why] += 1
    if not reasons or reasons.total() < len(selected):
        return ""
    lines = (f"{count} x {one_line(why)}" for why, count in reasons.most_common())
    return "nothing is left to run on this cluster:\n  " + "\n  ".join(lines)


def cluster_lines(
    settings: Settings, opening: Opening, need: Need, found: Preflight
) -> Iterable[str]:
    """What is worth knowing about nodes, image and rights before the first check runs."""
    yield f"nodes: {', '.join(node.name for node in opening.nodes)}"
    for name, why in opening.left_out.items():
        yield f"left out: node {name}: {why}"
    warning = pins_nothing(settings.image)
    if warning:
        yield f"warning: {warning}"
    yield from rights_lines(need, found)


def rights_lines(need: Need, found: Preflight) -> Iterable[str]:
    """The rights that this user lacks or that could not be reviewed, each named once."""
    missing = sorted(str(right) for right in need.rights & found.denied)
    if missing:
        yield f"rights missing (see {RIGHTS_PAGE}): {'; '.join(missing)}"
    unknown: dict[str, list[str]] = {}
    for right, why in need.optional.items():
        if right in found.denied:
            unknown.setdefault(why, []).append(str(right))
    for why, rights in unknown.items():
        yield f"without {', '.join(sorted(rights))}: {why}"
    if found.unknown:
        first = min(found.unknown.values())
        yield f"{len(found.unknown)} rights could not be reviewed, so they are tried: {first}"
