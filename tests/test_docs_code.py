"""The code in the documentation runs, block after block, in one namespace a page."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = [
    page
    for page in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
    if BLOCK.search(page.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_code_of_a_page_runs(page: Path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = page.read_text(encoding="utf-8")
    names: dict[str, object] = {"__name__": "docs"}
    ran = 0
    for match in BLOCK.finditer(text):
        lines_before = text.count("\n", 0, match.start(1))
        exec(compile("\n" * lines_before + match[1], str(page), "exec"), names)
        ran += 1
    assert ran == len(BLOCK.findall(text)) > 0


def test_the_pages_that_must_show_code_do():
    named = {page.relative_to(ROOT).as_posix() for page in PAGES}
    assert {"README.md", "README.zh-CN.md", "docs/tutorial.md"} <= named
