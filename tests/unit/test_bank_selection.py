"""Application selection and reading: EMV Book 1 12, Book 3 10.1, 10.2, 7.5; pse-pboc 1, 2."""

from dataclasses import replace

import pytest
from bank_till import AT, OBJECTS, TC, PaperCard, h, port, quiet, till
from pse_desk import debit_card

from sscard.iso.tlv import encode
from sscard.sample import new_card, sample_card
from sscard.spec.emv import Tvr
from sscard.spec.pboc import DEBIT_AID
from sscard.terminal.bank import (
    POS,
    AidSettings,
    ApplicationBlocked,
    Attendant,
    BadCardData,
    BankTerminal,
    Cancelled,
    CardBlocked,
    NoBankApplication,
    Terminated,
)

PSE_FCI = "6F15840E315041592E5359532E4444463031A503880101"
CREDIT = h("A000000333010102")


def entry(name, priority=None, label=b"APP", **more):
    """Return a directory entry, template 61."""
    body = encode(0x4F, name) + encode(0x50, label)
    if priority is not None:
        body += encode(0x87, bytes((priority,)))
    return encode(0x61, body)


class Shelf(PaperCard):
    """A paper card with several applications, by name: their priority; and a directory."""

    def __init__(self, apps, *, directory=None, blocked=(), refused=(), **more):
        super().__init__(None, **more)
        self.apps, self.directory = apps, directory
        self.blocked, self.refused = set(blocked), set(refused)
        self.current, self.last, self.closed = None, None, set()

    def _a4(self, apdu):
        wanted = apdu[5 : 5 + apdu[4]]
        if wanted.startswith(b"1PAY"):
            if self.directory is None:
                return h("6A82")
            self.current = "PSE"
            return h(PSE_FCI) + h("9000")
        names = [name for name in self.apps if name.startswith(wanted)]
        if apdu[3] == 2 and self.last in names:
            names = names[names.index(self.last) + 1 :]
        if not names:
            return h("6A82")
        self.current = self.last = names[0]
        inner = encode(0x50, b"APP") + encode(0x87, bytes((self.apps[names[0]],)))
        fci = encode(0x6F, encode(0x84, names[0]) + encode(0xA5, inner))
        return fci + h("6283" if names[0] in self.blocked else "9000")

    def _a8(self, apdu):
        return h("6985") if self.current in self.refused else super()._a8(apdu)

    def _b2(self, apdu):
        if self.current != "PSE":
            return super()._b2(apdu)
        if apdu[2] > len(self.directory):
            return h("6A83")
        return encode(0x70, self.directory[apdu[2] - 1]) + h("9000")


def names(card, terminal=POS):
    found = till(card, terminal).candidates()
    return [candidate.name.hex().upper()[-2:] for candidate in found]


DEBIT, THIRD = DEBIT_AID, h("A000000333010103")
ALL = {DEBIT: 2, CREDIT: 1, THIRD: 0}


# ---- the directory -------------------------------------------------------------------------------


def test_emv_1_12_3_2_the_directory_gives_what_both_know_by_priority():
    directory = [entry(DEBIT, 2) + entry(THIRD), entry(CREDIT, 1) + entry(h("A0000000031010"), 1)]
    assert names(Shelf(ALL, directory=directory)) == ["02", "01", "03"]


@pytest.mark.parametrize(
    "directory", [[], [entry(h("A0000000031010"), 1)], [h("5000")], [h("61034F0512")]]
)
def test_emv_1_12_3_2_a_directory_that_is_no_use_leads_to_the_list(directory):
    assert names(Shelf(ALL, directory=directory)) == ["02", "01", "03"]


@pytest.mark.parametrize(
    "answer",
    ["6A82", "6283", "9000", "6F019000", PSE_FCI[:-2] + "0B9000", PSE_FCI[:-6] + "9000", "6D00"],
)
def test_emv_1_12_3_2_without_a_usable_pse_the_list_is_tried(answer):
    card = Shelf(ALL, directory=[entry(DEBIT)], replace={"00A404000E": answer})
    assert names(card) == ["02", "01", "03"]


def test_emv_1_12_3_2_a_directory_that_cannot_be_read_to_its_end():
    card = Shelf(ALL, directory=[entry(DEBIT)], replace={"00B2020C": "6985"})
    assert names(card) == ["02", "01", "03"]


def test_emv_1_12_3_2_other_things_in_a_directory_are_passed_over():
    odd = h("9F0A0101") + encode(0x61, h("9D0511223344557302C100")) + entry(DEBIT, 1)
    assert names(Shelf({DEBIT: 1}, directory=[b"\0" + odd])) == ["01"]


def test_a_terminal_may_go_by_its_list_alone():
    card = Shelf(ALL, directory=[entry(DEBIT)])
    assert names(card, replace(POS, choose_pse=False)) == ["02", "01", "03"]
    assert not [line for line in card.log if line[10:18] == "31504159"]


# ---- the list ------------------------------------------------------------------------------------


def test_emv_1_12_3_3_partial_names_and_next_occurrence():
    card = Shelf(ALL)
    assert names(card) == ["02", "01", "03"]
    selects = [line[6:8] for line in card.commands("A4")[1:]]
    assert selects == ["00", "02", "02", "02"]


def test_emv_1_12_3_3_a_full_name_is_selected_once():
    card = Shelf(ALL)
    exact = replace(POS, aids=(AidSettings(DEBIT, partial=False), AidSettings(CREDIT)))
    assert names(card, exact) == ["02", "01"]
    assert [line[6:8] for line in card.commands("A4")[1:]] == ["00", "00"]


def test_emv_1_12_3_3_without_partial_selection_a_longer_name_does_not_match():
    terminal = replace(POS, aids=(AidSettings(h("A0000003330101"), partial=False),))
    with pytest.raises(NoBankApplication):
        names(Shelf(ALL), terminal)


def test_the_closest_settings_win():
    terminal = replace(POS, aids=(AidSettings(h("A000000333")), AidSettings(DEBIT, floor_limit=7)))
    for card in (Shelf(ALL), Shelf(ALL, directory=[entry(DEBIT, 1)])):
        found = {c.name: c.settings.floor_limit for c in till(card, terminal).candidates()}
        assert found[DEBIT] == 7


def test_a_card_that_answers_the_same_for_ever_is_asked_no_more():
    fci = encode(0x6F, encode(0x84, DEBIT) + encode(0xA5, encode(0x50, b"A")))
    card = PaperCard(replace={"00A4040007": fci.hex() + "9000"})
    assert names(card) == ["01"]
    counted = iter(range(100))

    def another(apdu):
        name = DEBIT[:7] + bytes((next(counted),))
        return encode(0x6F, encode(0x84, name) + encode(0xA5, encode(0x50, b"A"))) + h("9000")

    assert len(names(PaperCard(replace={"00A40400": another, "00A40402": another}))) == 16


@pytest.mark.parametrize("link", ["apdu", "t0"])
def test_pse_1_1_the_emulated_card_by_partial_name(link):
    terminal = replace(POS, choose_pse=False)
    [found] = till(debit_card(), terminal, link=link).candidates()
    assert (found.name, found.label) == (DEBIT, "PBOC DEBIT")


# ---- blocked -------------------------------------------------------------------------------------


def test_pse_1_2_a_blocked_application_is_left_out():
    assert names(Shelf(ALL, blocked=[CREDIT])) == ["01", "03"]
    card = Shelf(ALL, blocked=[CREDIT], directory=[entry(CREDIT, 1) + entry(DEBIT, 2)])
    assert till(card, quiet()).pay(100, AT).aid == DEBIT.hex().upper()


@pytest.mark.parametrize("directory", [None, [entry(DEBIT) + entry(CREDIT)]])
def test_pse_1_2_only_blocked_applications(directory):
    with pytest.raises(ApplicationBlocked, match="6283"):
        till(Shelf(ALL, blocked=ALL, directory=directory)).pay(100, AT)


@pytest.mark.parametrize("choose_pse", [True, False])
def test_pse_1_2_a_blocked_card(choose_pse):
    card = PaperCard(replace={"00A404": "6A81"})
    with pytest.raises(CardBlocked, match="6A81"):
        till(card, replace(POS, choose_pse=choose_pse)).pay(100, AT)


# ---- the holder's choice -------------------------------------------------------------------------


def test_emv_1_12_4_without_a_choice_the_first_is_taken():
    assert till(Shelf(ALL), quiet()).pay(100, AT).aid == CREDIT.hex().upper()


def test_emv_1_12_4_the_holder_chooses():
    attendant = Attendant(choose=lambda found: found[-1])
    receipt = till(Shelf(ALL), quiet(), attendant=attendant).pay(100, AT)
    assert receipt.aid == THIRD.hex().upper()
    with pytest.raises(Cancelled):
        till(Shelf(ALL), attendant=Attendant(choose=lambda found: None)).pay(100, AT)


@pytest.mark.parametrize(
    ("confirm", "aid"),
    [
        (None, DEBIT),
        (lambda candidate: False, DEBIT),
        (lambda candidate: candidate.name == CREDIT, CREDIT),
    ],
)
def test_emv_1_12_4_an_application_that_asks_for_consent(confirm, aid):
    card = Shelf({CREDIT: 0x81, DEBIT: 0x02})
    receipt = till(card, quiet(), attendant=Attendant(confirm=confirm)).pay(100, AT)
    assert receipt.aid == aid.hex().upper()


def test_emv_1_12_4_no_consent_no_transaction():
    with pytest.raises(Cancelled):
        till(Shelf({CREDIT: 0x81})).pay(100, AT)


@pytest.mark.parametrize("answer", ["6A82", "6985", "9000", "6F009000"])
def test_emv_1_12_4_an_application_that_cannot_be_selected_makes_room_for_the_next(answer):
    card = Shelf(ALL, directory=[entry(CREDIT, 1) + entry(DEBIT, 2)])
    card.replace = {"00A4040008A000000333010102": answer}
    assert till(card, quiet()).pay(100, AT).aid == DEBIT.hex().upper()


def test_emv_3_10_1_6985_at_gpo_goes_back_to_selection():
    card = Shelf(ALL, refused=[CREDIT])
    assert till(card, quiet()).pay(100, AT).aid == DEBIT.hex().upper()
    with pytest.raises(NoBankApplication, match="takes no transaction"):
        till(Shelf(ALL, refused=ALL)).pay(100, AT)


# ---- cards of all kinds --------------------------------------------------------------------------


@pytest.mark.parametrize("link", ["apdu", "t0"])
def test_ssse_8_social_dual_and_bank_cards(link):
    with pytest.raises(NoBankApplication, match="no bank application"):
        till(new_card("v2-social-only"), link=link).pay(100, AT)
    for card in (sample_card(), new_card("pboc")):
        [found] = till(card, link=link).candidates()
        assert found.name == DEBIT


def test_a_terminal_takes_over_a_card_without_a_reset():
    card = PaperCard()
    BankTerminal(card, POS, (), reset=False).candidates()
    assert card.resets == 0
    with till(card):
        assert card.resets == 1
    assert card.log[-1] == "close"


# ---- GET PROCESSING OPTIONS ----------------------------------------------------------------------


def test_emv_3_10_1_the_pdol_is_filled():
    pdol = "9F1A029F7A019F02065F2A029F4E14DF69019F3501"
    card = PaperCard(fci=encode(0x9F38, h(pdol)))
    till(card, quiet()).pay(12345, AT)
    merchant = b"TEST MERCHANT 000001".hex().upper()
    assert card.commands("A8") == ["80A800002383210156000000000123450156" + merchant + "002200"]


@pytest.mark.parametrize(
    "answer",
    [
        "770A82020800940408010100",
        "770A94040801010082020800",
        "7711828102080094820004080101009F360100",
    ],
)
def test_emv_3_10_1_format_2(answer):
    card = PaperCard(replace={"80A8": answer + "9000"})
    assert till(card, quiet()).pay(100, AT).approved


@pytest.mark.parametrize(
    "answer",
    [
        "", "80", "8000", "80020800", "8003080008", "80050800080101", "770482020800",
        "770694040801010077", "7706940408010100", "770A82010800940408010100", "810608000801010000",
        "80067C0009010100", "80067C0008000100", "80067C0008020100", "80067C0008010102",
        "80067C00F8010100", "80067C0000010100"     ],
)  # fmt: skip
def test_emv_3_10_1_wrong_answers_end_the_transaction(answer):
    card = PaperCard(replace={"80A8": answer + "9000"})
    with pytest.raises(BadCardData):
        till(card, quiet()).pay(100, AT)


def test_another_status_word_of_gpo_ends_the_transaction():
    with pytest.raises(Terminated, match=r"GET PROCESSING OPTIONS.*6A80"):
        till(PaperCard(replace={"80A8": "6A80"})).pay(100, AT)


# ---- records -------------------------------------------------------------------------------------


def paid(objects=None, **more):
    card = PaperCard(objects, **more)
    return till(card, quiet()).pay(100, AT)


def test_emv_3_b_odd_but_legal_tlv():
    body = b"".join(
        b"\0" + tag.to_bytes(2 if tag > 255 else 1, "big") + bytes((0x81, len(value))) + value
        for tag, value in OBJECTS.items()
    )
    unknown = h("DF8101020000C101005F5001AA")
    record = b"\x70\x82" + len(body + unknown).to_bytes(2, "big") + body + unknown
    receipt = paid(replace={"00B2010C": record.hex() + "00" + "9000"})
    assert receipt.approved


@pytest.mark.parametrize("tag", ["95", "9F02", "9F37", "9F1A", "5F2A", "9F34", "8A"])
def test_a_record_never_overrides_the_terminals_own_data(tag):
    card = PaperCard(unsigned=encode(int(tag, 16), h("EE" * 6)))
    till(card, quiet()).pay(100, AT)
    assert card.commands("AE")[0][10:].startswith("000000000100")
    assert "EE" * 4 not in card.commands("AE")[0]


@pytest.mark.parametrize("tag", [0x5A, 0x5F24, 0x8C, 0x8D])
def test_emv_3_7_2_mandatory_data(tag):
    with pytest.raises(BadCardData, match=f"{tag:02X}"):
        paid({tag: None})


def test_emv_3_7_2_an_empty_object_is_none():
    with pytest.raises(BadCardData, match="CDOL1"):
        paid({0x8C: b""})


def test_emv_3_10_2_a_known_object_may_not_come_twice():
    with pytest.raises(BadCardData, match="5F24 comes a second time"):
        paid(unsigned=h("5F2403301231"))
    assert paid(unsigned=h("DF0101AADF0101BB")).approved


@pytest.mark.parametrize(
    ("objects", "reason"),
    [
        ({0x5F24: h("3012")}, "5F24"),
        ({0x9F0D: h("00")}, "9F0D"),
        ({0x82: h("00")}, "82"),
        ({0x8E: bytes(7)}, "CVM list"),
        ({0x8E: bytes(9)}, "CVM list"),
        ({0x5A: h("62109500000000000A")}, "PAN"),
        ({0x5A: h("FFFF")}, "PAN"),
        ({0x5A: h("6210950000000000017FFF")}, "PAN"),
        ({0x8C: h("9F")}, "CDOL1"),
        ({0x8D: h("8A")}, "CDOL2"),
        ({0x9F49: h("9F3781")}, "DDOL"),
        ({0x8C: h("9F0282FFFF")}, "CDOL1"),
        ({0x5F28: h("01")}, "5F28"),
        ({0x9F42: h("015600")}, "9F42"),
        ({0x8F: h("8080")}, "8F"),
    ],
)
def test_emv_3_7_5_malformed_data_end_the_transaction(objects, reason):
    with pytest.raises(BadCardData, match=reason):
        paid(objects)


@pytest.mark.parametrize(
    "answer", ["", "7000", "71025A00", "70035A02", "7002", "5A02621070FF", "70819F", "708300000100"]
)
def test_emv_3_10_2_a_record_that_is_no_template(answer):
    with pytest.raises(BadCardData):
        paid(replace={"00B2010C": answer + "9000"})


def test_a_record_that_is_not_there_ends_the_transaction():
    with pytest.raises(Terminated, match=r"record 1 of SFI 1.*6A83"):
        paid(replace={"00B2010C": "6A83"})


def test_pse_2_5_records_of_high_files_are_signed_whole_and_not_read():
    # SFI 11, one record, signed
    static = h("5A0199") + PaperCard(aip="4800").static
    card = PaperCard(aip="4800", plant={"sda": {"static": static}})
    gpo = "800E4800580101010801010110010200"
    card.replace = {"80A8": gpo + "9000", "00B2015C": "5A01999000"}
    receipt = till(card, quiet()).pay(100, AT)
    assert receipt.tvr == 0


def test_long_pans_and_sequence_numbers_are_masked():
    card = PaperCard({0x5A: h("6210950000000000017F")})
    receipt = till(card, quiet()).pay(100, AT)
    assert receipt.pan == "621095*********0017"
    assert "6210950000000000017" not in repr(receipt) + str(receipt.to_json())
    assert Tvr.DATA_MISSING not in receipt.tvr
    assert (TC, port(card)) == (0x40, card)
