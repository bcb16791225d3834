"""What a capture keeps: of cards cut off, refused in parts, blocked, or unlike the tables."""

import re
from contextlib import suppress
from types import SimpleNamespace

import pytest

from sscard.errors import ProfileError
from sscard.iso.tlv import encode_simple
from sscard.keys.block import UnsupportedAlgorithm
from sscard.sample import new_card
from sscard.spec.ssse import SSSE_FID
from sscard.states import STATES, card_in_state
from sscard.terminal.errors import OtherCard
from sscard.testing.capture import Capture, capture, to_toml
from sscard.testing.compare import Twins, compare
from sscard.testing.faults import faulty, removed
from sscard.transport import CardMute, CardRemoved, MemoryPort, PoweredSlot

PROFILES = [
    "pboc", "pboc-16", "pboc-contactless", "pboc-ec", "pboc-only", "sample",
    "v1", "v1-ssf33", "v2", "v2-social-only", "v3", "walk",
]  # fmt: skip

ISSUER, ICC, SSAD, CA = (
    ("00B2011C00", "90 issuer public key certificate"),
    ("00B2021C00", "9F46 ICC public key certificate"),
    ("00B2031C00", "93 signed static application data"),
    ("00B2011C00", "8F CA public key index"),
)
ATC = "80CA9F3600", "9F36 application transaction counter"
LAST_ONLINE = "80CA9F1300", "9F13 last online ATC register"
DIFFERENT = {
    # certificates are made anew, without their flaws and with other dates
    "pse-expired": [ISSUER, ICC],
    "pse-not-yet-effective": [ISSUER, ICC],
    "pse-expired-issuer-certificate": [ISSUER],
    "pse-unknown-ca": [CA],
    "pse-wrong-issuer-key": [ICC, SSAD],
    "pse-tampered-ssad": [ICC, SSAD],
    # the twin comes to the state by a transaction more than the captured counters tell
    "pse-pin-blocked": [ATC],
    "pse-app-blocked": [LAST_ONLINE, ATC],
}
"""In what a twin differs from its card, state by state; in any other, in nothing."""
TOLD = {
    "pin-blocked", "app-blocked-temporary", "app-blocked-permanent", "card-blocked",
    "pse-pin-blocked", "pse-app-blocked", "pse-card-blocked", "pse-atc-exhausted",
}  # fmt: skip
"""States that no profile expresses: the capture says how to come to them."""


def port(card):
    return MemoryPort(PoweredSlot(card))


class Counted(MemoryPort):
    """A port that counts, and can answer a command otherwise than its card does."""

    def __init__(self, card, otherwise=None):
        super().__init__(PoweredSlot(card))
        self.sent = []
        self.otherwise = otherwise or {}

    def transmit(self, apdu):
        self.sent.append(apdu.hex().upper())
        answer = super().transmit(apdu)
        return bytes.fromhex(self.otherwise.get(apdu.hex().upper(), answer.hex()))


def written(tmp_path, seen, **options):
    path = tmp_path / "seen.toml"
    path.write_text(to_toml(seen, **options), encoding="utf-8")
    return path


def told(text):
    return [line.removeprefix("# Not captured: ") for line in text.splitlines() if "# Not" in line]


def differences(card, twin):
    return compare(Twins(port(card), port(twin)), conformance=False)


# --- twins ------------------------------------------------------------------------------------


def twin_of(path):
    """Return the card of a captured profile, in the state that its head tells, and that state."""
    names = re.findall(r"--state ([a-z-]+)", path.read_text("utf-8"))
    return (card_in_state(names[0], str(path)) if names else new_card(str(path))), names


def found_between(card, twin):
    return [(found.command, found.why.split(": ")[-1]) for found in differences(card, twin)]


@pytest.mark.parametrize("profile", PROFILES)
def test_a_twin_reads_as_the_card_does(tmp_path, profile):
    path = written(tmp_path, capture(port(new_card(profile))), show_personal=True)
    assert found_between(new_card(profile), new_card(str(path))) == []


@pytest.mark.parametrize("state", STATES)
def test_a_twin_in_the_state_that_is_told_reads_as_the_card_does(tmp_path, state):
    path = written(tmp_path, capture(port(card_in_state(state))), show_personal=True)
    twin, names = twin_of(path)
    assert names == ([state] if state in TOLD else [])
    assert found_between(card_in_state(state), twin) == DIFFERENT.get(state, [])


@pytest.mark.soak
@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_in_every_state_has_its_twin(tmp_path, profile):
    """Masked, too, there is a card; what it reads is another person's."""
    seen_of = {}
    for state in STATES:
        with suppress(ProfileError, UnsupportedAlgorithm):  # not a state of such a card
            seen_of[state] = capture(port(card_in_state(state, profile)))
    assert seen_of.keys() >= ({"expired"} if "pboc" not in profile and profile != "walk" else set())
    assert seen_of.keys() >= ({"pse-expired"} if "pboc" in profile else set())
    different = DIFFERENT
    if profile in ("pboc-contactless", "pboc-ec"):  # whose card certificates sign no AIP
        different = DIFFERENT | {"pse-tampered-ssad": [SSAD]}
    for state, seen in seen_of.items():
        twin_of(written(tmp_path, seen))
        twin, names = twin_of(written(tmp_path, seen, show_personal=True))
        assert names == ([state] if state in TOLD else []), state
        found = found_between(card_in_state(state, profile), twin)
        assert found == different.get(state, []), state


def test_what_nobody_can_read_is_told():
    text = to_toml(capture(port(card_in_state("full-log"))))
    assert "the 30 records of DF04/EF08: they want a proof, and are blank here." in told(text)


def test_a_card_that_looks_for_conditions_first_tells_no_number(tmp_path):
    """Even the record behind the last one is refused with 6982: there may be none."""
    refused = {f"00B2{number:02X}4400": "6982" for number in range(1, 255)}
    card = Counted(card_in_state("full-log"), refused)
    seen = capture(card)
    assert seen.social.hidden[0xDF04, 0xEF08] == 0
    assert "records of DF04/EF08, if there are any: they want a proof." in told(to_toml(seen))
    assert sum(sent[4:8] == "1F44" for sent in card.sent) == 1
    assert not any(sent[4:8] == "2044" for sent in card.sent)  # 30 of the table, and one
    new_card(str(written(tmp_path, seen)))


@pytest.mark.parametrize(("state", "tries"), [("pin-blocked", 0), ("one-try-left", 1)])
def test_the_tries_of_the_pin_are_seen_and_stay(tmp_path, state, tries):
    card = card_in_state(state)
    seen = capture(port(card))
    assert seen.social.tries == capture(port(card)).social.tries == tries
    path = written(tmp_path, seen)
    names = re.findall(r"--state ([a-z-]+)", path.read_text("utf-8"))
    assert names == ([] if tries else ["pin-blocked"])
    twin = card_in_state("pin-blocked", str(path)) if names else new_card(str(path))
    assert capture(port(twin)).social.tries == tries


def test_more_tries_than_usual_are_a_higher_limit(tmp_path):
    seen = capture(port(new_card("sample", {"ssse.pin.limit": 10})))
    assert capture(port(new_card(str(written(tmp_path, seen))))).social.tries == 10


@pytest.mark.parametrize(("state", "profile"), [
    ("card-blocked", "v2-social-only"), ("pse-card-blocked", "pboc-only"),
])  # fmt: skip
def test_the_only_application_of_a_card_is_told_to_be_blocked(tmp_path, state, profile):
    seen = capture(port(card_in_state(state, profile)))
    path = written(tmp_path, seen)
    assert f"If it is blocked: --state {state}." in told(path.read_text("utf-8"))[0]
    assert differences(card_in_state(state, profile), card_in_state(state, str(path))) == []


def test_a_card_that_is_blocked_whole_is_no_capture():
    dead = card_in_state("card-blocked", "sample", {"options.card_block_scope": "card"})
    with pytest.raises(
        OtherCard, match="answers 6A81 to SELECT of SSSE and PSE: it may be blocked"
    ):
        capture(port(dead))


@pytest.mark.parametrize("state", ["app-blocked-permanent", "wrong-version"])
@pytest.mark.parametrize("profile", ["v1", "v3"])
def test_a_generation_that_is_not_told_is_seen(tmp_path, state, profile):
    seen = capture(port(card_in_state(state, profile)))
    path = written(tmp_path, seen, show_personal=True)
    told_so = f"the generation: the card does not tell; it looks like {profile}."
    assert told_so in told(path.read_text("utf-8"))
    twin = card_in_state(state, str(path))
    assert differences(card_in_state(state, profile), twin) == []


# --- cards unlike the tables ------------------------------------------------------------------


ODD = {
    "ssse.ef.EF06.items": "",
    "ssse.ef.EF06.content": ["0803414243", "7F0401020304", "0A0131"],
    "ssse.df.DF01.aid": "D15600000599",
    "ssse.df.DF02.ef.EF06.read": "F",
    "ssse.df.DF02.ef.EF07.read": "F",
    "ssse.df.DF02.ef.EF15.read": "F",
    "ssse.df.DF02.ef.EF07.rows": [
        ["1234567", "20240101", "20250101", "某单位"],
        ["7654321", "20250101", "20260101", "某某"],
    ],
    "ssse.df.DF02.ef.EF15.values": {"99": [{"10": "001"}, {"11": "20240101"}]},
}


def test_other_files_items_and_rows_come_along(tmp_path):
    card = new_card("sample", ODD)
    seen = capture(port(card))
    path = written(tmp_path, seen, show_personal=True)
    assert differences(card, new_card(str(path))) == []
    again = capture(port(new_card(str(path))))
    assert again == seen
    assert "某单位" in path.read_text("utf-8")


def test_of_an_odd_card_nothing_personal_is_shown(tmp_path):
    path = written(tmp_path, capture(port(new_card("sample", ODD))))
    text = path.read_text("utf-8")
    for secret in ("某单位", "1234567", "414243", "7F0401020304"):
        assert secret not in text
    assert any(
        line.startswith("contents of DF02/EF06, DF02/EF07, DF02/EF15, ") for line in told(text)
    )
    assert "records of DDF1/EF06: they are not those of v2." in told(text)
    new_card(str(path))


def test_rows_of_another_length_come_as_they_are(tmp_path):
    card = new_card("sample", {
        "ssse.df.DF02.ef.EF07.read": "F",
        "ssse.df.DF02.ef.EF07.items": "",
        "ssse.df.DF02.ef.EF07.record_max": 5,
        "ssse.df.DF02.ef.EF07.content": ["0102030405", "1112131415"],
    })  # fmt: skip
    seen = capture(port(card))
    path = written(tmp_path, seen, show_personal=True)
    assert capture(port(new_card(str(path)))).social.records == seen.social.records


def test_a_record_with_a_condition_hides_no_other(tmp_path):
    """READ RECORD 2 of EF06 wants a proof; the others are there all the same."""
    card = Counted(new_card("sample"), {"00B2023400": "6982"})
    seen = capture(card)
    place = SSSE_FID, 0xEF06
    whole = capture(port(new_card("sample"))).social.records[place]
    assert seen.social.records[place] == [whole[0], *whole[2:]]
    text = to_toml(seen, show_personal=True)
    partly = "records of DDF1/EF06 that the card did not give, beside others that it did."
    assert partly in told(text)
    twin = new_card(str(written(tmp_path, seen, show_personal=True)))
    assert capture(port(twin)).social.records[place][2:] == whole[2:]


def test_a_file_that_refuses_is_not_asked_for_ever():
    card = Counted(new_card("sample", {"ssse.ef.EF06.read": "PIN"}))
    assert capture(card).social.rules[SSSE_FID, 0xEF06] == "N"
    below = card.sent.index("00A4000002DF0100")
    assert [
        sent for sent in card.sent[:below] if sent.startswith("00B2") and sent[6:8] == "34"
    ] == [f"00B2{number:02X}3400" for number in range(1, 9)]  # the seven of the table, and one


def test_an_item_that_is_no_tlv_is_kept_as_it_is(tmp_path):
    odd = encode_simple(0x08, b"ABC") + b"\x09"
    card = Counted(new_card("sample"), {"00B2013400": odd.hex() + "9000"})
    text = written(tmp_path, capture(card), show_personal=True).read_text("utf-8")
    assert odd.hex().upper() in text


# --- without contacts ---------------------------------------------------------------------------


class Near(PoweredSlot):
    """A card on a contactless reader."""

    def __init__(self, card):
        super().__init__(SimpleNamespace(
            power_on=lambda *, link: card.power_on(link=link, interface="contactless")
        ))  # fmt: skip


@pytest.mark.parametrize("transaction", [False, True])
def test_the_ppse_and_what_it_leads_to_come_along(tmp_path, transaction):
    settings = {
        "pse.df.DF02.dgi.9102": "A51CBF0C196117"
        "4F08A0000003330101015008"
        + b"NEARBANK".hex().upper() + "870101",
        "pse.df.DF01.dgi.9103": "A5215008" + b"NEARBANK".hex().upper() + "9F38039F66049F1101015F2D027A68BF0C059F4D020B0A",
    }  # fmt: skip
    cards = [new_card("pboc-contactless", settings) for _ in range(2)]
    seen = capture(MemoryPort(Near(cards[0])), transaction=transaction)
    assert seen.bank.proximity_fci.hex().upper() == settings["pse.df.DF02.dgi.9102"][4:]
    twin = new_card(str(written(tmp_path, seen, show_personal=True)))
    both = Twins(MemoryPort(Near(cards[1])), MemoryPort(Near(twin)))
    assert compare(both, conformance=False) == []
    for terms in ("26000000", "36800000"):
        both.reset()
        both.transmit(bytes.fromhex("00A4040008A000000333010101"))
        both.transmit(bytes.fromhex(f"80A80000068304{terms}00"))
    assert both.differences == []
    contacts = "6a82", new_card("pboc-contactless", settings), twin
    for card in contacts[1:]:
        answer = card.power_on().transmit(bytes.fromhex("00A404000E325041592E5359532E4444463031"))
        assert answer.hex() == contacts[0]


def test_a_pse_without_a_debit_application_is_one(tmp_path):
    seen = capture(port(card_in_state("unpersonalised")))
    text = to_toml(seen)
    assert "the debit application: the card did not give one." in told(text)
    twin = capture(port(new_card(str(written(tmp_path, seen)))))
    assert twin.bank == seen.bank
    assert not twin.bank.selected


# --- cut off ----------------------------------------------------------------------------------


def test_a_capture_cut_off_anywhere_keeps_what_was_read(tmp_path):
    card = Counted(new_card("sample"))
    whole = capture(card)
    ends = set()
    for number in range(3, len(card.sent), 11):
        gone = faulty(new_card("sample"), removed(when=number))
        seen = capture(MemoryPort(gone))
        ends.add(seen.at)
        assert seen.cut == f"the card was taken out in command {number}"
        for place, given in seen.social.records.items():
            assert given == whole.social.records[place][: len(given)]
            cut_here = given != whole.social.records[place]
            assert not cut_here or place in seen.social.partial
        if seen.bank is None or not seen.bank.selected:
            assert not seen.at.startswith("SFI")
        else:
            assert seen.bank.records.items() <= whole.bank.records.items()
            assert seen.social == whole.social
        text = written(tmp_path, seen).read_text("utf-8")
        assert told(text)[0] == (
            f"what the card gives from {seen.at} on, for reading ended there: {seen.cut}."
        )
        if number % 66 == 3:
            new_card(str(tmp_path / "seen.toml"))
            new_card(str(written(tmp_path, seen, show_personal=True)))
    assert "the SSSE" in ends
    assert any(" of DF01 of the SSSE" in end for end in ends)
    assert any(end.startswith("SFI") for end in ends)


def test_of_a_file_cut_off_the_records_read_are_kept():
    card = Counted(new_card("sample"))
    capture(card)
    fourth = card.sent.index("00B2043400")
    seen = capture(MemoryPort(faulty(new_card("sample"), removed(when=fourth + 1))))
    assert seen.at == "EF06 of the SSSE"
    assert len(seen.social.records[SSSE_FID, 0xEF06]) == 3
    assert "张测试" in to_toml(seen, show_personal=True)


def test_a_card_that_dies_is_no_whole_capture():
    """It answers 6F00 to everything (cos 1.4): what was read before is no less read."""

    class Dead(Counted):
        alive = 30

        def transmit(self, apdu):
            answer = super().transmit(apdu)
            return answer if len(self.sent) <= self.alive else b"\x6f\x00"

    card = Dead(new_card("sample"))
    seen = capture(card)
    assert seen.cut == "the card answers 6F00 to everything"
    assert len(card.sent) == Dead.alive + 3
    assert seen.social.records[SSSE_FID, 0xEF06]
    Dead.alive = 0
    with pytest.raises(CardMute):
        capture(Dead(new_card("sample")))


def test_refusals_of_single_records_hide_no_other(tmp_path):
    """Four in a row want a proof, one is out of order: the fifth and the seventh are there."""
    refused = dict.fromkeys([f"00B20{number}3400" for number in (1, 2, 3, 4)], "6982")
    seen = capture(Counted(new_card("sample"), refused | {"00B2063400": "6581"}))
    whole = capture(port(new_card("sample"))).social.records[SSSE_FID, 0xEF06]
    assert seen.social.records[SSSE_FID, 0xEF06] == [whole[4], whole[6]]
    assert (SSSE_FID, 0xEF06) not in seen.social.rules
    new_card(str(written(tmp_path, seen, show_personal=True)))


def test_a_record_of_the_bank_behind_refused_ones_is_read():
    refused = dict.fromkeys(["00B2011400", "00B2021400", "00B2031400"], "6985")
    card = Counted(new_card("pboc"), refused | {"00B2041400": "7003500141" + "9000"})
    assert capture(card).bank.records[2, 4].hex() == "7003500141"


@pytest.mark.parametrize(("otherwise", "note"), [
    ({"00B2011400": "6982"}, "record 1 of SFI 02: an empty template is in its place."),
    ({"00B2011400": "FFFF9000"}, "record 1 of SFI 02: no sound template 70 of SFI 1 to 10."),
    ({"00B2010C00": "9000"}, ""),
    ({"00B2012C00": "9000"}, "records of DDF1/EF05 that the card did not give, beside others that it did."),
    ({"00200000": "63CF"}, "the 15 tries of the PIN: a profile has 14 at most."),
    ({"80CA9F1700": "9F1701FF9000"}, "the 255 tries of the bank's PIN: a profile has 14 at most."),
    ({"80CA9F1700": "9F17009000"}, "data element 9F17: it has 0 bytes."),
    ({"80CA9F7900": "9F79009000"}, "data element 9F79: it has 0 bytes."),
])  # fmt: skip
def test_a_card_with_odd_answers_has_a_twin(tmp_path, otherwise, note):
    seen = capture(Counted(new_card("sample"), otherwise), transaction=True)
    path = written(tmp_path, seen, show_personal=True)
    assert not note or note in told(path.read_text("utf-8"))
    twin = capture(port(new_card(str(path))), transaction=True).bank
    assert twin.records[2, 2] == seen.bank.records[2, 2]
    assert twin.afl[7] == (0 if "00B2011400" in otherwise else 1)  # signed records of SFI 2


def test_a_card_gone_before_anything_was_read_is_an_error():
    with pytest.raises(CardRemoved):
        capture(MemoryPort(faulty(new_card("sample"), removed(when=1))))


def test_an_interrupted_caller_has_what_was_read():
    class Stopped(Counted):
        def transmit(self, apdu):
            if len(self.sent) == 40:
                raise KeyboardInterrupt
            return super().transmit(apdu)

    seen = Capture()
    with pytest.raises(KeyboardInterrupt):
        capture(Stopped(new_card("sample")), into=seen)
    assert seen.social.records[SSSE_FID, 0xEF05]
    assert seen.at == "EF06 of DF01 of the SSSE"
