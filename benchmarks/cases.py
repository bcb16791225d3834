"""What is measured. Every case runs once and is checked before anybody times it."""

from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from itertools import cycle
from typing import Any
from unittest.mock import patch

from benchmarks.debit import OfflineDebit, OnlineDebit
from benchmarks.floor import BareCard, virtual_smart_card
from benchmarks.host import HostDebits
from benchmarks.measure import Case
from benchmarks.readers import reader_cases
from benchmarks.social import social_cases
from sscard.builder import build
from sscard.card import Activation, Card
from sscard.keys import rsa
from sscard.keys.session import cryptogram
from sscard.perso.profile import Profile
from sscard.sample import new_card, sample_card

__all__ = ["FLOOR", "cases"]

FLOOR = "floor: READ RECORD of a bare dispatcher"
SSSE = bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF00")
READ = bytes.fromhex("00B2052C00")
READ_LAST = bytes.fromhex("00B2072C00")
REFUSED = bytes.fromhex("00DC0528060504 20240116".replace(" ", ""))
UPDATES = [bytes.fromhex("00DC0528060504" + date) for date in ("20240116", "20240117")]
VERIFY = bytes.fromhex("0020000003123456")
CHALLENGE = bytes.fromhex("0084000008")
UK = 0x04


def cases() -> Iterator[Case]:
    """Yield the cases in the order of the table."""
    yield from _floors()
    yield from _reading()
    yield from reader_cases()
    yield from _security()
    yield from social_cases()
    yield from _paying()
    yield from _copies()
    yield from _making()


def _floors() -> Iterator[Case]:
    bare = BareCard()
    yield _apdu(FLOOR, bare.transmit, READ)
    peer = virtual_smart_card()
    if peer is not None:
        note = "Debian's python3-virtualsmartcard"
        yield _apdu("peer: READ BINARY 16", peer, bytes.fromhex("00B0850010"), note=note)
        yield _apdu("peer: GET CHALLENGE", peer, CHALLENGE, note=note)


def _reading() -> Iterator[Case]:
    card = _ssse()
    yield _apdu("READ RECORD", card.transmit, READ, goal=400_000)
    yield _apdu("READ RECORD, last of seven", card.transmit, READ_LAST)
    yield _apdu("refused UPDATE RECORD", card.transmit, REFUSED, sw="6982")
    yield _apdu("SELECT with FCI", card.transmit, SSSE, goal=200_000)
    yield _apdu("GET CHALLENGE", card.transmit, CHALLENGE)
    traced = sample_card()
    seen: list[object] = []
    traced.trace(lambda event: seen.clear())
    activation = traced.power_on()
    activation.transmit(SSSE)
    yield _apdu("READ RECORD, traced", activation.transmit, READ)


def _security() -> Iterator[Case]:
    card = _ssse()
    _apdu("", card.transmit, VERIFY)
    yield _apdu("VERIFY", card.transmit, VERIFY, note="two scrubbed transactions")
    key = Profile.load("sample").ssse
    assert key is not None
    update_key = key.key(0x0D, UK)
    assert update_key is not None

    def pair() -> None:
        challenge = card.transmit(CHALLENGE)[:8]
        proof = cryptogram(0, update_key.value, challenge, challenge) + challenge
        answer = card.transmit(bytes((0, 0x82, 0, UK, 16)) + proof)
        assert answer == b"\x90\x00", answer.hex()

    pair()
    yield Case("challenge + EXTERNAL AUTHENTICATE", pair, 25_000, note="terminal's part included")
    turns = cycle(UPDATES)
    for update in UPDATES:
        assert card.transmit(update) == b"\x90\x00"
    yield Case("atomic UPDATE RECORD", lambda: card.transmit(next(turns)), 60_000)


def _paying() -> Iterator[Case]:
    snapshot = sample_card().snapshot()
    debit = OnlineDebit(snapshot.fork().power_on())
    debit.run()
    note = "13 APDUs, terminal and issuer included; a fresh card each time"
    yield Case(
        "full online debit", lambda: OnlineDebit(snapshot.fork().power_on()).run(), note=note
    )
    yield from _signing()
    host = HostDebits()
    host.run()
    yield Case("host authorisation", host.run, note="ARQC, ARPC and one commit, SQLite in memory")


def _signing() -> Iterator[Case]:
    """Offline debits under a 1024-bit ICC key; gmpy2, where it is installed, beside `pow`."""
    agreeable = {
        "pse.df.DF01.oda.icc": "icc-1024",
        "pse.df.DF01.dgi.0E01": "9F510201569F520200009F560180"
        "9F570201569F360200009F130200005F340100",
        "pse.df.DF01.dgi.0D01": "9F5801FF9F5901FF9F4F199A039F21039F02069F03069F1A025F2A029F4E149C019F3602",
        "pse.df.DF01.dgi.9104": "82027D00940C080101001001020118010300",
    }
    snapshot = new_card("pboc", agreeable).snapshot()
    powers = {"pow": pow}
    if find_spec("gmpy2"):
        powers["gmpy2"] = import_module("gmpy2").powmod
    for kind, combined in (("DDA", False), ("CDA", True)):
        for name, power in powers.items():

            def run(combined: bool = combined, power: Callable[..., Any] = power) -> None:
                with patch.object(rsa, "_powmod", power):
                    OfflineDebit(snapshot.fork().power_on(), combined=combined).run()

            run()
            yield Case(
                f"offline debit with {kind}, {name}", run, note="1024 bits; a fresh card each time"
            )


def _copies() -> Iterator[Case]:
    card = sample_card()
    card.power_on().transmit(SSSE)
    snapshot = card.snapshot()
    yield Case("fork of a snapshot", snapshot.fork, 100_000)
    yield Case("restore of 80 KiB", lambda: card.restore(snapshot), 100_000)
    yield Case("power-on", card.power_on)
    yield Case("fork + power-on + SELECT", lambda: snapshot.fork().power_on().transmit(SSSE))
    image = card.image
    yield Case("mount of an image + power-on", lambda: Card.from_image(image).power_on())


def _making() -> Iterator[Case]:
    profile = Profile.load("sample")
    yield Case("personalisation by APDUs", lambda: new_card(profile), 60)
    yield Case("personalisation by builder", lambda: build(profile), 1_000)


def _ssse() -> Activation:
    activation = sample_card().power_on()
    assert activation.transmit(SSSE)[-2:] == b"\x90\x00"
    return activation


def _apdu(
    name: str,
    transmit: Callable[[bytes], bytes],
    apdu: bytes,
    *,
    sw: str = "9000",
    goal: float | None = None,
    note: str = "",
) -> Case:
    answer = transmit(apdu)
    if answer[-2:].hex() != sw:
        raise AssertionError(f"{name}: {answer.hex()} instead of {sw}")
    return Case(name, lambda: transmit(apdu), goal, note=note)
