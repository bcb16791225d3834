"""The HTML page of a run: style inside, no script, nothing fetched.

At its head what did not pass, with links; then section by section, each exchange of a case with
what was expected and what was seen.
"""

from collections.abc import Iterator
from html import escape

from sscard.testing.conformance.bench import Exchange
from sscard.testing.conformance.reports import tally, title_of
from sscard.testing.conformance.results import Outcome, Report, Result

__all__ = ["to_html"]

_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;max-width:76rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .5rem;
border-bottom:1px solid #ddd;vertical-align:top}code{font-size:13px;word-break:break-all}
.passed{color:#176b2c}.failed,.cut{color:#b00020;font-weight:600}.waived{color:#8a5a00}.not{color:#666}
details,details td,details th{color:#222;font-weight:400}.odd{background:#fdeaea}
:target{outline:2px solid #b00020}
"""
_AT_THE_HEAD = (Outcome.FAILED, Outcome.CUT_OFF)


def to_html(*reports: Report) -> str:
    """Return one page for all suites."""
    parts = [
        "<!doctype html><html lang=en><head><meta charset=utf-8>",
        f"<title>{escape(title_of(reports))}</title><style>{_STYLE}</style></head><body>",
    ]
    for report in reports:
        parts += _parts(report)
    return "\n".join([*parts, "</body></html>\n"])


def _parts(report: Report) -> Iterator[str]:
    yield f"<h1>{escape(report.title)}</h1>"
    if report.absent:
        yield f"<p>{escape(report.absent)}</p>"
        return
    yield f"<p>Generation {escape(report.generation)}, card <code>{escape(report.card)}</code></p>"
    yield f"<p>{escape(tally(report.results))}</p>"
    if report.cut:
        yield f"<p class=cut>The run stopped {escape(report.cut)}</p>"
    for words, patterns in (
        ("Waiver without use", report.stale),
        ("Waiver whose last day is over", report.ended),
    ):
        for pattern in patterns:
            yield f"<p class=waived>{words}: <code>{escape(pattern)}</code></p>"
    yield from _head(report)
    for section, title, results in report.by_section():
        yield f"<h2 id='{escape(section)}'>{escape(section)} {escape(title)}</h2>"
        yield f"<p>{escape(tally(results))}</p><table>"
        yield "<tr><th>case<th>what<th>reference<th>outcome</tr>"
        yield from map(_row, results)
        yield "</table>"


def _head(report: Report) -> Iterator[str]:
    """The way to what failed, and to the sections."""
    bad = [result for result in report.results if result.outcome in _AT_THE_HEAD]
    if bad:
        yield "<ul>"
        for result in bad:
            name = escape(result.case.id)
            yield f"<li><a href='#{name}'><code>{name}</code></a> {escape(result.reason)}"
        yield "</ul>"
    yield "<table><tr><th>section<th>about<th>outcome</tr>"
    for section, title, results in report.by_section():
        name = escape(section)
        yield f"<tr><td><a href='#{name}'>{name}</a><td>{escape(title)}<td>{escape(tally(results))}"
    yield "</table>"


def _row(result: Result) -> str:
    case, css = result.case, result.outcome.value.split()[0]
    name = escape(case.id)
    return (
        f"<tr id='{name}'><td><code>{name}</code><td>{escape(case.title)}<td>{escape(case.source)}"
        f"<td class={css}>{result.outcome.value}{_details(result)}</tr>"
    )


def _details(result: Result) -> str:
    if not result.reason:
        return ""
    steps = "".join(map(_exchange, result.exchanges))
    if steps:
        steps = f"<table><tr><th>step<th>sent<th>seen<th>expected</tr>{steps}</table>"
    opened = " open" if result.outcome in _AT_THE_HEAD else ""
    return (
        f"<details{opened}><summary>{escape(result.reason)}</summary>"
        f"{escape(result.case.why)}{steps}</details>"
    )


def _exchange(exchange: Exchange) -> str:
    odd = " class=odd" if exchange.problem else ""
    seen = exchange.answer or exchange.problem
    return (
        f"<tr{odd}><td>{escape(exchange.title)}<td><code>{escape(exchange.command)}</code>"
        f"<td><code>{escape(seen)}</code><td>{escape(exchange.expected)}</tr>"
    )
