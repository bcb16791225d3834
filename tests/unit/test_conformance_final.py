"""Cases that block for good: left out unless asked for, last of all, and found out when nothing is blocked."""

import pytest
from cli_bench import Cli
from conformance_desk import BANK_SUITE, SUITE, Wrapped, bank_bench, bench, ids, run, run_bank

from sscard.cli.conformance_run import Wish, run_all, stop_code
from sscard.sample import new_card
from sscard.spec.pboc import DEBIT_AID
from sscard.spec.ssse import SSSE_NAME
from sscard.testing.conformance import Outcome, Waiver
from sscard.transport import CardRemoved, MemoryPort, PoweredSlot

SSSE_FINAL = ["END_OF_LIFE/DF03/permanent", "END_OF_LIFE/DF04/permanent",
              "END_OF_LIFE/DF06/permanent", "END_OF_LIFE/SSSE/card-block"]  # fmt: skip
PSE_FINAL = ["CARD_BLOCK/right-mac"]
FOR_GOOD = (bytes.fromhex("841E0001"), bytes.fromhex("84160000"))


class Deaf(Wrapped):
    """A card that takes what would block it for good, says 9000, and goes on."""

    def transmit(self, apdu):
        if apdu[:4] in FOR_GOOD and len(apdu) == 9 and self.armed:
            return b"\x90\x00"
        return super().transmit(apdu)

    armed = True


def selected(card, name):
    apdu = b"\x00\xa4\x04\x00" + bytes((len(name),)) + name
    port = MemoryPort(PoweredSlot(card))
    port.reset()
    return port.transmit(apdu)[-2:].hex()


def test_they_come_last():
    for suite, generation, final in ((SUITE, "v2", SSSE_FINAL), (BANK_SUITE, "2010", PSE_FINAL)):
        cases = suite.cases(generation)
        assert [case.id for case in cases if case.final] == final
        assert [case.id for case in cases[-len(final) :]] == final


def test_without_being_asked_for_nothing_is_blocked_for_good():
    card = new_card("sample")
    social = bench(card, "sample")
    social.port = Wrapped(social.port)
    report = run("sample", on=social, destroy=False)
    reasons = {result.case.id: result.reason for result in report.results}
    assert {reasons[name] for name in SSSE_FINAL} == {"blocks for good: run with --all --destroy"}
    bank = bank_bench(card, "sample", social=True)
    bank.port = Wrapped(bank.port)
    assert PSE_FINAL[0] in ids(run_bank(bank, destroy=False), Outcome.NOT_RUN)
    assert not [apdu for apdu, answer in social.port.sent + bank.port.sent
                if apdu[:4] in FOR_GOOD and answer == b"\x90\x00"]  # fmt: skip
    assert (selected(card, SSSE_NAME), selected(card, DEBIT_AID)) == ("9000", "9000")


def test_each_environment_dies_alone():
    card = new_card("sample")
    assert ids(run("sample", *SSSE_FINAL, on=bench(card, "sample")), Outcome.PASSED) == SSSE_FINAL
    assert (selected(card, SSSE_NAME), selected(card, DEBIT_AID)) == ("6a81", "9000")
    bank = bank_bench(card, "sample", social=False)
    assert ids(run_bank(bank, *PSE_FINAL), Outcome.PASSED) == PSE_FINAL
    assert (selected(card, SSSE_NAME), selected(card, DEBIT_AID)) == ("6a81", "6a81")


@pytest.mark.parametrize("profile", ["v1", "v3"])
def test_other_generations_end_as_well(profile):
    report = run(profile, "END_OF_LIFE/*", on=bench(new_card(profile), profile))
    assert len(ids(report, Outcome.PASSED)) == (3 if profile == "v1" else 4)


def test_a_card_that_is_not_blocked_is_found_out():
    social = bench(new_card("sample"), "sample")
    social.port = Deaf(social.port)
    assert ids(run("sample", *SSSE_FINAL, on=social), Outcome.FAILED) == SSSE_FINAL
    bank = bank_bench(new_card("sample"), "sample", social=True)
    bank.port = Deaf(bank.port)
    assert ids(run_bank(bank, *PSE_FINAL), Outcome.FAILED) == PSE_FINAL


@pytest.mark.parametrize(
    ("told", "instead"), [("9303", "6985"), ("6a81", "6985"), ("6a81", "6a82")]
)
def test_a_block_of_another_kind_is_found_out(told, instead):
    social = bench(new_card("sample"), "sample")
    social.port = Wrapped(
        social.port, lambda _, answer: bytes.fromhex(instead) if answer.hex() == told else answer
    )
    failed = ids(run("sample", *SSSE_FINAL, on=social), Outcome.FAILED)
    assert failed == (SSSE_FINAL[:3] if told == "9303" else SSSE_FINAL[3:])


def test_without_bk_card_block_is_refused_or_the_case_fails():
    """A card that asks for no BK is dead before its time: the case says so."""
    social = bench(new_card("sample", {"ssse.key.BK.present": False}), "sample")
    report = run("sample", SSSE_FINAL[3], on=social)
    assert not ids(report, Outcome.PASSED)


def test_the_command_line_wants_both_words(tmp_path):
    cli = Cli()
    image = tmp_path / "card.img"
    cli("new", str(image))
    before = image.read_bytes()
    cli("conformance", "--image", str(image), "--profile", "sample", "--destroy", code=2)
    assert "goes with --all" in cli.errors
    told = cli("conformance", "--image", str(image), "--profile", "sample", "--all", "--destroy",
               "--case", "*END_OF_LIFE*", "--case", "CARD_BLOCK/*")  # fmt: skip
    assert "all suites: 5 passed" in told
    assert image.read_bytes() == before


@pytest.mark.parametrize("scope", ["domain", "card"])
def test_the_command_line_blocks_for_good_when_all_suites_are_through(scope, tmp_path):
    """The bank's suite looks at the social security environment: it has to be alive till then."""
    cli, image = Cli(), tmp_path / "card.img"
    cli("new", image, "--set", f"options.card_block_scope={scope}")
    told = cli("conformance", "--image", image, "--profile", "sample", "--all", "--destroy",
               "--case", "END_OF_LIFE/*", "--case", "CARD_BLOCK/*", "--case", "SEPARATION/*")  # fmt: skip
    if scope == "domain":
        assert "all suites: 16 passed" in told
    else:
        assert "all suites: 15 passed, 1 not run" in told
        assert "the card is blocked: SELECT answers 6A81" in told


def test_a_run_that_was_cut_off_blocks_nothing_and_lists_what_it_left():
    """The second suite loses the card: the first one's report is whole, its end is not run."""
    on = bank_bench(new_card("sample"), "sample", social=True)

    class Gone(Wrapped):
        def transmit(self, apdu):
            if apdu[:2] == b"\x80\xa8":
                raise CardRemoved("the card was taken out")
            return super().transmit(apdu)

    on.port = Gone(on.port)
    words = ("ATR/form", "END_OF_LIFE/*", "SEPARATION/block", "CARD_BLOCK/*")
    wishes = [Wish(suite, True, "", words) for suite in (SUITE, BANK_SUITE)]
    reports, stopped = run_all(on, wishes, safe=False, destroy=True, waivers=())
    assert stop_code(stopped) == 3
    assert [ids(report, Outcome.NOT_RUN) for report in reports] == [SSSE_FINAL, PSE_FINAL]
    assert [ids(report, Outcome.PASSED) for report in reports] == [["ATR/form"], []]
    assert ids(reports[1], Outcome.CUT_OFF) == ["SEPARATION/block"]
    assert not [apdu for apdu, _ in on.port.sent if apdu[:4] in FOR_GOOD]


def test_what_blocks_for_good_is_waived_as_any_other_case():
    """A waiver of both halves of a run is in use when one of them needs it."""
    on = bench(new_card("sample"), "sample")
    on.port = Deaf(on.port)
    wishes = [Wish(SUITE, True, "v2", ("ATR/form", "END_OF_LIFE/*"))]
    accepted = (Waiver("*", "known"),)
    (report,), stopped = run_all(on, wishes, safe=False, destroy=True, waivers=accepted)
    assert stopped is None
    assert ids(report, Outcome.WAIVED) == SSSE_FINAL
    assert not report.stale
