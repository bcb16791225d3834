"""What a capture keeps: of cards cut off, refused in parts, blocked, or unlike the tables."""

import re

import pytest

from sscard.iso.tlv import encode_simple
from sscard.sample import new_card
from sscard.spec.ssse import SSSE_FID
from sscard.states import STATES, card_in_state
from sscard.terminal.errors import OtherCard
from sscard.testing.capture import Capture, capture, to_toml
from sscard.testing.compare import Twins, compare
from sscard.testing.faults import faulty, removed
from sscard.transport import CardRemoved, MemoryPort, PoweredSlot

PROFILES = [
    "pboc", "pboc-16", "pboc-contactless", "pboc-ec", "pboc-only", "sample",
    "v1", "v1-ssf33", "v2", "v2-social-only", "v3", "walk",
]  # fmt: skip

CERTIFICATES = {"8F", "90", "92", "93", "9F46"}
OTHERWISE = {
    "v1-ssf33": {"data differ in 4 bytes, first at 14: MAC"},  # nobody computes SSF33
    "walk": {"6A82 file or application not found, not 9000 done"},  # the PSE: told as not captured
    "unpersonalised": {"6A82 file or application not found, not 9000 done"},
    "full-log": {"6A83 record not found, not 6982 the security status is not satisfied"},
}
STATE_COUNTS = {"pse-pin-blocked", "pse-app-blocked"}
"""The state is reached by a transaction more than the captured card's counters tell."""


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


@pytest.mark.parametrize("profile", PROFILES)
def test_a_twin_reads_as_the_card_does(tmp_path, profile):
    path = written(tmp_path, capture(port(new_card(profile))), show_personal=True)
    found = differences(new_card(profile), new_card(str(path)))
    assert {difference.why for difference in found} == OTHERWISE.get(profile, set())


@pytest.mark.parametrize("state", STATES)
def test_a_twin_in_the_state_that_is_told_reads_as_the_card_does(tmp_path, state):
    path = written(tmp_path, capture(port(card_in_state(state))), show_personal=True)
    text = path.read_text("utf-8")
    names = re.findall(r"--state ([a-z-]+)", text)
    twin = card_in_state(names[0], str(path)) if names else new_card(str(path))
    found = differences(card_in_state(state), twin)
    signed = {d.why for d in found if d.why.split(": ")[-1][:4].split()[0] in CERTIFICATES}
    left = [difference.why for difference in found if difference.why not in signed]
    if state in STATE_COUNTS:
        assert all("ATC" in why or "application transaction counter" in why for why in left)
    else:
        assert set(left) == OTHERWISE.get(state, set())
    assert not signed or any("certificates and signatures" in line for line in told(text))
    blocked = ("blocked", "exhausted")
    assert bool(names) == (state.startswith(("app-", "card-", "pse-")) and state.endswith(
        (*blocked, "-temporary", "-permanent")
    ))  # fmt: skip


def test_what_nobody_can_read_is_told():
    text = to_toml(capture(port(card_in_state("full-log"))))
    assert "records of DF04/EF08, if there are any: they want a proof." in "\n".join(told(text))


def test_a_card_that_is_blocked_whole_is_no_capture():
    dead = Counted(card_in_state("card-blocked", "v2-social-only"))
    with pytest.raises(OtherCard, match="answers 6A81 to SELECT of SSSE: it may be blocked"):
        capture(dead)


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
    assert "records of DDF1/EF06 that want a proof, beside others that are free." in told(text)
    twin = new_card(str(written(tmp_path, seen, show_personal=True)))
    assert capture(port(twin)).social.records[place][2:] == whole[2:]


def test_a_file_that_refuses_is_not_asked_for_ever():
    card = Counted(new_card("sample", {"ssse.ef.EF06.read": "PIN"}))
    assert capture(card).social.rules[SSSE_FID, 0xEF06] == "N"
    below = card.sent.index("00A4000002DF0100")
    assert [sent for sent in card.sent[:below] if sent.startswith("00B2") and sent[6:8] == "34"] == [
        "00B2013400", "00B2023400", "00B2033400"
    ]  # fmt: skip


def test_an_item_that_is_no_tlv_is_kept_as_it_is(tmp_path):
    odd = encode_simple(0x08, b"ABC") + b"\x09"
    card = Counted(new_card("sample"), {"00B2013400": odd.hex() + "9000"})
    text = written(tmp_path, capture(card), show_personal=True).read_text("utf-8")
    assert odd.hex().upper() in text


# --- cut off ----------------------------------------------------------------------------------


def test_a_capture_cut_off_anywhere_keeps_what_was_read(tmp_path):
    card = Counted(new_card("sample"))
    whole = capture(card)
    ends = set()
    for number in range(3, len(card.sent), 5):
        gone = faulty(new_card("sample"), removed(when=number))
        seen = capture(MemoryPort(gone))
        ends.add(seen.at)
        assert seen.cut == f"the card was taken out in command {number}"
        assert seen.social.records.items() <= whole.social.records.items()
        if seen.bank is None:
            assert not seen.at.startswith("SFI")
        else:
            assert seen.bank.records.items() <= whole.bank.records.items()
            assert seen.social == whole.social
        text = written(tmp_path, seen).read_text("utf-8")
        assert told(text)[0] == (
            f"what the card gives from {seen.at} on, for reading ended there: {seen.cut}."
        )
        if number % 20 == 3:
            new_card(str(tmp_path / "seen.toml"))
    assert {"the SSSE", "EF05 of DF01 of the SSSE"} <= ends
    assert any(end.startswith("SFI") for end in ends)


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
