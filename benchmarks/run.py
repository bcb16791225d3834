"""Run the benchmarks and print a table; `--json FILE` writes the figures as well.

python benchmarks/run.py [--seconds 1.0] [--only WORD] [--json FILE] [--no-pcsc]
"""

import argparse
import json
import platform
import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.cases import FLOOR, cases
from benchmarks.measure import Result, measure
from benchmarks.pcsc import pcsc_results

_WIDTH = 140
"""Columns of the table in a file or a pipe, which have no width of their own."""


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="time spent on each case")
    parser.add_argument("--only", default="", help="only the cases whose name has this word")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--no-pcsc", action="store_true", help="leave out the pcscd part")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    results: list[Result] = []
    for case in cases():
        if options.only in case.name or case.name == FLOOR:
            console.print(f"[dim]{case.name} ...", end="\r")
            results.append(measure(case, seconds=options.seconds))
    if not options.no_pcsc and not options.only:
        results.extend(pcsc_results(console.print))
    console.print(_table(results))
    if options.json:
        figures = {
            "python": platform.python_version(),
            "machine": platform.machine(),
            "results": [asdict(result) for result in results],
        }
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


def _table(results: list[Result]) -> Table:
    floor = next(result.per_second for result in results if result.name == FLOOR)
    table = Table(title="medians; x floor: how many bare dispatches one takes")
    for name in ("case", "per second", "us", "x floor", "spread", "aim", "reached", "note"):
        table.add_column(name, justify="left" if name in ("case", "note") else "right")
    for result in results:
        goal = result.goal
        table.add_row(
            result.name,
            f"{result.per_second:,.0f}",
            f"{result.microseconds:,.2f}",
            f"{floor / result.per_second:,.1f}",
            f"{result.spread:.0%}",
            "" if goal is None else f"{goal:,.0f}",
            "" if goal is None else f"{result.per_second / goal:.0%}",
            result.note,
        )
    return table


if __name__ == "__main__":
    raise SystemExit(main())
