"""The PSAM as the source of a terminal's cryptography, through a port of its own (cos 7.3, 7.4).

BF DE makes a session key of the card's key and a challenge, 80 1A the card's key itself, 80 FA
computes with what was made, 80 70 and 80 72 are the terminal's side of a debit. A PSAM holds
its keys at its own tier: the levels in the usage byte that a table names are those of a
province's, and what a city's or a ministry's PSAM calls the same key is found by asking.
"""

from collections.abc import Iterator

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.keys import Algorithm
from sscard.keys.hierarchy import CardKey, Tier, factors
from sscard.keys.mac import fold4, fold16
from sscard.keys.padding import pad80, pad80_if_needed, zero_pad
from sscard.keys.vault import CardIdentity
from sscard.spec.psam import (
    APPLICATION_NAME,
    ENVIRONMENT_NAMES,
    LEVELS_MAX,
    TERMINAL_FID,
    TERMINAL_SIZE,
    usage_byte,
)
from sscard.terminal.crypto_source import Flavour, Mac1, PurchaseRequest
from sscard.terminal.errors import (
    AlgorithmNotHeld,
    ApduError,
    Blocked,
    KeyNotHeld,
    KeyOutOfReach,
    OtherCard,
    SettlementFailed,
)
from sscard.terminal.stack import Channel, Transmitter, channel

__all__ = ["PsamSource"]

_INIT_SESSION, _INIT_FOR_DESCRYPT = (0xBF, 0xDE), (0x80, 0x1A)
_ENCIPHER_LAST, _ENCIPHER_MORE = 0x00, 0x02
_MAC_ALONE, _MAC_FIRST, _MAC_NEXT, _MAC_LAST = 0x05, 0x07, 0x03, 0x01
_PIECE = 0xF0
"""Bytes of one DES_CRYPT: whole blocks of both sizes."""
_TYPE = 0x1F
_ALGORITHMS = {"3des": Algorithm.TDES, "sm4": Algorithm.SM4}

_OTHER_USE = 0x6981
"""What INIT SESSION answers for a key that makes no MACs, one for purchases."""


class PsamSource:
    """A PSAM in its slot. `algorithm` is that of its environment: 3DES (sx1) or SM4 (sx3).

    `wanted` is the algorithm of the cards to come; None takes the environment that is there.
    `place` is the six digits of the city the PSAM was issued for: with it a key below the
    ministry's tier is not tried on cards it cannot reach. `piece` bounds the data of one
    DES_CRYPT, for PSAMs that take less than the most; it is a multiple of 16. Errors at once:
    `OtherCard` when the card is no PSAM, `AlgorithmNotHeld`.
    """

    def __init__(
        self,
        port: Transmitter | Channel,
        *,
        wanted: Algorithm | None = None,
        place: str = "",
        piece: int = _PIECE,
    ) -> None:
        self._channel = port if isinstance(port, Channel) else channel(port)
        self._piece = piece
        self.place = place
        self._levels: dict[tuple[int, int], int | None] = {}
        self.algorithm = self._environment(wanted)
        self._select_application()
        self._terminal: bytes | None = None

    # ---- what a terminal asks ----

    def turn_to(self, algorithm: Algorithm) -> None:
        """Change to the environment of an algorithm. Errors: `AlgorithmNotHeld`."""
        if algorithm is not self.algorithm:
            try:
                self.algorithm = self._environment(algorithm)
                self._levels.clear()
            finally:
                self._select_application()

    def holds(self, key: CardKey, card: CardIdentity) -> bool:
        """Whether INIT SESSION accepts the key at some level; one of another use it does not."""
        try:
            self._init(_INIT_SESSION, key, card, self._block_of(bytes(8)))
        except KeyNotHeld:
            return False
        except ApduError as error:
            if error.sw != _OTHER_USE:
                raise
            return False
        return True

    def cryptogram(self, key: CardKey, card: CardIdentity, factor: bytes, data: bytes) -> bytes:
        """See `CryptoSource.cryptogram`: BF DE, then 80 FA. Source: cos 7.4."""
        self._init(_INIT_SESSION, key, card, self._block_of(factor))
        block = self._encipher(self._block_of(data))
        return fold16(block) if len(block) == 16 else block

    def encrypt(
        self, key: CardKey, card: CardIdentity, challenge: bytes, data: bytes, flavour: Flavour
    ) -> bytes:
        """See `CryptoSource.encrypt`."""
        self._init_for(flavour, key, card, challenge)
        plain = bytes((len(data),)) + data
        return self._encipher(pad80_if_needed(plain, self.algorithm.block))

    def mac(
        self, key: CardKey, card: CardIdentity, challenge: bytes, message: bytes, flavour: Flavour
    ) -> bytes:
        """See `CryptoSource.mac`: 80 FA begins with the IV; the padding is ours."""
        self._init_for(flavour, key, card, challenge)
        block = self.algorithm.block
        iv = bytes(block) if flavour is Flavour.SESSION else zero_pad(challenge, block)
        made = self._mac(iv + pad80(message, block))
        return fold4(made) if len(made) == 16 and flavour is Flavour.SESSION else made[:4]

    def card_id_mac(self, card: CardIdentity, code: bytes) -> bytes | None:
        """None: the IRK of a PSAM (usage 67) enciphers and makes no MACs (cos 7.2)."""
        return None

    def terminal_number(self) -> bytes:
        """EF 0016 of the PSAM's MF, 6 bytes."""
        if self._terminal is None:
            self._channel.send(Command(0x00, 0xA4, 0x00, 0x00, bytes.fromhex("3F00"), 256))
            sfi = TERMINAL_FID & 0x1F
            self._terminal = self._channel.send(
                Command(0x00, 0xB0, 0x80 | sfi, 0x00, le=TERMINAL_SIZE)
            )
            self._select_application()
        return self._terminal

    def purchase(self, card: CardIdentity, request: PurchaseRequest) -> Mac1:
        """See `CryptoSource.purchase`: 80 70. Errors: `KeyNotHeld`, `Blocked`.

        A PSAM refuses a path of the wrong length (6700) before it spends a number, so the level
        is found by asking.
        """
        debit = request.transaction
        fixed = (
            request.random
            + request.sequence.to_bytes(2, "big")
            + debit.amount_fen.to_bytes(4, "big")
            + bytes((debit.kind,))
            + debit.closing
            + bytes((request.version, request.algorithm))
        )
        for levels in (2, 1, 3, 0):
            if not self._reaches(levels, card):
                continue
            command = Command(0x80, 0x70, 0, 0, fixed + _path(card, levels), 256)
            reply = self._channel.exchange(command)
            if reply.sw == SW.OK:
                return Mac1(int.from_bytes(reply.data[:4], "big"), reply.data[4:8])
            if reply.sw == SW.BLOCKED:
                raise Blocked(reply.sw, command)
            if reply.sw != SW.WRONG_LENGTH:
                raise KeyNotHeld(f"purchase key {request.version:02X} of the PSAM: {reply.sw}")
        missing = KeyNotHeld if self._reaches(Tier.CITY, card) else KeyOutOfReach
        raise missing(f"purchase key {request.version:02X} of the PSAM fits no level")

    def settle(self, mac2: bytes) -> None:
        """See `CryptoSource.settle`: 80 72."""
        command = Command(0x80, 0x72, 0, 0, mac2)
        reply = self._channel.exchange(command)
        if reply.sw != SW.OK:
            raise SettlementFailed(f"the PSAM refuses the card's MAC2: {reply.sw}")

    # ---- how ----

    def _environment(self, wanted: Algorithm | None) -> Algorithm:
        found = False
        for name, algorithm in _ALGORITHMS.items():
            select = Command(0x00, 0xA4, 0x04, 0x00, ENVIRONMENT_NAMES[name], 256)
            if self._channel.exchange(select).sw == SW.OK:
                found = True
                if wanted in (None, algorithm):
                    return algorithm
        if found and wanted is not None:
            raise AlgorithmNotHeld(f"the PSAM has no environment of {wanted.label}")
        raise OtherCard("the card in the PSAM slot has no environment of a PSAM")

    def _reaches(self, levels: int, card: CardIdentity) -> bool:
        """Whether a key `levels` diversifications above cards is above this one, too.

        A ministry's reaches every card; one that is not diversified at all tells nothing.
        """
        if not self.place or levels not in (Tier.CITY, Tier.PROVINCE):
            return True
        digits = 2 if levels == Tier.PROVINCE else 6
        return card.region[:digits] == self.place[:digits]

    def _select_application(self) -> None:
        select = Command(0x00, 0xA4, 0x04, 0x00, APPLICATION_NAME, 256)
        if self._channel.exchange(select).sw != SW.OK:
            raise OtherCard("the card in the PSAM slot has no application D15600000590")

    def _block_of(self, eight: bytes) -> bytes:
        return zero_pad(eight, self.algorithm.block)

    def _init_for(
        self, flavour: Flavour, key: CardKey, card: CardIdentity, challenge: bytes
    ) -> None:
        if flavour is Flavour.SESSION:
            self._init(_INIT_SESSION, key, card, self._block_of(challenge))
        else:
            self._init(_INIT_FOR_DESCRYPT, key, card, b"")

    def _init(
        self, instruction: tuple[int, int], key: CardKey, card: CardIdentity, last: bytes
    ) -> None:
        """Make a temporary key. Errors: `KeyNotHeld`, `KeyOutOfReach`."""
        for usage, number in self._names_of(key):
            levels = usage >> 5
            command = Command(*instruction, usage, number, _path(card, levels) + last)
            sw = self._channel.exchange(command).sw
            if sw == SW.OK:
                self._levels[usage & _TYPE, number] = levels
                if not self._reaches(levels, card):
                    raise KeyOutOfReach(f"the PSAM holds {key.label} for {self.place} alone")
                return
            if sw != SW.DATA_NOT_FOUND:
                raise ApduError(sw, command)
        for usage, number in key.psam:
            self._levels.setdefault((usage & _TYPE, number), None)
        raise KeyNotHeld(f"the PSAM holds no {key.label} at a level that reaches the card")

    def _names_of(self, key: CardKey) -> Iterator[tuple[int, int]]:
        """Yield usage and id, the known level first, then the table's, then every other."""
        tried = set()
        for usage, number in key.psam:
            kind = usage & _TYPE
            known = self._levels.get((kind, number), usage >> 5)
            if known is None:
                continue
            for level in (known, usage >> 5, *range(LEVELS_MAX, -1, -1)):
                name = usage_byte(kind, level), number
                if name not in tried:
                    tried.add(name)
                    yield name

    def _encipher(self, data: bytes) -> bytes:
        return b"".join(
            self._channel.send(
                Command(0x80, 0xFA, _ENCIPHER_LAST if last else _ENCIPHER_MORE, 0, piece, 256)
            )
            for piece, last in self._pieces(data)
        )

    def _mac(self, data: bytes) -> bytes:
        made, first = b"", True
        for piece, last in self._pieces(data):
            p1 = (_MAC_ALONE if last else _MAC_FIRST) if first else _MAC_LAST if last else _MAC_NEXT
            made = self._channel.send(Command(0x80, 0xFA, p1, 0, piece, 256))
            first = False
        return made

    def _pieces(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        size = self._piece
        for at in range(0, len(data), size):
            yield data[at : at + size], at + size >= len(data)


def _path(card: CardIdentity, levels: int) -> bytes:
    """The factors from the key of a PSAM to the card's, innermost first (ssse-lb002 5.1)."""
    path = tuple(factors(card.region, card.csn8).values())
    return b"".join(reversed(path[len(path) - levels :]))
