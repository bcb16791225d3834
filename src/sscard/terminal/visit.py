"""One card in the terminal: where it stands, what was proved to it (ssse-lb002 4.3, 5.3).

The card keeps the security state; a terminal that knows the rules keeps book of it, so that it
proves each key once, and no PIN before the card has proved itself. Everything above (files, PIN
services, settlement) goes through a `Visit`.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from secrets import token_bytes

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.keys import equal
from sscard.keys.hierarchy import CardKey
from sscard.keys.vault import CardIdentity
from sscard.spec.online import Proof
from sscard.spec.ssse import SSSE_FID, Directory
from sscard.terminal.crypto_source import CryptoSource, Flavour, card_key, named_key
from sscard.terminal.environment import BLOCKED_WORDS, Environment, select_ssse
from sscard.terminal.errors import ApduError, KeyNotHeld, RightMissing, TerminalError
from sscard.terminal.rights import Proofs, alternatives
from sscard.terminal.secure import SecureMessaging
from sscard.terminal.stack import Channel, Reply

__all__ = ["Dialect", "Visit", "directory_name"]

_SSSE = "SSSE"
_LOCAL = 0x80
_STK_PLACES = ("DF01", "DF02", "DF03", "DF04")
"""Directories with a line protection key of their own (ssse-lb002 4.1)."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs from region to region: the switches of the cards' profile a terminal must know.

    `key_version` is the 17th byte of EXTERNAL AUTHENTICATE, None for none; `pin_initial` the
    PIN that cards are issued with.
    """

    sm_mode: Flavour = Flavour.SESSION
    pin_sm_key: str = "STK"
    medical_account: str = "deposit"
    block_mode: str = "auth+STKmac"
    key_version: int | None = None
    pin_initial: str = "123456"


@dataclass(slots=True)
class Visit:
    """The visit of one card: from its reset to its removal.

    `here` is the current directory, `proved` the KIDs proved and still good, `pin` whether the
    holder's PIN is; `words` the status words of single steps, for a report. `random` gives the
    terminal's random bytes.
    """

    channel: Channel
    source: CryptoSource
    environment: Environment
    dialect: Dialect = field(default_factory=Dialect)
    random: Callable[[int], bytes] = token_bytes
    identity: CardIdentity = field(init=False)
    here: str = _SSSE
    proved: set[int] = field(default_factory=set)
    pin: bool = False
    initial_pin: bool = False
    proof: Proof | None = None
    words: list[tuple[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.identity = self.environment.identity
        self.words.append(("select", self.environment.selected))

    @property
    def table(self) -> tuple[Directory, ...]:
        """The file tables of the card's version."""
        return self.environment.table

    # ---- where we are ----

    def enter(self, name: str) -> None:
        """Make a directory current: "SSSE", or "DF01" to "DF07".

        Entering the SSSE clears all that was proved; entering another DF only the keys of the
        last one (ssse-lb002 4.3). Nothing is sent when it is current already. Errors:
        `ApduError` (6A82 for a directory the card does not have).
        """
        if name == self.here:
            return
        if name == _SSSE:
            select_ssse(self.channel)
            self.proved.clear()
            self.pin = False
        else:
            select = Command(0x00, 0xA4, 0x00, 0x00, bytes.fromhex(name), 256)
            self.channel.send(select, *BLOCKED_WORDS)
            self.proved = {kid for kid in self.proved if kid < _LOCAL}
        self.here = name

    # ---- proofs ----

    def authenticate_card(self) -> bool:
        """Have the card prove the IRK; return whether it is genuine (ssse-lb002 5.3).

        The factor is the card's own challenge, the data are the terminal's. Errors:
        `AlgorithmNotHeld`, before anything is sent, where the FCI marks another algorithm than
        the source computes with (3.3).
        """
        self._turn_source()
        factor, data = self.channel.challenge(), self.random(8)
        answer = self.answer_of_card(factor, data)
        if answer.sw != SW.OK:
            return False
        expected = self.source.cryptogram(named_key("IRK@SSSE"), self.identity, factor, data)
        return self.accept_proof(Proof(factor, data, answer.data), expected)

    def _turn_source(self) -> None:
        if self.environment.algorithm is not None:
            self.source.turn_to(self.environment.algorithm)

    def answer_of_card(self, factor: bytes, data: bytes) -> Reply:
        """INTERNAL AUTHENTICATE: return what the card answers, whatever the status word."""
        command = Command(0x00, 0x88, 0x00, 0x00, factor + data, 256)
        reply = self.channel.exchange(command)
        self.words.append(("internal authentication", reply.sw))
        self.proof = None
        return reply

    def accept_proof(self, proof: Proof, expected: bytes) -> bool:
        """Compare the card's cryptogram with the `expected` one; return whether it is genuine."""
        self.proof = proof if equal(expected, proof.cryptogram) else None
        return self.proof is not None

    def authenticate(self, kid: int) -> None:
        """Prove a key to the card by EXTERNAL AUTHENTICATE, unless it is proved (ssse-lb002 5.3).

        `kid` is P2: below 80 a key of the SSSE. Errors: `KeyNotHeld`, `Blocked`, `ApduError`;
        `AlgorithmNotHeld` before a try of the card is spent.
        """
        if kid in self.proved:
            return
        self._turn_source()
        key = card_key(kid, self.here)
        challenge, data = self.channel.challenge(), self.random(8)
        self.prove(kid, self.source.cryptogram(key, self.identity, challenge, data), data)

    def prove(self, kid: int, cryptogram: bytes, data: bytes) -> None:
        """EXTERNAL AUTHENTICATE with a cryptogram that somebody made. Errors: as `authenticate`.

        Shapes: 8 bytes and 8 bytes.
        """
        proof = cryptogram + data
        if self.dialect.key_version is not None:
            proof += bytes((self.dialect.key_version,))
        try:
            self.channel.send(Command(0x00, 0x82, 0x00, kid, proof))
        except ApduError as error:
            self.words.append((f"external authentication {kid:02X}", error.sw))
            raise
        self.proved.add(kid)

    def require_genuine(self) -> None:
        """Refuse to go on with a card that has not proved itself (ssse-lb002 8, step 3)."""
        if self.proof is None:
            raise TerminalError("the card has not proved itself: internal authentication first")

    def fulfil(self, rule: str, what: str) -> None:
        """Prove what an access rule asks for, in the first way that is possible here.

        The PIN is never asked for: who has it verifies it before. Errors: `RightMissing`
        naming the rule; `Blocked` or `ApduError` when the card refuses a proof.
        """
        for way in alternatives(rule):
            if not self._lacks_pin(way) and all(self._possible(kid) for kid in way.kids):
                for kid in way.kids:
                    self.authenticate(kid)
                return
        raise RightMissing(f"{what} wants {_in_words(rule)}")

    def _lacks_pin(self, way: Proofs) -> bool:
        return way.pin and not self.pin

    def _possible(self, kid: int) -> bool:
        if kid in self.proved:
            return True
        with suppress(KeyNotHeld):
            return self.source.holds(card_key(kid, self.here), self.identity)
        return False

    # ---- secure messaging ----

    def transport_key(self, directory: str) -> CardKey:
        """Return the line protection key of a directory, or the SSSE's (ssse-lb002 4.7)."""
        place = directory if directory in _STK_PLACES else _SSSE
        return named_key(f"STK@{place}")

    def protected(self, key: CardKey, *, encipher: bool = False) -> Channel:
        """Return a channel whose commands are protected under a key of this card."""
        layer = SecureMessaging(
            self.channel.layer,
            self.source,
            key,
            self.identity,
            flavour=self.dialect.sm_mode,
            encipher=encipher,
        )
        return Channel(layer)

    # ---- blocking ----

    def block(self, directory: str, *, permanent: bool = False) -> None:
        """APPLICATION BLOCK of a directory; needs its LK, the SSSE's BK (ssse-lb002 4.7, 4.8)."""
        self._blocking(directory, Command(0x84, 0x1E, 0x00, int(permanent)))

    def unblock(self, directory: str) -> None:
        """APPLICATION UNBLOCK of a directory that is blocked temporarily."""
        self._blocking(directory, Command(0x84, 0x18, 0x00, 0x00))

    def block_card(self) -> None:
        """CARD BLOCK: the end of the social security environment. It cannot be undone."""
        self._blocking(_SSSE, Command(0x84, 0x16, 0x00, 0x00))

    def _blocking(self, directory: str, command: Command) -> None:
        self.enter(directory)
        lock = named_key("BK@SSSE" if directory == _SSSE else f"LK@{directory}")
        if self.dialect.block_mode == "mac_with_LK":
            self.protected(lock).send(command)
            return
        self.authenticate(lock.kid)
        self.protected(self.transport_key(directory)).send(command)

    def verified(self, sw: int) -> None:
        """Take down the status word of a VERIFY."""
        self.words.append(("verify", sw))


def directory_name(directory: Directory) -> str:
    """Return "SSSE" or "DF01": how files and keys name a directory."""
    return _SSSE if directory.fid == SSSE_FID else f"{directory.fid:04X}"


def _in_words(rule: str) -> str:
    if rule == "N":
        return "what nobody can prove"
    words = {"PIN": "the holder's PIN", "|": " or ", "&": " and "}
    text = rule
    for sign, word in words.items():
        text = text.replace(sign, word)
    return text.replace("K", "key ", 1) if text.startswith("K") else text.replace(" K", " key ")
