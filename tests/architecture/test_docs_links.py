"""Links between the pages lead somewhere, and every page can be found."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]*))?\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def links(page: Path) -> list[tuple[Path, str]]:
    """Targets and anchors of the links of a page to files of this repository."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return [
        ((page.parent / target).resolve() if target else page, anchor)
        for target, anchor in LINK.findall(text)
    ]


def anchors(page: Path) -> set[str]:
    """The anchors of headings, as GitHub makes them."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_links_of_a_page_lead_somewhere(page):
    broken = [
        f"{target.name}#{anchor}"
        for target, anchor in links(page)
        if not target.exists() or (anchor and anchor not in anchors(target))
    ]
    assert not broken


@pytest.mark.parametrize("index", ["docs/README.md"])
def test_every_page_is_in_the_index(index):
    linked = {target for target, _ in links(ROOT / index)}
    pages = set((ROOT / "docs").glob("*.md")) - {ROOT / index}
    assert sorted(page.name for page in pages - linked) == []
