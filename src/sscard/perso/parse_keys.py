"""Tables of keys and PINs in a profile, to keys of this card (cos 4.4; ssse-lb002 4.2)."""

from sscard.errors import ProfileError
from sscard.iso.text import bcd
from sscard.keys import Algorithm
from sscard.keys.cps import card_keys
from sscard.keys.diversify import chain
from sscard.keys.pboc import pin_block, udk
from sscard.perso.model import Channel, Key
from sscard.perso.place import Place, access
from sscard.perso.table import Table
from sscard.spec.codes import (
    ALGORITHMS,
    KEY_FLAG_KCV,
    KEY_FLAG_PROTECTED,
    KEY_FLAG_SESSION,
    KEY_TYPES,
    MASTER_GRANT,
    PIN_GRANT,
)

__all__ = ["CHANNEL_KEYS", "PIN_TRIES_MOST", "channel", "master_key", "pin", "plain_key"]

PIN_TRIES_MOST = 14
"""15 of 15 would be the byte FF, which means unlimited (cos 4.4)."""
CHANNEL_KEYS = 4
"""Key records of a secure channel: types 13 to 16 (pse-pboc 9)."""

_COUNTED = ("external", "puk", "pin_reload")
_NOT_DERIVED = {
    "des": "absent: a single-DES key is given by its value",
    "ssf33": "absent: nobody can derive a key with SSF33, so it is given by its value",
}


def plain_key(name: str, table: Table, place: Place) -> Key:
    """Read one table of [..key]: any key but a master key or a PIN."""
    kinds = {word: word for word in KEY_TYPES if word not in ("master", "pin")}
    kind = table.choice("type", kinds)
    id_ = table.hex_number("id", 2)
    external = kind == "external"
    return _finished_key(
        name,
        table,
        place,
        kind=kind,
        id_=id_,
        tries=0xEE if kind in _COUNTED else 0xFF,
        grant=id_ & 0x0F if external else 0xFF,
        session=place.domain == 1,
    )


def master_key(table: Table, word: str, place: Place) -> Key | None:
    """Read [..master] or [..transport]; None when it is absent."""
    if word not in table:
        return None
    inner = table.table(word)
    if not inner.flag("present", True):
        return None
    return _finished_key(
        word, inner, place, kind="master", id_=0, tries=0x88, grant=MASTER_GRANT, session=False
    )


def _finished_key(
    name: str,
    table: Table,
    place: Place,
    *,
    kind: str,
    id_: int,
    tries: int,
    grant: int,
    session: bool,
) -> Key:
    algorithms = {word: word for word in ALGORITHMS if kind != "master" or word != "ssf33"}
    if place.algorithm not in algorithms and "algorithm" not in table:
        raise ProfileError(f"{table.where('algorithm')} is missing: a master key is never SSF33")
    algorithm = table.choice("algorithm", algorithms, place.algorithm)
    flags = KEY_FLAG_PROTECTED
    flags |= KEY_FLAG_SESSION if table.flag("session", session) else 0
    flags |= KEY_FLAG_KCV if table.flag("kcv", False) else 0
    made = Key(
        name=name,
        type=KEY_TYPES[kind],
        id=id_,
        version=table.number("version", 1, 255, 1),
        algorithm=ALGORITHMS[algorithm],
        tries=_tries(table, tries),
        grant=table.hex_number("grant", 2, grant),
        use=access(table, "use", place, "F"),
        change=access(table, "change", place, "MK"),
        flags=flags,
        value=_key_value(table, place, algorithm),
    )
    table.finish()
    return made


def _tries(table: Table, default: int) -> int:
    tries = table.hex_number("tries", 2, default)
    if tries != 0xFF and not 1 <= tries & 0x0F <= tries >> 4:
        table.wrong("tries", "FF (unlimited) or maximum and initial tries, like EE or 33")
    return tries


def _key_value(table: Table, place: Place, algorithm: str) -> bytes:
    """Return the key of this card: given, derived from a root, or from an issuer key and PAN."""
    sources = [word for word in ("value", "root", "mdk") if word in table]
    if len(sources) != 1:
        raise ProfileError(f"{table.path}: exactly one of value, root, mdk must be given")
    source = sources[0]
    if source == "value":
        return table.secret(source, Algorithm(ALGORITHMS[algorithm]).key_length)
    material = table.secret(source, 16)
    if source == "mdk":
        try:
            return udk(material, place.pan, place.psn)
        except ValueError as wrong:
            raise ProfileError(f"{table.where(source)} needs pan and psn: {wrong}") from None
    factors = place.identity.factors
    words = table.texts("factors", tuple(factors))
    if not set(words) <= factors.keys():
        table.wrong("factors", f"some of {', '.join(factors)}")
    if algorithm in _NOT_DERIVED:
        table.wrong(source, _NOT_DERIVED[algorithm])
    return chain(ALGORITHMS[algorithm], material, [factors[word] for word in words])


def pin(table: Table, place: Place) -> Key:
    """Read [..pin]: digits, limit, tries left, and the form in which VERIFY sends it.

    15 tries of 15 would be the byte FF, which means unlimited (cos 4.4).
    """
    limit = table.number("limit", 1, PIN_TRIES_MOST)
    left = table.number("tries_left", 1, limit, limit)
    digits = table.text("digits")
    form = table.choice("form", {"bcd": "bcd", "block2": "block2"}, "bcd")
    try:
        value = pin_block(digits) if form == "block2" else bcd(digits)
    except ValueError:
        value = b""
    if not 2 <= len(value) <= 8:
        table.wrong("digits", "4 to 12 digits" if form == "block2" else "an even number, 4 to 16")
    made = Key(
        name="PIN",
        type=KEY_TYPES["pin"],
        id=0,
        version=table.number("version", 1, 255, 1),
        algorithm=ALGORITHMS["3des"],
        tries=limit << 4 | left,
        grant=PIN_GRANT if place.domain == 1 else 0xFF,
        use=access(table, "use", place, "F"),
        change=access(table, "change", place, "MK"),
        flags=KEY_FLAG_PROTECTED,
        value=value,
    )
    table.finish()
    return made


def channel(table: Table, place: Place) -> Channel:
    """Read [pse.channel]: the KMC that opens the secure channel, and its level (pse-pboc 9.1)."""
    identifier = table.hex_bytes("identifier", 6)
    serial = place.identity.historical[-4:]
    made = Channel(
        version=table.number("version", 1, 255, 1),
        identifier=identifier,
        serial=serial,
        level=table.choice("level", {"none": 0x00, "mac": 0x01, "mac_enc": 0x03}, "mac"),
        card_keys=card_keys(table.secret("kmc", 16), identifier + serial),
    )
    table.finish()
    return made
