"""Reports of a run: text, JSON, JUnit XML, and one HTML page that needs nothing else.

A run of several suites has a report each; every form takes them together. Ids and sections of
different suites never are the same, so that they need no name before them.
"""

import json
from collections.abc import Iterator
from html import escape
from typing import Any
from xml.etree import ElementTree as ET

from sscard.testing.conformance.bench import Exchange
from sscard.testing.conformance.results import Outcome, Report, Result

__all__ = ["FORMAT", "to_html", "to_json", "to_junit", "to_text"]

FORMAT = 1
"""Number of the JSON form."""
_TOLD = (Outcome.FAILED, Outcome.WAIVED, Outcome.CUT_OFF)
"""Outcomes whose cases the text names one by one."""


def to_text(*reports: Report, everything: bool = False) -> str:
    """Return the reports for people: every section, and every case that did not pass.

    `everything` lists the passed and the not run cases, too.
    """
    lines: list[str] = []
    for report in reports:
        lines += [""] if lines else []
        lines += _text_lines(report, everything=everything)
    ran = [report for report in reports if not report.absent]
    if len(ran) > 1:
        lines += ["", f"all suites: {_tally(_together(reports))}"]
    return "\n".join(lines) + "\n"


def _together(reports: tuple[Report, ...]) -> tuple[Result, ...]:
    return tuple(result for report in reports for result in report.results)


def _text_lines(report: Report, *, everything: bool) -> Iterator[str]:
    if report.absent:
        yield f"{report.title}: {report.absent}"
        return
    yield f"{report.title}, generation {report.generation}; card {report.card or '-'}"
    for section, title, results in report.by_section():
        yield ""
        yield f"{section}  {title}: {_tally(results)}"
        for result in results:
            if result.outcome in _TOLD or everything:
                yield from _text_of(result)
        if not everything:
            yield from _reasons(results)
    yield ""
    yield from (f"waiver without use, its case passes: {pattern}" for pattern in report.stale)
    yield from (f"waiver whose last day is over: {pattern}" for pattern in report.ended)
    if report.cut:
        yield f"the run stopped {report.cut}"
    yield f"in all: {_tally(report.results)}"


def _text_of(result: Result) -> Iterator[str]:
    case = result.case
    yield f"  {result.outcome.value.upper():8} {case.id}: {case.title} ({case.source})"
    if result.reason:
        yield f"           {result.reason}"
    if result.outcome in (Outcome.FAILED, Outcome.CUT_OFF):
        yield f"           {case.why}"
        for exchange in result.exchanges:
            mark = "!" if exchange.problem else " "
            yield f"         {mark} {exchange.title}"
            if exchange.command:
                yield f"             > {exchange.command}"
                yield f"             < {exchange.answer}"


def _reasons(results: tuple[Result, ...]) -> Iterator[str]:
    """Yield how many cases were not run for which reason."""
    reasons: dict[str, int] = {}
    for result in results:
        if result.outcome is Outcome.NOT_RUN:
            reasons[result.reason] = reasons.get(result.reason, 0) + 1
    yield from (f"  not run {count:4}: {reason}" for reason, count in reasons.items())


def _tally(results: tuple[Result, ...]) -> str:
    counts = {o: sum(result.outcome is o for result in results) for o in Outcome}
    return ", ".join(f"{count} {outcome.value}" for outcome, count in counts.items() if count)


def to_json(*reports: Report) -> str:
    """Return the reports as one JSON document; `FORMAT` is its number."""
    return json.dumps(_as_data(reports), ensure_ascii=False, indent=1) + "\n"


def _as_data(reports: tuple[Report, ...]) -> dict[str, Any]:
    ran = [report for report in reports if not report.absent]
    return {
        "format": FORMAT,
        "suite": " ".join(report.suite for report in ran),
        "title": _title(reports),
        "generation": " ".join(report.generation for report in ran),
        "card": next((report.card for report in reports if report.card), ""),
        "counts": _counts(_together(reports)),
        "cut": next((report.cut for report in reports if report.cut), ""),
        "stale_waivers": [pattern for report in reports for pattern in report.stale],
        "ended_waivers": [pattern for report in reports for pattern in report.ended],
        "suites": [_suite_data(report) for report in reports],
        "cases": [
            _case_data(result) | {"suite": report.suite}
            for report in reports
            for result in report.results
        ],
    }


def _suite_data(report: Report) -> dict[str, Any]:
    return {
        "suite": report.suite,
        "title": report.title,
        "generation": report.generation,
        "counts": _counts(report.results),
        "absent": report.absent,
        "cut": report.cut,
    }


def _counts(results: tuple[Result, ...]) -> dict[str, int]:
    return {o.value: sum(result.outcome is o for result in results) for o in Outcome}


def _title(reports: tuple[Report, ...]) -> str:
    return "; ".join(report.title for report in reports if not report.absent)


def _case_data(result: Result) -> dict[str, Any]:
    case = result.case
    return {
        "id": case.id,
        "title": case.title,
        "source": case.source,
        "effect": case.effect.value,
        "outcome": result.outcome.value,
        "reason": result.reason,
        "why": case.why,
        "exchanges": [exchange._asdict() for exchange in result.exchanges],
    }


def to_junit(*reports: Report) -> str:
    """Return JUnit XML: one test suite a section.

    Not run and waived cases are `skipped`, one in the middle of which the run ended is an `error`.
    """
    root = ET.Element("testsuites", name=_title(reports))
    for section, title, results in (row for report in reports for row in report.by_section()):
        failures = sum(result.outcome is Outcome.FAILED for result in results)
        skipped = sum(r.outcome in (Outcome.NOT_RUN, Outcome.WAIVED) for r in results)
        node = ET.SubElement(root, "testsuite", name=f"{section} {title}")
        errors = sum(result.outcome is Outcome.CUT_OFF for result in results)
        counts = {"tests": len(results), "failures": failures, "skipped": skipped, "errors": errors}
        for name, count in counts.items():
            node.set(name, str(count))
        for result in results:
            _junit_case(node, section, result)
    ET.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _junit_case(parent: ET.Element, section: str, result: Result) -> None:
    case = ET.SubElement(parent, "testcase", classname=section, name=result.case.id)
    if result.outcome in (Outcome.FAILED, Outcome.CUT_OFF):
        kind = "failure" if result.outcome is Outcome.FAILED else "error"
        failure = ET.SubElement(case, kind, message=result.reason)
        failure.text = f"{result.case.why}\n" + "\n".join(map(_line, result.exchanges))
    elif result.outcome is not Outcome.PASSED:
        ET.SubElement(case, "skipped", message=f"{result.outcome.value}: {result.reason}")


def _line(exchange: Exchange) -> str:
    wire = f": > {exchange.command} < {exchange.answer}" if exchange.command else ""
    expected = f" (expected {exchange.expected})" if exchange.problem and exchange.expected else ""
    return f"{exchange.title}{wire}{expected}"


_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .5rem;
border-bottom:1px solid #ddd;vertical-align:top}code{font-size:13px;word-break:break-all}
.passed{color:#176b2c}.failed,.cut{color:#b00020;font-weight:600}.waived{color:#8a5a00}.not{color:#666}
"""


def to_html(*reports: Report) -> str:
    """Return one page, style inside, section by section."""
    parts = [
        "<!doctype html><html lang=en><head><meta charset=utf-8>",
        f"<title>{escape(_title(reports))}</title><style>{_STYLE}</style></head><body>",
    ]
    for report in reports:
        parts += _html_parts(report)
    return "\n".join([*parts, "</body></html>\n"])


def _html_parts(report: Report) -> Iterator[str]:
    yield f"<h1>{escape(report.title)}</h1>"
    if report.absent:
        yield f"<p>{escape(report.absent)}</p>"
        return
    yield f"<p>Generation {escape(report.generation)}, card <code>{escape(report.card)}</code></p>"
    yield f"<p>{escape(_tally(report.results))}</p>"
    if report.cut:
        yield f"<p class=cut>The run stopped {escape(report.cut)}</p>"
    yield from (
        f"<p class=waived>Waiver without use: <code>{escape(pattern)}</code></p>"
        for pattern in report.stale
    )
    yield from (
        f"<p class=waived>Waiver whose last day is over: <code>{escape(pattern)}</code></p>"
        for pattern in report.ended
    )
    for section, title, results in report.by_section():
        yield f"<h2 id='{escape(section)}'>{escape(section)} {escape(title)}</h2>"
        yield f"<p>{escape(_tally(results))}</p><table>"
        yield "<tr><th>case<th>what<th>section<th>outcome</tr>"
        yield from map(_html_row, results)
        yield "</table>"


def _html_row(result: Result) -> str:
    case, css = result.case, result.outcome.value.split()[0]
    seen = "".join(f"<br><code>{escape(_line(exchange))}</code>" for exchange in result.exchanges)
    details = (
        f"<details><summary>{escape(result.reason)}</summary>{escape(case.why)}{seen}</details>"
    )
    return (
        f"<tr><td><code>{escape(case.id)}</code><td>{escape(case.title)}<td>{escape(case.source)}"
        f"<td class={css}>{result.outcome.value}{details if result.reason else ''}</tr>"
    )
