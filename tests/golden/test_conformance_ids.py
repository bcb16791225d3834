"""The ids of conformance cases are for good: waivers and reports of others name them."""

from collections import Counter

import pytest

from sscard.testing.conformance import suites

SUITES = suites()


@pytest.mark.parametrize("name", list(SUITES))
def test_the_ids_of_all_cases(name, snapshot):
    """A line an id, with the generations that have it; lines are only ever added."""
    suite = SUITES[name]
    found: dict[str, list[str]] = {}
    for generation in suite.generations:
        for case in suite.cases(generation):
            found.setdefault(case.id, []).append(generation)
    lines = [f"{case} {' '.join(where)}" for case, where in sorted(found.items())]
    snapshot(f"conformance-{name}-ids.txt", "\n".join(lines))


@pytest.mark.parametrize("name", list(SUITES))
def test_no_id_is_given_twice_and_every_section_is_titled(name):
    suite = SUITES[name]
    for generation in suite.generations:
        cases = suite.cases(generation)
        assert not [case for case, count in Counter(c.id for c in cases).items() if count > 1]
        assert {case.section for case in cases} == set(suite.sections(generation))
        assert all(case.title and case.source and case.why and case.steps for case in cases)


def test_no_section_is_in_two_suites():
    """So an id needs no suite before it, and reports of several suites are unambiguous."""
    sections = [
        {section for generation in suite.generations for section in suite.sections(generation)}
        for suite in SUITES.values()
    ]
    assert sum(map(len, sections)) == len(set.union(*sections))
