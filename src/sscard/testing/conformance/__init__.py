"""Conformance suites with stable case ids, for any card behind a `Port` (LD/T 6001.3-2023 titles).

Expectations come from the frozen specification (`sscard.spec`, `sscard.keys.hierarchy`), never
from a profile and never from the card. Imports nothing of the card's code nor of what cards are
made from; docs/conformance.md tells how to run a suite and how to add one.
"""

from sscard.testing.conformance.bench import Bench, Deviation, Exchange, NotRun
from sscard.testing.conformance.model import Case, Effect, Expect, Form, Step, Suite
from sscard.testing.conformance.pages import to_html
from sscard.testing.conformance.registry import suites
from sscard.testing.conformance.reports import to_json, to_junit, to_text
from sscard.testing.conformance.results import Outcome, Report, Result
from sscard.testing.conformance.runner import (
    CutOff,
    Interrupted,
    choose,
    cut_before,
    run_case,
    run_suite,
    without,
)
from sscard.testing.conformance.waivers import Waiver, load_waivers, parse_waivers

__all__ = [
    "Bench",
    "Case",
    "CutOff",
    "Deviation",
    "Effect",
    "Exchange",
    "Expect",
    "Form",
    "Interrupted",
    "NotRun",
    "Outcome",
    "Report",
    "Result",
    "Step",
    "Suite",
    "Waiver",
    "choose",
    "cut_before",
    "load_waivers",
    "parse_waivers",
    "run_case",
    "run_suite",
    "suites",
    "to_html",
    "to_json",
    "to_junit",
    "to_text",
    "without",
]
