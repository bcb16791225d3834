"""Capture of the bank's application: what comes back from a card made after another."""

import pytest
from bank_till import AT, Bank, till
from cli_bench import Cli

from sscard.iso.tlv import encode, encode_simple, find, parse
from sscard.sample import new_card
from sscard.spec.ssse import SSSE_FID
from sscard.states import card_in_state
from sscard.terminal.errors import OtherCard
from sscard.testing.capture import capture, to_toml
from sscard.transport import MemoryPort, PoweredSlot

PROFILES = ["pboc", "pboc-only", "pboc-16", "pboc-ec", "pboc-contactless", "sample", "v2"]
CERTIFIED = {0x8F, 0x90, 0x92, 0x93, 0x9F32, 0x9F46, 0x9F47, 0x9F48}
PERSONAL = {0x5A, 0x57, 0x5F20, 0x9F61}
HOLDER = b"".join(
    (
        encode(0x57, bytes.fromhex("6210950000000000017D30126201234567895F")),
        encode(0x5F20, b"ZHANG/SECRET MAN"),
        encode(0x9F61, b"199001019999"),
    )
)
OWN_NAME = {"pse.df.DF01.dgi.0101": encode(0x70, HOLDER).hex()}


def seen_of(card, **options):
    return capture(MemoryPort(PoweredSlot(card)), **options)


def twin_of(seen, tmp_path, **options):
    path = tmp_path / "seen.toml"
    path.write_text(to_toml(seen, **options), encoding="utf-8")
    return new_card(str(path))


def objects(record):
    return dict(parse(find(record, 0x70)))


@pytest.mark.parametrize("transaction", [False, True])
@pytest.mark.parametrize("profile", PROFILES)
def test_a_twin_answers_alike_but_for_its_holder_and_keys(tmp_path, profile, transaction):
    first = seen_of(new_card(profile), transaction=transaction)
    again = seen_of(twin_of(first, tmp_path), transaction=transaction)
    assert (first.social is None, first.bank is None) == (again.social is None, again.bank is None)
    if first.bank is None:
        return
    for name in ("aid", "directory_fci", "directory", "fci", "elements", "log", "aip", "afl"):
        assert getattr(first.bank, name) == getattr(again.bank, name), name
    assert first.bank.records.keys() == again.bank.records.keys()
    for place, record in first.bank.records.items():
        here, there = objects(record), objects(again.bank.records[place])
        assert list(here) == list(there), place
        assert {tag for tag in here if here[tag] != there[tag]} <= CERTIFIED | PERSONAL


@pytest.mark.parametrize("profile", ["pboc-only", "sample"])
def test_with_its_own_data_the_twin_is_the_same_but_for_keys(tmp_path, profile):
    first = seen_of(new_card(profile), transaction=True)
    again = seen_of(twin_of(first, tmp_path, show_personal=True), transaction=True)
    assert first == again  # the shipped profiles have the keys a captured card gets


def test_a_twin_pays_and_its_certificates_hold(tmp_path):
    twin = twin_of(seen_of(new_card("pboc-16")), tmp_path)
    receipt = till(twin, host=Bank()).pay(100, AT)
    assert receipt.approved
    assert receipt.tvr & 0xFC00000000 == 0  # no offline data authentication failed


def test_a_blocked_pin_is_said(tmp_path):
    """No profile has a PIN without tries; a state has."""
    first = seen_of(card_in_state("pse-pin-blocked", "sample"))
    again = seen_of(twin_of(first, tmp_path))
    assert (first.bank.elements.pop(0x9F17), again.bank.elements.pop(0x9F17)) == (b"\0", b"\3")
    assert again.bank.elements == first.bank.elements
    assert "# Not captured: the PIN has no tries left" in to_toml(seen_of(
        card_in_state("pse-pin-blocked", "sample")
    ))  # fmt: skip


def test_no_personal_data_unless_asked_for():
    seen = seen_of(new_card("pboc", OWN_NAME))
    hidden, shown = to_toml(seen), to_toml(seen, show_personal=True)
    for secret in (b"SECRET MAN".hex(), "6210950000000000017", b"199001019999".hex()):
        assert secret.upper() in shown
        assert secret.upper() not in hidden
    assert '"pan" = "6210959990000000002"' in hidden


def test_what_an_odd_card_has_in_its_public_file_stays_out():
    """An item of EF05 that no table knows may be the holder's number."""
    seen = seen_of(new_card("v2"))
    odd = encode_simple(0x08, b"110101199001010011")
    seen.social.records[SSSE_FID, 0xEF05].append(odd)
    assert odd.hex().upper() in to_toml(seen, show_personal=True)
    hidden = to_toml(seen)
    assert "110101199001010011" not in hidden
    assert b"110101199001010011".hex() not in hidden.lower()
    assert "# Not captured: records of DDF1/EF05: they are not those of v2." in hidden


def test_without_certificates_the_twin_has_none(tmp_path):
    bare = new_card("pboc", {
        "pse.df.DF01.oda.present": False,
        "pse.df.DF01.ef.EF03.present": False,
        "pse.df.DF01.dgi.9104": "82021C009408080101001001020 0".replace(" ", ""),
    })  # fmt: skip
    first = seen_of(bare, transaction=True)
    again = seen_of(twin_of(first, tmp_path), transaction=True)
    assert again.bank.records.keys() == first.bank.records.keys()
    assert (again.bank.aip.hex(), again.bank.afl.hex()) == ("1c00", "0801010010010200")
    assert "certificates" not in to_toml(first)


def test_what_is_not_captured_is_said():
    lines = to_toml(seen_of(new_card("pboc-ec"))).splitlines()
    told = [line for line in lines if line.startswith("# Not captured: ")]
    assert any("9F10" in line for line in told)
    assert any("no transaction was begun" in line for line in told)
    assert any("DGI 9203" in line for line in told)
    assert any("CA key 80" in line for line in told)
    opened = to_toml(seen_of(new_card("pboc-ec"), transaction=True))
    assert "no transaction was begun" not in opened


def test_a_transaction_counts_and_reading_does_not():
    card = new_card("pboc")
    assert seen_of(card).bank.elements[0x9F36] == b"\0\0"
    assert seen_of(card, transaction=True).bank.elements[0x9F36] == b"\0\0"
    assert seen_of(card).bank.elements[0x9F36] == b"\0\1"


def test_a_card_with_neither_application_is_refused():
    with pytest.raises(OtherCard, match="neither of the two"):
        seen_of(new_card("blank"))


def test_a_dgi_of_the_profile_extended_can_be_taken_away():
    card = new_card("pboc", {"pse.df.DF01.dgi.0202": False})
    assert (2, 2) not in seen_of(card).bank.records
    assert Cli()("capture", "--help")


def test_values_nobody_knows_are_not_copied():
    secret = b"SECRET MAN"
    holder = HOLDER + encode(0x9F6B, secret) + encode(0x61, encode(0x5F20, secret))
    entry = encode(0x4F, bytes.fromhex("A000000333010101")) + encode(0x73, secret)
    card = new_card("pboc", {
        "pse.df.DF01.dgi.0101": encode(0x70, holder).hex(),
        "pse.dgi.0101": encode(0x70, encode(0x61, entry)).hex(),
    })  # fmt: skip
    seen = seen_of(card)
    assert to_toml(seen, show_personal=True).count(secret.hex().upper()) >= 3
    assert secret.hex().upper() not in to_toml(seen)


def test_what_an_answer_to_select_holds_besides_is_not_copied(tmp_path):
    """A value of the issuer's own, deep in the FCI of the application and of the PSE."""
    secret = b"SECRET MAN"
    own = encode(0xBF0C, encode(0x9F4D, b"\x0b\x0a") + encode(0xDF20, secret))
    card = new_card("pboc", {
        "pse.df.DF01.dgi.9102": encode(0xA5, encode(0x50, b"DEBIT") + own).hex(),
        "pse.dgi.9102": encode(0xA5, encode(0x88, b"\x01") + own).hex(),
    })  # fmt: skip
    seen = seen_of(card)
    assert to_toml(seen, show_personal=True).count(secret.hex().upper()) == 2
    assert secret.hex().upper() not in to_toml(seen)
    twin = seen_of(twin_of(seen, tmp_path)).bank
    assert twin.fci == seen.bank.fci.replace(secret, bytes(len(secret)))
    assert twin.log == (11, 10)


def test_numbers_that_are_none_make_no_trouble():
    """PAN and track 2 with letters in them, and a track 2 that ends too soon."""
    seen = seen_of(new_card("pboc"))
    for odd in ("62109500ABCEEF", "6210950000000000017DABCDE", "621095000017D12F", "D0"):
        track = encode(0x57, bytes.fromhex(odd + "F" * (len(odd) % 2)))
        pan = encode(0x5A, bytes.fromhex("6210AB9501"))
        seen.bank.records[1, 1] = encode(0x70, track + pan)
        text = to_toml(seen)
        assert "ABC" not in text
        assert "6210AB95" not in text
        assert "AB9501" in to_toml(seen, show_personal=True)
