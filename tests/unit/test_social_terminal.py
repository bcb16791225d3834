"""The social terminal end to end in memory: hospital visit, office write, PIN services, centre."""

from datetime import date

import pytest
from social_counter import AT, PIN, REGION, TODAY, Breaking, port, psam, terminal, vault

from sscard.iso.sw import SW
from sscard.sample import new_card, new_psam, sample_card
from sscard.spec.online import Blacklist, Verdict
from sscard.terminal import (
    AlgorithmNotHeld,
    ApduError,
    Area,
    Blocked,
    CardRejected,
    Check,
    Dialect,
    Flavour,
    InitialPin,
    KeyNotHeld,
    LePolicy,
    LineProtection,
    OtherCard,
    Outcome,
    Policy,
    PsamSource,
    RightMissing,
    SettlementFailed,
    SocialTerminal,
    TerminalError,
    Unanswered,
    WrongPin,
)

SOURCES = {"psam": psam, "vault": vault}


@pytest.fixture(params=SOURCES)
def source(request):
    return SOURCES[request.param]()


def checks(found):
    return {result.check: result.outcome for result in found}


# ---- reading the environment, checking -----------------------------------------------------------


@pytest.mark.parametrize("link", ["apdu", "t0"])
@pytest.mark.parametrize("policy", LePolicy)
def test_ssse_8_every_check_in_order(link, policy):
    with terminal(sample_card(), link=link, case_4_le=policy) as desk:
        found = desk.check()
    assert [result.check for result in found] == list(Check)
    skipped = {Check.REGION}
    for result in found:
        expected = Outcome.SKIPPED if result.check in skipped else Outcome.PASSED
        assert result.outcome is expected, result


def test_ssse_1_what_the_environment_tells():
    card = terminal(sample_card()).environment
    assert card.atr.hex().upper() == "3B6D00000087CF20018649999900000001"
    assert card.historical == card.atr[4:]
    assert card.identity.csn8 == card.atr[-8:]
    assert (card.region, card.version, card.number) == (REGION, "2.00", "T0000001X")
    assert (card.issued, card.expires) == (date(2024, 1, 15), date(2034, 1, 15))
    assert card.financial
    assert not card.blocked


def test_ssse_8_another_card_is_reported():
    with pytest.raises(OtherCard):
        terminal(new_card("pboc"))


@pytest.mark.parametrize(
    ("settings", "policy", "failed"),
    [
        ({"ssse.ef.EF05.values.03": "1.99"}, {}, Check.VERSION),
        ({"ssse.ef.EF05.values.06": "20250101"}, {}, Check.DATES),
        ({"ssse.ef.EF05.values.05": "20270101"}, {}, Check.DATES),
        ({"ssse.ef.EF05.values.07": "T00000011"}, {}, Check.NUMBER),
        ({"ssse.key.IRK.root": "ascii:TEST-OTHER-IRK-1"}, {}, Check.GENUINE),
        ({}, {"regions": {"990100"}}, Check.REGION),
        ({}, {"blacklist": Blacklist(1, frozenset([bytes.fromhex(
            "999901D15600000500000001F0E44726")]))}, Check.BLACKLIST),
        ({}, {"blacklist": Blacklist(1, persons=frozenset([
            ("T0000001X", "999901199001011232")]))}, Check.BLACKLIST),
    ],
)  # fmt: skip
def test_ssse_8_each_check_can_fail(settings, policy, failed):
    card = new_card("v2", settings) if settings else sample_card()
    desk = terminal(card, policy=Policy(TODAY, **policy))
    outcomes = checks(desk.check())
    failures = {check for check, outcome in outcomes.items() if outcome is Outcome.FAILED}
    assert failed in failures
    assert failures <= {failed, Check.CODE_MAC}
    with pytest.raises(CardRejected, match=str(failed)):
        desk.accept()


def test_ssse_8_no_pin_before_the_card_has_proved_itself(source):
    desk = terminal(sample_card(), source)
    for step in (
        lambda: desk.verify_pin(PIN),
        lambda: desk.change_pin(PIN, "654321"),
        lambda: desk.reload_pin("654321"),
        lambda: desk.update("SSSE/EF05", {0x05: TODAY}),
    ):
        with pytest.raises(TerminalError, match="internal authentication first"):
            step()
    assert desk.pin_tries_left() == 6


def test_ssse_8_no_pin_for_a_counterfeit():
    desk = terminal(new_card("v2", {"ssse.key.IRK.root": "ascii:TEST-OTHER-IRK-1"}))
    desk.check()
    with pytest.raises(TerminalError, match="internal authentication first"):
        desk.verify_pin(PIN)


# ---- hospital visit (5.3) ------------------------------------------------------------------------


@pytest.mark.parametrize("link", ["apdu", "t0"])
@pytest.mark.parametrize("kind", SOURCES)
def test_ssse_5_3_a_hospital_visit(link, kind):
    card = sample_card()
    money = vault()
    desk = terminal(card, SOURCES[kind](), link=link)
    desk.accept()
    holder = desk.holder()
    assert (holder.number, holder.name) == ("999901199001011232", "张测试")
    assert holder.born == date(1990, 1, 1)
    desk.change_pin(PIN, "246810")
    desk.verify_pin("246810")
    assert desk.read("DF04/EF05").value(0x81) is None
    offline = desk.read("DF04/EF06")  # PIN and key 84
    assert [field.item.tag for field in offline.fields] == [0x90, 0x92, 0x93]
    assert desk.balance() == 0
    assert desk.load(money, 50_000, AT) == 50_000
    receipt = desk.settle(12_345, AT)
    assert receipt.area is Area.CITY
    assert (receipt.balance_fen, desk.balance()) == (37_655, 37_655)
    assert len(receipt.tac) == 4
    newest, *older = desk.read("DF04/EF08").rows
    assert not older
    assert [field.value for field in newest][2:] == [*("999901000001", AT, 12_345, 37_655, 12_345)]
    desk.close()


def test_ssse_3_10_the_tac_is_that_of_the_key():
    from sscard.keys.purse import Transaction, purchase_tac
    from sscard.terminal.records import moment

    desk = terminal(sample_card(), psam())
    paid(desk)
    receipt = desk.settle(100, AT)
    dtk = bytes.fromhex("E0E1E2E3E4E5E6E7E8E9EAEBECEDEEEF")
    transaction = Transaction(100, 5, bytes.fromhex("999901000001"), moment(AT))
    assert receipt.tac == purchase_tac(dtk, transaction, receipt.number)


def paid(desk, amount_fen=50_000):
    """Accept the card, give it a PIN of its own and money."""
    desk.accept()
    desk.change_pin(PIN, "246810")
    desk.verify_pin("246810")
    desk.load(vault(), amount_fen, AT)


def test_ssse_3_7_the_initial_pin_opens_no_transaction(source):
    desk = terminal(sample_card(), source)
    desk.accept()
    desk.verify_pin(PIN)
    with pytest.raises(InitialPin):
        desk.settle(100, AT)
    with pytest.raises(InitialPin):
        desk.change_pin(PIN, PIN)


def test_ssse_3_10_too_little_money(source):
    desk = terminal(sample_card(), source)
    paid(desk, 100)
    with pytest.raises(ApduError) as caught:
        desk.settle(101, AT)
    assert caught.value.sw == SW.INSUFFICIENT_FUNDS
    assert desk.balance() == 100


def test_ssse_3_10_a_purse_instead_of_a_deposit():
    card = new_card("v2", {"options.medical_account": "purse"})
    desk = terminal(card, dialect=Dialect(medical_account="purse"))
    paid(desk)
    assert desk.settle(1, AT).balance_fen == 49_999


@pytest.mark.parametrize("before", [True, False], ids=["not charged", "charged"])
@pytest.mark.parametrize("kind", SOURCES)
def test_cos_1_3_a_lost_answer_is_asked_for_again(kind, before):
    card, computing = sample_card(), SOURCES[kind]()
    line = Breaking(port(card), before=before)
    desk = SocialTerminal(line, computing, Policy(TODAY), region=REGION)
    paid(desk)
    with pytest.raises(Unanswered) as caught:
        desk.settle(1_000, AT)
    again = SocialTerminal(line, computing, Policy(TODAY), region=REGION)
    receipt = again.recover(caught.value.begun)
    assert (receipt is None) is before
    if receipt is not None:
        assert len(receipt.tac) == 4
        assert receipt.balance_fen == 49_000
    again.accept()
    again.verify_pin("246810")
    assert again.balance() == (50_000 if before else 49_000)


class Voice:
    """A centre that says one thing and remembers what it was asked."""

    def __init__(self, **verdict):
        self.verdict = Verdict(**verdict)
        self.reports, self.confirmed = [], []

    def decide(self, report):
        self.reports.append(report)
        return self.verdict

    def confirm(self, report, results):
        self.confirmed.append(results)


def test_ssse_9_settlement_out_of_the_holders_area():
    card = sample_card()
    desk = terminal(card, psam(), region="110000")
    paid(desk)
    before = card.image
    with pytest.raises(SettlementFailed, match="takes the centre"):
        desk.settle(700, AT)
    with pytest.raises(SettlementFailed, match="not today"):
        desk.settle(700, AT, Voice(allowed=False, reason="not today"))
    centre = Voice(allowed=True, reference="S1")
    receipt = desk.settle(700, AT, centre)
    assert (receipt.area, receipt.reference, receipt.tac) == (Area.ELSEWHERE, "S1", b"")
    assert centre.reports[0].amount_fen == 700
    assert card.image == before


def test_ssse_9_areas():
    assert Area.of("999901", "999901") is Area.CITY
    assert Area.of("999901", "999902") is Area.PROVINCE
    assert Area.of("999901", "110000") is Area.ELSEWHERE


# ---- office (5.3) --------------------------------------------------------------------------------


@pytest.mark.parametrize("link", ["apdu", "t0"])
@pytest.mark.parametrize("kind", SOURCES)
def test_ssse_5_3_an_office_write(link, kind):
    card = sample_card()
    sent = []
    desk = terminal(card, SOURCES[kind](), link=link, hook=lambda command, _: sent.append(command))
    desk.accept()
    sent.clear()
    desk.update("SSSE/EF05", {0x05: date(2026, 7, 1), 0x07: "T0000001X"})
    desk.update(
        "SSSE/EF06",
        {
            0x08: "999901199001011232",
            0x09: "欧阳测试",
            0x4E: None,
            0x0A: "1",
            0x0B: "02",
            0x0D: date(1990, 1, 1),
            0x0C: "999902",
        },
    )
    desk.update("SSSE/EF0D", {0xEA: "P99990100002", 0xEB: "999902"})
    proofs = [command.p2 for command in sent if command.ins == 0x82]
    assert proofs == [0x04, 0x0D]  # each key once
    assert sum(command.ins == 0xDC for command in sent) == 11
    holder = desk.holder()
    assert (holder.name, holder.ethnic_group, holder.birthplace) == ("欧阳测试", "02", "999902")
    assert desk.read("SSSE/EF05").value(0x05) == date(2026, 7, 1)


@pytest.mark.parametrize("protection", ["mac", "enc_mac"])
@pytest.mark.parametrize("mode", Flavour)
@pytest.mark.parametrize("kind", SOURCES)
def test_ssse_4_7_protected_updates(protection, mode, kind):
    settings = {"ssse.ef.EF05.sm_update": protection, "options.sm_mode": mode.value}
    desk = terminal(new_card("v2", settings), SOURCES[kind](), dialect=Dialect(sm_mode=mode))
    desk.accept()
    with pytest.raises(ApduError) as caught:
        desk.update("SSSE/EF05", {0x05: TODAY})
    assert caught.value.sw == SW.SECURITY_STATUS
    desk.update("SSSE/EF05", {0x05: TODAY}, protection=LineProtection(protection))
    assert desk.read("SSSE/EF05").value(0x05) == TODAY


def test_items_of_a_repeated_tag_are_written_by_number(source):
    from sscard.terminal.records import Field

    desk = terminal(sample_card(), source)
    desk.accept()
    _, file = next(
        (d, f)
        for d in desk.environment.table
        for f in d.files
        if (d.fid, f.fid) == (0xDF01, 0xEF15)
    )
    parts = {part.tag: part for part in file.items[2].inner}
    school = (Field(parts[0x57], b"", "101"), Field(parts[0x59], b"", "某大学"))
    desk.update("DF01/EF15", {(0x40, 2): school, 0x2A: "20"})
    desk.verify_pin(PIN)
    found = desk.read("DF01/EF15")
    assert found.value(0x2A) == "20"
    assert [field.value for field in found.value(0x40, 2)] == ["101", None, "某大学"]
    assert [field.value for field in found.value(0x40, 1)] == [None] * 3


def test_a_cyclic_file_takes_rows(source):
    desk = terminal(sample_card(), source)
    desk.accept()
    for year in range(2018, 2024):
        desk.append("DF02/EF07", ("J", date(year, 1, 1), None, f"单位{year}"))
    rows = desk.read("DF02/EF07").rows
    assert [row[1].value for row in rows] == [date(year, 1, 1) for year in (2023, 2022, 2021, 2020)]


def test_a_photograph_is_written_and_read(source):
    desk = terminal(sample_card(), source)
    desk.accept()
    photo = bytes(range(256)) * 16
    desk.update("SSSE/EF08", {0: photo})
    assert desk.read("SSSE/EF08").data == photo


def test_what_does_not_fit_is_refused_before_anything_is_sent(source):
    card = sample_card()
    desk = terminal(card, source)
    desk.accept()
    before = card.image
    for values in ({0x05: TODAY, 0x07: "TOO LONG A NUMBER"}, {0x99: "1"}, {(0x05, 2): TODAY}):
        with pytest.raises((ValueError, TerminalError)):
            desk.update("SSSE/EF05", values)
    assert card.image == before


# ---- rights --------------------------------------------------------------------------------------


def test_ssse_4_4_a_file_wants_the_pin_or_a_key():
    desk = terminal(sample_card(), PsamSource(port(new_psam("psam", {"cards": ""}))))
    with pytest.raises(KeyNotHeld):
        desk.check()  # not even the IRK
    with pytest.raises(RightMissing, match=r"DF01/EF05 wants the holder's PIN or key 88"):
        desk.read("DF01/EF05")
    with pytest.raises(RightMissing, match=r"DF07/EF05 wants key 83"):
        desk.read("DF07/EF05")


def test_ssse_4_4_both_are_wanted(source):
    desk = terminal(sample_card(), source)
    desk.accept()
    with pytest.raises(RightMissing, match=r"the holder's PIN and key 84"):
        desk.read("DF04/EF06")


def test_ssse_4_4_nobody_writes_the_debit_log(source):
    desk = terminal(sample_card(), source)
    desk.accept()
    with pytest.raises(RightMissing, match="what nobody can prove"):
        desk.append("DF04/EF08", (bytes(2), "1", None, None, 0, 0, 0))


def test_ssse_4_3_returning_to_the_environment_forgets(source):
    desk = terminal(sample_card(), source)
    desk.accept()
    desk.verify_pin(PIN)
    desk.read("DF01/EF05")
    desk.read("SSSE/EF05")
    assert not desk.visit.pin
    desk.read("DF01/EF05")  # by its key now
    assert desk.visit.proved == {0x88}


def test_all_files_that_can_be_read(source):
    desk = terminal(sample_card(), source)
    desk.accept()
    without = {found.name for found in desk.read_all()}
    desk.visit.enter("SSSE")
    desk.verify_pin(PIN)
    everything = {found.name for found in desk.read_all()}
    assert everything - without == {"DF04/EF06", "DF04/EF08", "DF05/EF05", "DF06/EF05", "DF06/EF06"}
    assert len(everything) == 41


# ---- PIN services --------------------------------------------------------------------------------


def test_ssse_3_7_a_wrong_pin(source):
    desk = terminal(sample_card(), source)
    desk.accept()
    desk.verify_pin(PIN)
    with pytest.raises(WrongPin) as caught:
        desk.verify_pin("000000")
    assert caught.value.tries_left == desk.pin_tries_left() == 5
    assert not desk.visit.pin
    desk.verify_pin(PIN)
    assert desk.pin_tries_left() == 6


@pytest.mark.parametrize("digits", ["", "12345", "12", "12345a", "1" * 18])
def test_ssse_3_7_what_is_no_pin_costs_no_try(digits):
    desk = terminal(sample_card())
    desk.accept()
    with pytest.raises(TerminalError, match="decimal digits"):
        desk.verify_pin(digits)
    assert desk.pin_tries_left() == 6


def lock(desk):
    for _ in range(6):
        with pytest.raises(WrongPin):
            desk.verify_pin("000000")
    with pytest.raises(Blocked):
        desk.verify_pin(PIN)
    assert desk.pin_tries_left() == 0


@pytest.mark.parametrize("link", ["apdu", "t0"])
@pytest.mark.parametrize("mode", Flavour)
@pytest.mark.parametrize("kind", SOURCES)
def test_ssse_3_7_a_blocked_pin_is_reloaded_or_unblocked(link, mode, kind):
    card = new_card("v2", {"options.sm_mode": mode.value})
    desk = terminal(card, SOURCES[kind](), link=link, dialect=Dialect(sm_mode=mode))
    desk.accept()
    lock(desk)
    desk.unblock_pin()
    desk.verify_pin(PIN)
    lock(desk)
    desk.reload_pin("13579246")
    assert desk.pin_tries_left() == 6
    desk.verify_pin("13579246")


def test_ssse_3_7_the_puk_as_protecting_key(source):
    card = new_card("v2", {"options.pin_sm_key": "PUK"})
    desk = terminal(card, source)
    desk.accept()
    with pytest.raises(ApduError) as caught:
        desk.reload_pin("246810")
    assert caught.value.sw == SW.SM_WRONG
    desk = terminal(card, source, dialect=Dialect(pin_sm_key="PUK"))
    desk.accept()
    desk.reload_pin("246810")
    desk.verify_pin("246810")


# ---- blocking ------------------------------------------------------------------------------------


def test_ssse_4_8_an_application_is_blocked_and_unblocked():
    card = sample_card()
    desk = terminal(card, vault())
    desk.accept()
    desk.visit.block("DF04")
    desk.visit.enter("SSSE")
    desk.verify_pin(PIN)
    with pytest.raises(ApduError) as caught:
        desk.read("DF04/EF05")
    assert caught.value.sw == SW.CONDITIONS
    desk.visit.unblock("DF04")
    desk.read("DF04/EF05")


def test_ssse_4_7_a_psam_without_the_df_transport_key_cannot_block_it():
    desk = terminal(sample_card(), psam())
    desk.accept()
    with pytest.raises(KeyNotHeld, match="STK@DF04"):
        desk.visit.block("DF04")


def test_ssse_8_a_blocked_environment(source):
    card = sample_card()
    desk = terminal(card, source)
    desk.accept()
    desk.visit.block("SSSE")
    desk = terminal(card, source)
    assert desk.environment.blocked
    assert not desk.environment.readable
    assert checks(desk.check())[Check.NOT_BLOCKED] is Outcome.FAILED
    with pytest.raises(CardRejected, match="not blocked"):
        desk.accept()


def test_ssse_4_8_a_locked_card(source):
    card = sample_card()
    desk = terminal(card, source)
    desk.accept()
    desk.visit.block_card()
    with pytest.raises(TerminalError, match="locked for good"):
        terminal(card, source)


# ---- all generations -----------------------------------------------------------------------------

GENERATIONS = {"v1": "1.00", "v2": "2.00", "v2-social-only": "2.00", "v3": "3.00"}


@pytest.mark.parametrize("profile", GENERATIONS)
@pytest.mark.parametrize("link", ["apdu", "t0"])
def test_ssse_0_a_visit_with_a_card_of_every_generation(profile, link):
    desk = terminal(new_card(profile), vault(profile), link=link)
    card = desk.accept()
    assert card.version == GENERATIONS[profile]
    assert card.financial is (profile in ("v2", "v3"))
    assert desk.holder().name == "张测试"
    desk.update("SSSE/EF06", {0x09: "李四"})
    assert desk.holder().name == "李四"
    assert (0x0A in desk.visit.proved) is (profile == "v3")  # 2.3: only v3 asks for it
    desk.verify_pin(PIN)
    readable = {found.name for found in desk.read_all()}
    assert "DF04/EF06" in readable
    desk.visit.enter("SSSE")
    desk.reload_pin("246810")
    desk.verify_pin("246810")
    desk.change_pin("246810", "135790")
    desk.unblock_pin()


def test_ssse_0_a_psam_of_the_third_generation():
    sam = PsamSource(port(new_psam("psam", {"cards": "v3", "environment": "sm4"})))
    desk = terminal(new_card("v3"), sam)
    desk.accept()
    assert desk.holder().name == "张测试"
    desk.reload_pin("246810")
    desk.verify_pin("246810")
    desk.update("SSSE/EF05", {0x05: TODAY})


def test_ssse_0_a_3des_psam_cannot_serve_the_third_generation():
    desk = terminal(new_card("v3"), psam())
    with pytest.raises(AlgorithmNotHeld, match="SM4"):
        desk.accept()


# ---- the table of terminals and cards ------------------------------------------------------------

ACCEPTS = {"v2-social-only": True, "sample": True, "pboc": False}
"""The social terminal's row of the three by three: social-only, dual and bank-only cards."""


@pytest.mark.parametrize("profile", ACCEPTS)
@pytest.mark.parametrize("kind", SOURCES)
def test_ssse_8_the_social_terminal_and_every_kind_of_card(profile, kind):
    card = new_card(profile)
    if not ACCEPTS[profile]:
        with pytest.raises(OtherCard):
            terminal(card, SOURCES[kind]())
        return
    desk = terminal(card, SOURCES[kind]())
    desk.accept()
    paid(desk)
    assert desk.settle(1, AT).area is Area.CITY
