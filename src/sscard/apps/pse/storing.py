"""Where the DGIs of STORE DATA go: records, EF90, EF91, key records (pse-pboc 9, 9.3).

What is written in a command is seen by what the same command writes after it, so key records
are read from their slots here, not from what was parsed before.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from sscard.apps.pse import records
from sscard.apps.pse.application import ANSWER_MOST, DATA_FILE, KEY_FILE, Application
from sscard.apps.pse.files import write_file
from sscard.apps.pse.grouping import Place, place_of, stored
from sscard.apps.pse.layout import build_entries, parse_entries
from sscard.apps.pse.quick import signature_has_place
from sscard.cos.keyfile import check_value
from sscard.cos.objects import LIVE, KeyRecord, KeyType, Kind
from sscard.cos.refusal import Refusal
from sscard.cos.tree import FileNode
from sscard.iso.sw import SW
from sscard.keys import Algorithm
from sscard.spec.dgis import AIP_AFL_CASH, CONTACTLESS, PIN_TRIES

__all__ = ["finish", "store"]

_REF = "pse-pboc 9.3"
_CARD_KEYS = (KeyType.ISSUER_AC, KeyType.ISSUER_MAC, KeyType.ISSUER_ENC)
_KEY_LENGTH, _CHECK_LENGTH, _PIN_LENGTH = 16, 3, 8
_KEY_ID = 0x01
_UNLIMITED, _PIN_TRIES_DEFAULT = 0xFF, 0x33
_LIMITS = range(1, 16)
_THROUGH_CHANNEL = (Place.CARD_KEYS, Place.CHECK_VALUES, Place.PIN)


def store(card: Application, dgi: int, value: bytes, *, secure: bool) -> None:
    """Put one DGI, its value in plain, into the transaction.

    `secure`: it came through the secure channel, which alone brings card keys and PIN.
    Refuses: 6982 those outside it, 6A88 a DGI that is unknown or has no file, 6A84, 6A80.
    """
    place = place_of(dgi, directory=card.node.parent is None)
    if place in _THROUGH_CHANNEL and not secure:
        why = f"DGI {dgi:04X} comes through the secure channel only"
        raise Refusal(SW.SECURITY_STATUS, why, "pse-pboc 9")
    writer = _WRITERS.get(place)
    if writer is None:
        raise Refusal(SW.DATA_NOT_FOUND, f"DGI {dgi:04X} is unknown here", _REF)
    writer(card, _Grouping(dgi, value, secure))


def finish(card: Application) -> None:
    """Put the application into use: the last block is stored.

    Refuses: 6A80 an ICC key whose signatures would not fit a response (4.9).
    """
    key = card.private_key
    longest = 0 if key is None else card.longest_answer(key.size)
    if longest > ANSWER_MOST:
        why = f"answers with the ICC key's signature would have {longest} bytes"
        raise Refusal(SW.WRONG_DATA, why, "pse-pboc 4.9")
    if key is not None and not signature_has_place(card, key.size):
        why = "no record has a 9F4B for the signature of a key above 1024 bits"
        raise Refusal(SW.WRONG_DATA, why, "pse-pboc 6.2")
    body = card.body.without_entry(PIN_TRIES)
    write_file(card, DATA_FILE, body._replace(personalised=True).build())


class _Grouping(NamedTuple):
    """One DGI with its value; whether it came through the secure channel."""

    dgi: int
    value: bytes
    secure: bool


# ---- data ----------------------------------------------------------------------------------------


def _store_record(card: Application, group: _Grouping) -> None:
    sfi, number = group.dgi >> 8, group.dgi & 0xFF
    node = card.node.by_sfi.get(sfi)
    if node is None or node.kind != Kind.LINEAR_VARIABLE or node.damaged:
        raise Refusal(SW.DATA_NOT_FOUND, f"there is no record file {sfi:02X}", "pse-pboc 9")
    records.put(card.domain.store, node, number, group.value)


def _store_data(card: Application, group: _Grouping) -> None:
    options = card.domain.options
    if group.dgi == AIP_AFL_CASH and options["electronic_cash"] == "off":
        raise Refusal(SW.DATA_NOT_FOUND, "the card has no electronic cash", "pse-pboc 6")
    if group.dgi in CONTACTLESS and options["contactless"] == "off":
        raise Refusal(SW.DATA_NOT_FOUND, "the card has no contactless interface", "pse-pboc 6")
    strict = options["risk_data_tags"] == "strict"
    body = stored(card.body, group.dgi, group.value, strict=strict)
    write_file(card, DATA_FILE, body.build())


def _store_rsa(card: Application, group: _Grouping) -> None:
    node = card.file(KEY_FILE)
    held = parse_entries(card.domain.store.read(node.body, node.header.body_length))
    write_file(card, KEY_FILE, build_entries({**held, group.dgi: group.value}))


# ---- key records ---------------------------------------------------------------------------------


def _store_card_keys(card: Application, group: _Grouping) -> None:
    """8000: UDK-AC, UDK-MAC, UDK-ENC, in the records that are there, else in new ones."""
    value = group.value
    if len(value) != _KEY_LENGTH * len(_CARD_KEYS):
        raise Refusal(SW.WRONG_DATA, "8000 is three keys of 16 bytes", _REF)
    for at, kind in enumerate(_CARD_KEYS):
        key = value[at * _KEY_LENGTH : (at + 1) * _KEY_LENGTH]
        _put_key(card, kind, key, _header(kind, _KEY_ID, _UNLIMITED))


def _check_card_keys(card: Application, group: _Grouping) -> None:
    """9000: the check values of 8000, which comes before it."""
    held = {key.type: key.kcv for key in _live(card)}
    expected = b"".join(held.get(kind, b"") for kind in _CARD_KEYS)
    if len(expected) != _CHECK_LENGTH * len(_CARD_KEYS):
        raise Refusal(SW.CONDITIONS, "9000 comes after 8000", _REF)
    if not card.domain.crypto.same(expected, group.value):
        raise Refusal(SW.WRONG_DATA, "the check values are not those of the keys", _REF)


def _store_pin(card: Application, group: _Grouping) -> None:
    """8010: the reference PIN, with the tries 9010 has said, 3 of 3 if it comes later."""
    if len(group.value) != _PIN_LENGTH:
        raise Refusal(SW.WRONG_DATA, "8010 is a PIN block of 8 bytes", _REF)
    _put_key(card, KeyType.PIN, group.value, _header(KeyType.PIN, 0, _PIN_TRIES_DEFAULT))
    waiting = card.body.entries.get(PIN_TRIES)
    if waiting is not None:
        pin = _pin(card)
        assert pin is not None  # it was just put
        _put_tries(card, pin, waiting)


def _store_pin_tries(card: Application, group: _Grouping) -> None:
    """9010: try counter and limit of the PIN; in the channel it may come before its PIN."""
    value = group.value
    pin = _pin(card)
    if pin is None and not group.secure:
        raise Refusal(SW.DATA_NOT_FOUND, "there is no PIN to count the tries of", _REF)
    if len(value) != 2 or not value[0] <= value[1] or value[1] not in _LIMITS:
        raise Refusal(SW.WRONG_DATA, "9010 is a counter up to a limit of 1 to 15", _REF)
    if pin is not None:
        _put_tries(card, pin, value)
    if group.secure:
        write_file(card, DATA_FILE, card.body.with_entry(PIN_TRIES, value).build())


def _put_tries(card: Application, pin: KeyRecord, value: bytes) -> None:
    left, limit = value
    initial = min(max(left, 1), 14)  # a header byte of FF would mean unlimited
    _put(card, pin.address, pin._replace(tries=limit << 4 | initial, tries_left=left))


def _put_key(card: Application, kind: int, value: bytes, header: bytes) -> None:
    """Put a key into its record, new or with another value. Refuses: 6A88, 6581, 6A84."""
    holder = _holder(card)
    check = check_value(kind, Algorithm.TDES, value)
    for key in _live(card):
        if key.type == kind and key.algorithm == Algorithm.TDES:
            _put(card, key.address, key._replace(value=value, kcv=check))
            return
    slot = card.domain.keys.free_slot(holder)
    if slot is None:
        raise Refusal(SW.NO_SPACE, "every slot of the key EF is taken", "pse-pboc 9")
    _put(card, slot, KeyRecord.from_header(header + bytes((len(value),)), value, check))


def _put(card: Application, address: int, key: KeyRecord) -> None:
    card.domain.store.write(address, key.build())
    card.domain.after_commit(card.domain.keys.forget)


def _header(kind: int, identifier: int, tries: int) -> bytes:
    """Return a key header without its length: free to use, changed by the directory's owner.

    Interpretation: DGIs bring values alone, so the rest is what WRITE KEY usually says (cos 4.4).
    """
    head = (kind, identifier, 0x01, Algorithm.TDES, tries, 0xFF)
    return bytes(head) + bytes.fromhex("0000 8F00 01")


def _holder(card: Application) -> FileNode:
    holder = card.node.key_file
    if holder is None:
        raise Refusal(SW.DATA_NOT_FOUND, "the application has no key EF", "pse-pboc 9")
    if holder.damaged:
        raise Refusal(SW.MEMORY_FAILURE, "the key EF is damaged", "cos 2.5")
    return holder


def _live(card: Application) -> Iterator[KeyRecord]:
    """Yield the keys of the application as they will stand after this command."""
    for address, raw in card.domain.keys.slots(_holder(card)):
        if raw[0] == LIVE:
            key = KeyRecord.parse(raw, address)
            if key.intact:
                yield key


def _pin(card: Application) -> KeyRecord | None:
    """Return the PIN's record, that of the application or of its environment."""
    if card.node.key_file is not None:
        for key in _live(card):
            if key.type == KeyType.PIN and key.id == 0:
                return key
    return card.pin


_WRITERS: dict[Place, Callable[[Application, _Grouping], None]] = {
    Place.RECORD: _store_record,
    Place.DATA: _store_data,
    Place.RSA_KEY: _store_rsa,
    Place.PIN_TRIES: _store_pin_tries,
    Place.CARD_KEYS: _store_card_keys,
    Place.CHECK_VALUES: _check_card_keys,
    Place.PIN: _store_pin,
}
