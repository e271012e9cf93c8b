"""The suites keep the form that the catalogue needs, and the tracked page is made from them."""

from collections import Counter
from pathlib import Path

import pytest

from pytest_aksnet.catalogue import Entry, main, page, read_entries

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "checks.md"
LONGEST_CHECK = 25
ENTRIES = read_entries(ROOT / "suites")


def test_the_tracked_page_is_the_one_of_the_suites() -> None:
    assert PAGE.read_text("utf-8") == page(ENTRIES), (
        "write it anew: python -m pytest_aksnet.catalogue suites docs/checks.md"
    )


def test_no_id_is_given_twice() -> None:
    assert [check for check, n in Counter(entry.id for entry in ENTRIES).items() if n > 1] == []


@pytest.mark.parametrize("entry", [pytest.param(entry, id=entry.id) for entry in ENTRIES])
def test_every_check_says_what_people_need(entry: Entry) -> None:
    folder = entry.function.split("/")[1]
    assert folder.replace("_", "-") == entry.feature
    assert entry.id.startswith(f"{entry.feature}.")
    assert entry.says[""].endswith(".")
    assert entry.says["Why"].endswith(".")
    assert entry.says["Remedy"]
    assert entry.lines < LONGEST_CHECK


def test_wrong_arguments_get_the_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nowhere", str(tmp_path / "page.md")]) == 2
    assert "usage:" in capsys.readouterr().err
    assert not (tmp_path / "page.md").exists()


def test_the_page_has_a_section_for_each_check(tmp_path: Path) -> None:
    assert main([str(ROOT / "suites"), str(tmp_path / "page.md")]) == 0
    text = (tmp_path / "page.md").read_text("utf-8")
    assert [line[4:] for line in text.splitlines() if line.startswith("### ")] == [
        entry.id for entry in ENTRIES
    ]
