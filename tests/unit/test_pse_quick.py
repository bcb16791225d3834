"""pse-pboc 1.5, 6.2: the contactless interface, from the PPSE to the last record."""

from functools import lru_cache

import oda_verifier as outside
import pytest
from cash_desk import DEBIT, FULL, LIMIT, MDK_AC, MDK_MAC, SINGLE, CashDesk, n12
from hypothesis import given
from hypothesis import strategies as st
from pse_desk import ADF, LOG_FORMAT, PIN_BAD, PSE, UN, Desk, cid, data_file

from sscard.apps.pse.cvr import Ac, Cvr
from sscard.apps.pse.layout import Body, Counters
from sscard.apps.pse.risk import Aip, CardData, Situation, Terminal, quick_answer
from sscard.card import Card
from sscard.errors import ActivationError
from sscard.keys import pboc
from sscard.perso.rsa_files import rsa_file
from sscard.perso.script import PersonalisationError
from sscard.sample import new_card, sample_card

PAN = "6210950000000000041"
PPSE = "00A404000E325041592E5359532E4444463031"
QUICK, QUICK_01 = "26000000", "26000080"
LAST = "00B2031C00"
ORDER = ["82", "94", "9F36", "57", "9F10", "9F26", "5F34", "9F4B", "9F6C"]
TRACK_2 = "6210950000000000041D30126200000012345F"


@lru_cache(maxsize=32)
def made(changes=()):
    return new_card("pboc-contactless", dict(changes)).snapshot()


def card(**settings):
    named = {
        f"pse.df.DF01.{key.replace('_', '.')}" if key.startswith(("dgi_", "oda_")) else key: value
        for key, value in settings.items()
    }
    return made(tuple(sorted(named.items()))).fork()


def risk_data(processes, qualifiers="0000", balance=FULL, **amounts):
    """A DGI 0D01 with other 9F68 and 9F6C, and amounts by tag."""
    held = {"9F77": LIMIT, "9F78": SINGLE, "9F79": balance, **amounts}
    cash = "".join(f"{tag}06{n12(amount)}" for tag, amount in held.items())
    return f"9F580103{LOG_FORMAT}{cash}9F6804{processes}9F6C02{qualifiers}"


class QuickDesk(Desk):
    """A powered card on a contactless reader."""

    def __init__(self, taken=None, **settings):
        self.card = card(**settings) if taken is None else taken
        self.power = self.card.power_on(interface="contactless")
        self.link = "apdu"

    def tap(self, amount, *, ttq=QUICK, currency="0156", un=UN, sw="9000"):
        """SELECT and GPO; return the objects of the answer by tag, in hex, in order."""
        self.sw(ADF)
        terms = f"{ttq}{n12(amount)}0000000000000156{'00' * 5}{currency}26070100{un}"
        answer = self(f"80A80000238321{terms}00")
        assert answer[-4:] == sw, answer
        if sw != "9000":
            return {}
        template = outside.objects(bytes.fromhex(answer[:-4]))[0x77]
        return {f"{tag:X}": value.hex().upper() for tag, value in outside.objects(template).items()}

    def read_all(self, afl):
        """Read the records the AFL names; return them by SFI and number."""
        entries = bytes.fromhex(afl)
        return {
            (entries[at] >> 3, number): self.data(f"00B2{number:02X}{entries[at] | 4:02X}00")
            for at in range(0, len(entries), 4)
            for number in range(entries[at + 1], entries[at + 2] + 1)
        }

    def balance(self):
        return int(self.element("9F79"))


def decision(answer):
    """What CVR byte 2 says of the answer."""
    return {"90": "TC", "A0": "ARQC", "80": "AAC"}[answer["9F10"][8:10]]


# ---- the interface -------------------------------------------------------------------------------


def test_pse_1_5_the_ppse_is_there_without_contacts_only():
    expected = (
        "6F30840E325041592E5359532E4444463031A51EBF0C1B61194F08A000000333010101"
        "500A50424F432044454249548701019000"
    )
    assert QuickDesk()(PPSE) == expected
    assert Desk(card())(PPSE) == "6A82"
    assert Desk(sample_card())(PPSE) == "6A82"


def test_pse_1_5_a_partial_name_does_not_find_it_either():
    assert Desk(card()).sw("00A4040005325041592E") == "6A82"
    assert QuickDesk().sw("00A4040005325041592E") == "9000"


def test_pse_1_5_the_ppse_takes_select_alone():
    desk = QuickDesk()
    assert desk.sw(PPSE) == "9000"
    assert desk.sw("80A8000002830000") == "6D00"
    assert desk.sw("00B2010C00") == "6A82"
    assert desk.sw("80AE800000") == "6D00"
    assert desk.sw(ADF) == "9000"


def test_pse_1_4_every_interface_has_its_fci():
    contactless, contact = QuickDesk().data(ADF), Desk(card()).data(ADF)
    assert "9F38189F66049F02069F03069F1A0295055F2A029A039C019F3704" in contactless
    assert "9F38099F7A019F02065F2A02" in contact
    both = card()
    assert QuickDesk(both).data(ADF) == contactless
    assert Desk(both).data(ADF) == contact
    assert QuickDesk(both).data(ADF) == contactless


def test_pse_1_5_a_card_without_the_interface():
    with pytest.raises(ActivationError, match="contactless = off"):
        sample_card().power_on(interface="contactless")
    with pytest.raises(ActivationError, match="T=0 is a protocol of contacts"):
        card().power_on("t0", interface="contactless")
    with pytest.raises(ActivationError, match="an interface is"):
        card().power_on(interface="radio")


def test_pse_1_5_a_reset_keeps_the_interface():
    desk = QuickDesk()
    assert desk.reset().sw(PPSE) == "9000"


def test_pse_6_1_with_contacts_the_card_is_one_of_electronic_cash():
    desk = CashDesk(card())
    assert desk.opened(FULL + 1) == DEBIT
    desk.opened(100)
    assert cid(desk.pay(0x40, 100)) == "40"


@pytest.mark.parametrize("dgi", ["9103", "9207"])
def test_pse_6_contactless_dgis_need_the_switch(dgi):
    value = {"9103": "A503870101", "9207": "82027800940408010100"}[dgi]
    with pytest.raises(PersonalisationError, match="6A88"):
        new_card("pboc-ec", {f"pse.df.DF01.dgi.{dgi}": value})


def test_pse_9_3_msd_is_not_offered():
    with pytest.raises(PersonalisationError, match="6A88"):
        card(dgi_9206="82027800940408010100")


@pytest.mark.parametrize("value", ["820278009404080101009F100107", "82027800"])
def test_pse_9_3_form_of_9207(value):
    with pytest.raises(PersonalisationError, match="6A80"):
        card(dgi_9207=value)


# ---- the answer ----------------------------------------------------------------------------------


def test_pse_6_2_an_approval():
    desk = QuickDesk()
    answer = desk.tap(2500)
    assert list(answer) == ORDER
    assert (answer["82"], answer["94"]) == ("7800", "080101001001030118010300")
    assert (answer["57"], answer["5F34"], answer["9F6C"]) == (TRACK_2, "00", "0000")
    assert answer["9F10"][:16] == "0701110390000001"
    assert int(answer["9F10"][20:30]) == FULL - 2500


def keys(mdk, atc=1):
    return pboc.session_key(pboc.udk(mdk, PAN), atc)


@pytest.mark.parametrize("code", ["11", "17"])
def test_pse_4_4_cvn_17(code):
    offer = f"82027800940C0801010010010301180103009F100A0701{code}03000000010A01"
    answer = QuickDesk(dgi_9207=offer).tap(2500)
    message = bytes.fromhex(f"{n12(2500)}{UN}0001{answer['9F10'][8:10]}")
    assert len(message) == 13
    assert answer["9F26"] == pboc.cryptogram(keys(MDK_AC), message).hex().upper()


def test_pse_4_4_issuer_data_of_cvn_01():
    """Without a 9F10 of its own DGI 9207 uses that of 9200, whose CVN is 01."""
    answer = QuickDesk(dgi_9207="82027800940C080101001001030118010300").tap(2500)
    assert answer["9F10"][:16] == "0701010390000001"
    terms = f"{n12(2500)}{'00' * 6}0156{'00' * 5}015626070100{UN}"
    message = bytes.fromhex(f"{terms}7800000103900000")
    assert answer["9F26"] == pboc.cryptogram(keys(MDK_AC), message).hex().upper()


def test_pse_4_6_the_mac_over_the_new_balance():
    answer = QuickDesk().tap(2500)
    balance = bytes.fromhex(n12(FULL - 2500))[1:]
    expected = pboc.idd_mac(keys(MDK_MAC), 1, balance).hex().upper()
    assert answer["9F10"][30:] == expected


def test_pse_6_2_an_arqc_and_an_aac():
    desk = QuickDesk()
    asked = desk.tap(2500, ttq="26800000")
    assert decision(asked) == "ARQC"
    assert asked.keys() == set(ORDER) - {"94", "9F4B"}
    declined = desk.tap(FULL + 1, ttq="2E000000")
    assert (decision(declined), declined["9F10"][10:12]) == ("AAC", "20")
    assert declined.keys() == set(ORDER) - {"94", "9F4B"}
    desk.read_all("080101001001030118010300")
    assert (desk.balance(), desk.log()) == (FULL, "6A83")
    assert desk.element("9F36") == "0002"


def test_pse_6_2_available_offline_amount():
    data = risk_data("81109000", **{"9F5D": 4321})
    assert QuickDesk(dgi_0D01=data).tap(2500)["9F5D"] == n12(4321)
    data = risk_data("80109000", **{"9F5D": 4321})
    assert "9F5D" not in QuickDesk(dgi_0D01=data).tap(2500)


@pytest.mark.parametrize("ttq", ["00000000", "80000000", "40000000", "D6000000"])
def test_pse_6_2_a_terminal_without_qpboc(ttq):
    """MSD and PBOC over contactless are refused, and no ATC is spent."""
    desk = QuickDesk()
    desk.tap(100, ttq=ttq, sw="6985")
    assert desk.element("9F36") == "0000"


@pytest.mark.parametrize(
    "command",
    ["80AE400000", "80A8000002830000", PIN_BAD, "0088000004A1B2C3D4", "841E000004000000FF"],
)
def test_pse_6_2_nothing_else_belongs_into_it(command):
    desk = QuickDesk()
    desk.tap(2500)
    assert desk.sw(command) in ("6985", "6700")
    assert desk.sw(command.replace("80A8000002830000", f"80A80000238321{'00' * 33}")) == "6985"


# ---- the approval becomes final ------------------------------------------------------------------


def test_pse_6_2_it_is_final_when_the_last_record_is_read():
    desk = QuickDesk()
    afl = desk.tap(2500)["94"]
    for apdu in ("00B2010C00", "00B2011400", "00B2011C00", "00B2021C00"):
        desk.data(apdu)
        assert (desk.balance(), desk.log()) == (FULL, "6A83")
    desk.data(LAST)
    assert desk.balance() == FULL - 2500
    assert desk.log()[12:24] == n12(2500)
    desk.read_all(afl)
    assert desk.balance() == FULL - 2500, "once"
    assert desk.log(2) == "6A83"


@pytest.mark.parametrize("ends", ["select", "reset", "another"])
def test_pse_6_2_a_card_taken_away_too_early_keeps_its_money(ends):
    desk = QuickDesk()
    desk.tap(2500)
    if ends == "select":
        desk.select()
    elif ends == "reset":
        desk.reset().select()
    else:
        desk.tap(100, ttq="26800000")
    desk.data(LAST)
    assert desk.balance() == FULL


def test_pse_6_2_a_refused_read_settles_nothing():
    desk = QuickDesk()
    desk.tap(2500)
    assert desk.sw("00B2041C00") == "6A83"
    assert desk.sw("00B2031D00") == "6A86"
    assert desk.balance() == FULL
    desk.data(LAST)
    assert desk.balance() == FULL - 2500


def test_pse_6_2_without_records_it_is_final_at_once():
    offer = "8202400094009F100A07011103000000010A01"
    desk = QuickDesk(dgi_9207=offer)
    assert decision(desk.tap(2500)) == "TC"
    assert desk.balance() == FULL - 2500


def test_pse_6_2_no_log_unless_9f68_wants_it():
    desk = QuickDesk(dgi_0D01=risk_data("80009000"))
    desk.read_all(desk.tap(2500)["94"])
    assert (desk.balance(), desk.log()) == (FULL - 2500, "6A83")


# ---- fDDA ----------------------------------------------------------------------------------------


def icc(name="icc"):
    public = rsa_file(name).key.public
    return outside.Key(public.n, public.e)


RELATED = "01A1A2A3A4A5A6A7"


@pytest.mark.parametrize(("ttq", "version"), [(QUICK, 0), (QUICK_01, 1)])
def test_pse_4_9_fdda(ttq, version):
    desk = QuickDesk(dgi_0204=f"700B9F6908{RELATED}")
    answer = desk.tap(2500, ttq=ttq)
    appended = UN + (f"{n12(2500)}0156{RELATED}" if version else "")
    number = outside.dynamic(icc(), bytes.fromhex(answer["9F4B"]), bytes.fromhex(appended))
    assert number == bytes.fromhex("020001")


def test_pse_4_9_fdda_01_needs_9f69():
    answer = QuickDesk().tap(2500, ttq=QUICK_01)
    outside.dynamic(icc(), bytes.fromhex(answer["9F4B"]), bytes.fromhex(UN))


LONG_KEY = {
    "oda_ca": "ca-81",
    "oda_issuer": "issuer-1408",
    "oda_icc": "icc-1408",
    "pse.df.DF01.ef.EF91.size": 1024,
}


def test_pse_6_2_the_signature_of_a_long_key_is_in_a_record():
    desk = QuickDesk(**LONG_KEY, dgi_0304="70039F4B00")
    answer = desk.tap(2500)
    assert "9F4B" not in answer
    held = desk.read_all(answer["94"])
    signed = outside.objects(bytes.fromhex(held[(3, 4)]))[0x70]
    signature = outside.objects(signed)[0x9F4B]
    assert len(signature) == 176
    outside.dynamic(icc("icc-1408"), signature, bytes.fromhex(UN))
    assert desk.balance() == FULL - 2500
    desk.select()
    assert desk.data("00B2041C00") == "70039F4B00", "outside a transaction it is as stored"


def test_pse_6_2_a_long_key_needs_such_a_record():
    with pytest.raises(PersonalisationError, match="6A80"):
        card(**LONG_KEY)


def test_pse_6_2_without_dda_in_the_aip_nothing_is_signed():
    offer = "82025800940C0801010010010301180103009F100A07011103000000010A01"
    assert "9F4B" not in QuickDesk(dgi_9207=offer).tap(2500)


# ---- the decision --------------------------------------------------------------------------------

ROWS = [
    # 9F68, TTQ, amount, currency -> decision, CTQ byte 1
    ("80000000", QUICK, FULL, "0156", "TC", "00"),
    ("80000000", QUICK, FULL + 1, "0156", "ARQC", "00"),
    ("80000000", "2E000000", FULL + 1, "0156", "AAC", "00"),
    ("00000000", QUICK, 1, "0156", "ARQC", "00"),
    ("80000000", "26800000", 1, "0156", "ARQC", "00"),
    ("80000000", "2E800000", 1, "0156", "AAC", "00"),
    ("80000000", QUICK, 1, "0840", "ARQC", "00"),
    ("80400000", QUICK, 1, "0840", "AAC", "00"),
    ("90000000", QUICK, 1, "0156", "ARQC", "00"),
    ("90000000", "2E000000", 1, "0156", "TC", "00"),
    ("90200000", "2E000000", 1, "0156", "AAC", "00"),
    ("80009000", "26400000", 1, "0156", "ARQC", "80"),
    ("80001000", "26400000", 1, "0156", "TC", "40"),
    ("80009000", "22400000", 1, "0156", "TC", "40"),
    ("80008000", "22400000", 1, "0156", "AAC", "00"),
    ("80000000", "26400000", 1, "0156", "AAC", "00"),
    ("80006000", QUICK, 1, "0840", "ARQC", "80"),
    ("80003000", QUICK, 1, "0840", "ARQC", "40"),
    ("20000000", QUICK, FULL + 1, "0156", "TC", "00"),
    ("40000000", QUICK, FULL + 1, "0156", "ARQC", "00"),
    ("40000000", QUICK, FULL, "0156", "TC", "00"),
]


@pytest.mark.parametrize(("processes", "ttq", "amount", "currency", "expected", "ctq"), ROWS)
def test_pse_6_2_the_bits_of_9f68_and_ttq(processes, ttq, amount, currency, expected, ctq):
    desk = QuickDesk(dgi_0D01=risk_data(processes, **{"9F54": 20000}))
    answer = desk.tap(amount, ttq=ttq, currency=currency)
    assert (decision(answer), answer["9F6C"]) == (expected, f"{ctq}00")


def test_pse_6_2_the_personalised_qualifiers_stay():
    desk = QuickDesk(dgi_0D01=risk_data("80009000", "3080"))
    assert desk.tap(1)["9F6C"] == "3080"
    assert desk.tap(1, ttq="22400000")["9F6C"] == "7080"


def test_pse_6_2_pin_tries():
    desk = CashDesk(card())
    desk.opened(1)
    for _ in range(3):
        desk.sw(PIN_BAD)
    answer = QuickDesk(desk.card).tap(1)
    assert (decision(answer), answer["9F10"][10:12]) == ("ARQC", "40")


def test_pse_6_2_a_blocked_application():
    desk = CashDesk(card())
    desk.opened(FULL + 1)
    answer = desk.pay(0x80, FULL + 1)
    head = bytes.fromhex("841E000004")
    mac = pboc.script_mac(keys(MDK_MAC), head, 1, bytes.fromhex(answer[10:26]), b"")
    assert desk.sw(f"841E000004{mac.hex()}") == "9000"
    quick = QuickDesk(desk.card)
    assert quick.select() == "6283"
    assert decision(quick.tap(1)) == "AAC"


RMB = b"\x01\x56"


@given(
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 40),
    st.one_of(st.none(), st.integers(0, 40)),
    st.one_of(st.none(), st.integers(1, 40)),
    st.sampled_from([RMB, b"\x08\x40"]),
    st.sampled_from([0, 1]),
    st.sampled_from([None, 0, 3]),
)
def test_pse_6_2_no_more_than_there_is(processes, ttq, amount, balance, limit, currency, last, pin):
    """Whatever the bits: an approval is in RMB and covered, and only an approval costs."""
    data = CardData(
        currency=RMB,
        balance=balance,
        cash_limit=30,
        amount_limit=limit,
        processes=processes,
        qualifiers=0x3000,
    )
    counters = Counters(atc=9, last_online_atc=last, amount=5)
    so_far = Situation(Aip.DDA, Cvr(0), pin)
    terminal = Terminal(amount, RMB, currency, bytes(5))
    verdict, qualifiers = quick_answer(data, counters, so_far, terminal, ttq)
    assert qualifiers & 0x3FFF == 0x3000
    if verdict.answer is not Ac.TC:
        assert (verdict.counters, verdict.balance) == (counters, None)
        return
    assert currency == RMB
    assert not ttq & 0x00800000
    paid = (balance or 0) - verdict.balance if verdict.balance is not None else 0
    added = verdict.counters.amount - counters.amount
    assert {paid, added} <= {0, amount}
    assert amount in (paid, added)
    assert verdict.balance is None or verdict.balance >= 0
    assert not added or (limit is not None and verdict.counters.amount <= limit)
    if processes & 0x40000000:
        assert paid == added == amount


def test_pse_9_personalised_by_cps():
    desk = QuickDesk(new_card("pboc-contactless", perso="cps"))
    assert desk.sw(PPSE) == "9000"
    desk.read_all(desk.tap(2500)["94"])
    assert desk.balance() == FULL - 2500


def test_pse_6_2_an_answer_that_fits_no_response_is_refused():
    """A key of 1024 bits and 25 entries in the AFL; the ATC is not spent."""
    afl = "080101001001030118010300" + "08010100" * 22
    desk = QuickDesk(dgi_9207=f"820278009464{afl}9F100A07011103000000010A01", oda_icc="icc-1024")
    desk.tap(2500, sw="6985")
    assert desk.element("9F36") == "0000"


ENTRIES = st.dictionaries(
    st.sampled_from(
        (0x9103, 0x9207, 0x9200, 0x9203, 0x9F68, 0x9F6C, 0x9F79, 0x9F78, 0x9F5D, 0x9F51)
    ),
    st.one_of(
        st.binary(max_size=12),
        st.sampled_from(
            [
                bytes.fromhex("82017894020801"),
                bytes.fromhex("82027800940008"),
                bytes.fromhex("8202780094050801010008"),
                bytes.fromhex("82029900940408010100"),
                bytes.fromhex("9F100400110000"),
            ]
        ),
    ),
)


@given(ENTRIES, st.binary(min_size=33, max_size=33))
def test_pse_9_whatever_the_data_file_holds_the_card_answers(entries, terms):
    """A damaged or forged EF90, over either interface: status words, never a crash."""
    taken = card()
    address = data_file(taken)
    length = 640
    before = Body.parse(taken.image[address : address + length])
    forged = before._replace(entries={**before.entries, **entries}).build()
    image = bytearray(taken.image)
    image[address : address + len(forged)] = forged
    for interface in ("contact", "contactless"):
        power = Card.from_image(bytes(image)).power_on(interface=interface)
        power.transmit(bytes.fromhex(ADF))
        for sent in (terms, bytes.fromhex(QUICK) + terms[4:], terms[:9]):
            head = bytes((0x80, 0xA8, 0, 0, len(sent) + 2, 0x83, len(sent)))
            assert len(power.transmit(head + sent)) >= 2
            for apdu in (LAST, "00B2010C00", f"80AE400034{'00' * 52}", "80CA9F7900"):
                assert len(power.transmit(bytes.fromhex(apdu))) >= 2
            power.transmit(bytes.fromhex(ADF))


def test_pse_1_2_the_other_directory_is_there_too():
    assert QuickDesk().sw(PSE) == "9000"
