"""The social side: authentication, a basic read and a debit, with a PSAM beside the card.

Card and PSAM are in memory; whatever a terminal does between their answers is included.
"""

from collections.abc import Iterator
from datetime import date, datetime

from benchmarks.measure import Case
from sscard.card import Activation, Snapshot
from sscard.perso.roots import demo_vault
from sscard.sample import sample_card, sample_psam
from sscard.terminal import CryptoSource, Policy, PsamSource, SocialTerminal, VaultSource
from sscard.transport.memory import MemoryPort, PoweredSlot

__all__ = ["social_cases"]

_SSSE = bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF")
_PSAM = bytes.fromhex("00A4040006D15600000590")
_INTERNAL = bytes.fromhex("008800001011223344556677880102030405060708")
_INTERNAL_ANSWER = bytes.fromhex("70927040DD33EED59000")
_CHALLENGE = bytes.fromhex("0084000008")
_PATH = bytes.fromhex("86499999000000013939393930317378")
_AT = datetime(2026, 7, 1, 10, 30)
_REGION = "999901"
_PIN = "123456"
_BALANCE_FEN = 50_000_000


def social_cases() -> Iterator[Case]:
    """Yield the cases of the social side, each run once and checked."""
    card, psam = sample_card().snapshot(), sample_psam().snapshot()
    yield from _authentication(card.fork().power_on(), psam.fork().power_on())
    yield from _visits(card, psam)


def _authentication(card: Activation, psam: Activation) -> Iterator[Case]:
    _ok(card, _SSSE)
    _ok(psam, _PSAM)

    def internal() -> None:
        assert card.transmit(_INTERNAL) == _INTERNAL_ANSWER

    def external() -> None:
        challenge = _ok(card, _CHALLENGE)
        _ok(psam, b"\xbf\xde\x48\x12\x18" + _PATH + challenge)
        proof = _ok(psam, b"\x80\xfa\x00\x00\x08" + challenge)
        _ok(card, b"\x00\x82\x00\x04\x10" + proof + challenge)

    internal()
    external()
    yield Case("INTERNAL AUTHENTICATE", internal)
    yield Case("EXTERNAL AUTHENTICATE by PSAM", external, note="challenge, BF DE, 80 FA, 00 82")


def _visits(card: Snapshot, psam: Snapshot) -> Iterator[Case]:
    """iReadCardBas: environment and its checks, internal authentication, the holder's data."""
    vault = VaultSource(demo_vault("sample"))
    sam = PsamSource(MemoryPort(PoweredSlot(psam.fork())))
    for name, source in (("vault", vault), ("PSAM", sam)):
        port = MemoryPort(PoweredSlot(card.fork()))

        def read(source: CryptoSource = source, port: MemoryPort = port) -> None:
            port.reset()
            terminal = SocialTerminal(port, source, Policy(_AT.date()), region=_REGION)
            terminal.accept()
            assert terminal.holder().name == "张测试"

        read()
        yield Case(f"basic read, {name}", read, note="reset, environment, checks, holder")
    desk = _desk(card, sam)
    desk.load(vault, _BALANCE_FEN, _AT)

    def debit() -> None:
        desk.settle(1, _AT)

    debit()
    yield Case("debit of the medical account", debit, note="80 50, 80 70, 80 54, 80 72")


def _desk(card: Snapshot, source: CryptoSource) -> SocialTerminal:
    policy = Policy(date(2026, 7, 1))
    port = MemoryPort(PoweredSlot(card.fork()))
    desk = SocialTerminal(port, source, policy, region=_REGION)
    desk.accept()
    desk.verify_pin(_PIN)
    desk.reload_pin("246810")  # with the initial PIN nothing is settled
    desk.verify_pin("246810")
    return desk


def _ok(card: Activation, apdu: bytes) -> bytes:
    answer = card.transmit(apdu)
    assert answer[-2:] == b"\x90\x00", (apdu.hex(), answer.hex())
    return answer[:-2]
