"""Reports of a run: text, JSON and JUnit XML; `pages` has the HTML page.

A run of several suites has a report each; every form takes them together. Ids and sections of
different suites never are the same, so that they need no name before them.
"""

import json
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

from sscard.testing.conformance.bench import Exchange
from sscard.testing.conformance.results import Outcome, Report, Result

__all__ = ["FORMAT", "tally", "title_of", "to_json", "to_junit", "to_text"]

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
        lines += ["", f"all suites: {tally(_together(reports))}"]
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
        yield f"{section}  {title}: {tally(results)}"
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
    yield f"in all: {tally(report.results)}"


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


def tally(results: tuple[Result, ...]) -> str:
    """Return how many of the results are what, in words."""
    counts = {o: sum(result.outcome is o for result in results) for o in Outcome}
    told = ", ".join(f"{count} {outcome.value}" for outcome, count in counts.items() if count)
    return told or "no case"


def to_json(*reports: Report) -> str:
    """Return the reports as one JSON document; `FORMAT` is its number."""
    return json.dumps(_as_data(reports), ensure_ascii=False, indent=1) + "\n"


def _as_data(reports: tuple[Report, ...]) -> dict[str, Any]:
    ran = [report for report in reports if not report.absent]
    return {
        "format": FORMAT,
        "suite": " ".join(report.suite for report in ran),
        "title": title_of(reports),
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


def title_of(reports: tuple[Report, ...]) -> str:
    """Return the titles of the suites that ran."""
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
    root = ET.Element("testsuites", name=title_of(reports))
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
