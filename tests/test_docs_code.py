"""The code in the documentation runs, block after block; `docs_blocks` says how."""

from pathlib import Path

import docs_blocks
import pytest
from docs_blocks import ROOT

RUN = {"python": 1, "sh": 1, "file": 0}
PAGES = [
    page for page in docs_blocks.PAGES if any(RUN.get(b.kind) for b in docs_blocks.blocks(page))
]


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_the_code_of_a_page_runs(page: Path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "docs"}
    for block in docs_blocks.blocks(page):
        if block.kind == "file":
            docs_blocks.write(block, tmp_path)
        elif block.kind == "python":
            docs_blocks.python(block, names)
        elif block.kind == "sh":
            docs_blocks.shell(block, tmp_path)


def test_the_pages_that_must_show_code_do():
    named = {name(page) for page in PAGES}
    assert {"README.md", "README.zh-CN.md", "docs/tutorial.md"} <= named
    how_tos = {"testing-your-terminal", "testing-your-cos", "fuzzing", "continuous-integration"}
    assert {f"docs/{page}.md" for page in how_tos} <= named


def test_what_is_not_run_says_why():
    marked = [b for page in docs_blocks.PAGES for b in docs_blocks.blocks(page) if b.mark]
    assert any(block.mark == "not run" for block in marked)
    assert not [str(block) for block in marked if not block.value]
    assert not [
        str(block) for block in marked if block.mark == "not run" and block.language == "python"
    ]


@pytest.mark.parametrize("page", docs_blocks.PAGES, ids=name)
def test_every_block_is_seen(page: Path):
    """A fence that is indented, or not closed, would hide code from these tests."""
    text = page.read_text(encoding="utf-8")
    fences = [line for line in text.splitlines() if line.lstrip().startswith("```")]
    assert len(fences) % 2 == 0
    opened = [line.strip() for line in fences[::2] if line.strip() != "```"]
    assert opened == [f"```{block.language}" for block in docs_blocks.blocks(page)]


def test_a_block_that_fails_is_told_with_its_place(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("words\n\n```sh\nfalse\ntrue\n```\n```python\n1 / 0\n```\n", encoding="utf-8")
    first, second = docs_blocks.blocks(page)
    with pytest.raises(AssertionError, match=r"page.md:3: exit code 1"):
        docs_blocks.shell(first, tmp_path)
    with pytest.raises(ZeroDivisionError) as error:
        docs_blocks.python(second, {})
    assert error.traceback[-1].lineno + 1 == 8
