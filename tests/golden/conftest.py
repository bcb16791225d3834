"""Snapshots: expected texts in `expected/`, rewritten when SSCARD_UPDATE=1 is set."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

EXPECTED = Path(__file__).parent / "expected"


@pytest.fixture
def snapshot() -> Callable[[str, str], None]:
    """Return `check(name, text)`: the text is that of the file `expected/name`."""

    def check(name: str, text: str) -> None:
        path = EXPECTED / name
        if os.environ.get("SSCARD_UPDATE") == "1":
            path.parent.mkdir(exist_ok=True)
            path.write_text(text + "\n", encoding="utf-8")
        assert path.exists(), f"no {path.name}: run once with SSCARD_UPDATE=1"
        assert text + "\n" == path.read_text(encoding="utf-8")

    return check
