"""The table of planted faults in docs/testing.md is the one of tests/lib, and its tests exist."""

import subprocess
import sys
from pathlib import Path

from planted import (
    CONFORMANCE,
    FOUND,
    LOCKSTEP_PSE,
    LOCKSTEP_SSSE,
    MONITOR,
    NI,
    TEAR,
    UNFOUND,
    lines,
)

ROOT = Path(__file__).resolve().parents[2]


def test_the_table_of_the_page_is_this_one():
    page = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    for rows in (FOUND, UNFOUND):
        table = "\n".join(lines(rows))
        assert table in page, f"docs/testing.md lacks:\n{table}"


def test_every_row_is_a_test_that_is_collected():
    files = sorted({row.test.split("::")[0] for row in (*FOUND, *UNFOUND)})
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "0", "--collect-only", "-q", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    ids = set(listed.stdout.splitlines())
    assert not [row.test for row in (*FOUND, *UNFOUND) if row.test not in ids], listed.stdout[-500:]


def test_every_general_tool_finds_a_fault_and_three_changes_stay_unfound():
    tools = {LOCKSTEP_SSSE, LOCKSTEP_PSE, NI, TEAR, CONFORMANCE, MONITOR}
    assert {row.tool for row in FOUND} == tools
    assert {row.tool for row in UNFOUND} == tools
    assert len(FOUND) >= 12
    assert len(UNFOUND) >= 3
