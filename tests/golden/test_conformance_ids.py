"""The ids of conformance cases are for good: waivers and reports of others name them."""

from collections import Counter

from sscard.testing.conformance import suites

SUITE = suites()["ssse"]


def test_the_ids_of_all_cases(snapshot):
    """A line an id, with the generations that have it; lines are only ever added."""
    found: dict[str, list[str]] = {}
    for generation in SUITE.generations:
        for case in SUITE.cases(generation):
            found.setdefault(case.id, []).append(generation)
    lines = [f"{name} {' '.join(where)}" for name, where in sorted(found.items())]
    snapshot("conformance-ssse-ids.txt", "\n".join(lines))


def test_no_id_is_given_twice_and_every_section_is_titled():
    for generation in SUITE.generations:
        cases = SUITE.cases(generation)
        assert not [name for name, count in Counter(c.id for c in cases).items() if count > 1]
        assert {case.section for case in cases} == set(SUITE.sections(generation))
        assert all(case.title and case.source and case.why and case.steps for case in cases)
