"""One card in the reader, for one call or one HSM flow (ssse-lb002 5.3, 8).

Opening finds the card by iType, resets it, reads its environment and looks at what every
function looks at first: card type, identification code, card number. The PSAM is put to work
only where a function needs it.
"""

from contextlib import suppress
from typing import NoReturn

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.keys import Algorithm
from sscard.keys.hierarchy import CardKey
from sscard.keys.vault import CardIdentity
from sscard.spec.checks import is_card_number
from sscard.spec.online import Proof
from sscard.spec.ssse import RID
from sscard.terminal.checks import Policy
from sscard.terminal.crypto_source import Flavour, Mac1, PurchaseRequest, named_key
from sscard.terminal.environment import Environment
from sscard.terminal.errors import (
    AlgorithmNotHeld,
    KeyNotHeld,
    KeyOutOfReach,
    OtherCard,
)
from sscard.terminal.files import file_named
from sscard.terminal.national.codes import Code, code_of_sw
from sscard.terminal.national.equipment import Equipment
from sscard.terminal.national.failures import NationalError
from sscard.terminal.psam_source import PsamSource
from sscard.terminal.social import SocialTerminal
from sscard.terminal.visit import Visit
from sscard.transport.port import CardAbsent, CardUnpowered, Port, ReaderAbsent

__all__ = ["Session"]

HOLDER_FILE = "SSSE/EF06"
_READ_CODE = Command(0x00, 0xB2, 0x01, 0x05 << 3 | 4, le=256)


class NoSource:
    """The source of cryptography of a reader without a PSAM: it holds nothing."""

    def turn_to(self, algorithm: Algorithm) -> None:
        """Nothing to turn."""

    def holds(self, key: CardKey, card: CardIdentity) -> bool:
        """Never."""
        return False

    def _refuse(self, *_: object) -> NoReturn:
        raise KeyNotHeld("nobody computes here: there is no PSAM")

    def cryptogram(self, key: CardKey, card: CardIdentity, factor: bytes, data: bytes) -> bytes:
        """Refuse."""
        self._refuse()

    def encrypt(
        self, key: CardKey, card: CardIdentity, challenge: bytes, data: bytes, flavour: Flavour
    ) -> bytes:
        """Refuse."""
        self._refuse()

    def mac(
        self, key: CardKey, card: CardIdentity, challenge: bytes, message: bytes, flavour: Flavour
    ) -> bytes:
        """Refuse."""
        self._refuse()

    def card_id_mac(self, card: CardIdentity, code: bytes) -> bytes | None:
        """None: cannot."""
        return None

    def terminal_number(self) -> bytes:
        """Refuse."""
        self._refuse()

    def purchase(self, card: CardIdentity, request: PurchaseRequest) -> Mac1:
        """Refuse."""
        self._refuse()

    def settle(self, mac2: bytes) -> None:
        """Refuse."""
        self._refuse()


class Session:
    """A card that was found, reset and looked at; closed, it and the PSAM have no power.

    Errors: of the slots and of `SocialTerminal`; `NationalError` -20 and -15 for an
    identification code or a card number that is none, or the status word of a blocked card.
    """

    def __init__(self, equipment: Equipment, i_type: int) -> None:
        self.equipment = equipment
        self._psam: Port | None = None
        self.desk = self._found(i_type)
        self._open = True
        try:
            self._look()
        except BaseException:
            self.close()
            raise

    @property
    def visit(self) -> Visit:
        """What was proved to the card, and where one stands in it."""
        return self.desk.visit

    @property
    def card(self) -> Environment:
        """What was read after the reset."""
        return self.desk.environment

    @property
    def algorithm(self) -> str:
        """The card's algorithm as its FCI marks it: 01 DES, 02 SSF33, 03 SM4 (ssse-lb002 3.3)."""
        return self.card.marker or "01"

    @property
    def fingerprint(self) -> tuple[bytes, bytes]:
        """What tells this card from others: answer to reset, identification code."""
        return self.card.atr, self.card.code

    @property
    def holder_data_want_a_key(self) -> bool:
        """Whether the holder's data want RK_SSSE: a card of the third generation."""
        return file_named(self.visit.table, HOLDER_FILE)[1].read != "F"

    def require(self, card_info: str) -> None:
        """Compare the identification code and card number a program gives with the card's.

        Errors: `NationalError` -14, -20, -22.
        """
        parts = card_info.split("|")
        if len(parts) < 2:
            raise NationalError(Code.ARGUMENT, "pCardInfo is 卡识别码|卡号|")
        code, number = parts[0].strip().upper(), parts[1].strip()
        if len(code) != 32 or not all(digit in "0123456789ABCDEF" for digit in code):
            raise NationalError(Code.CARD_ID_FORMAT)
        if (code, number) != (self.card.code.hex().upper(), self.card.number):
            raise NationalError(Code.INPUT_DIFFERS)

    def compute(self) -> PsamSource:
        """Put the PSAM to work for this card and return it; a second call returns the same.

        Errors: `NationalError` -2201 without one, -2202 when it lacks the card's algorithm.
        """
        if isinstance(self.visit.source, PsamSource):
            return self.visit.source
        if self.equipment.psam is None:
            raise NationalError(Code.NO_PSAM)
        try:
            self._psam = self.equipment.psam()
        except (CardAbsent, CardUnpowered, ReaderAbsent) as error:
            raise NationalError(Code.NO_PSAM, str(error)) from error
        unmarked = Algorithm.SSF33 if self.card.marker else Algorithm.TDES
        wanted = self.card.algorithm or unmarked
        try:
            source = PsamSource(self._psam, wanted=wanted)
        except OtherCard as error:
            raise NationalError(Code.NO_PSAM, str(error)) from error
        except AlgorithmNotHeld as error:
            raise NationalError(Code.PSAM_ALGORITHM, str(error)) from error
        source.place = self.equipment.place or source.terminal_number().hex()[:6]
        self.visit.source = source
        return source

    def require_rk(self) -> None:
        """Make sure that the PSAM holds RK_SSSE. Errors: -2203 when not, -24 out of reach."""
        key = named_key("RK@SSSE")
        try:
            self.visit.source.cryptogram(key, self.visit.identity, bytes(8), bytes(8))
        except KeyOutOfReach:
            raise
        except KeyNotHeld as error:
            raise NationalError(Code.PSAM_NO_RK, str(error)) from error

    def prove_genuine(self) -> Proof:
        """Have the card prove the IRK to the PSAM (ssse-lb002 5.3).

        Errors: `NationalError` -21, or the card's status word.
        """
        if not self.visit.authenticate_card():
            sw = SW(self.visit.words[-1][1])
            raise NationalError(Code.NOT_GENUINE if sw == SW.OK else code_of_sw(sw))
        assert self.visit.proof is not None, "a genuine card has given a proof"
        return self.visit.proof

    def close(self) -> None:
        """Take the power from card and PSAM; a second call does nothing."""
        if not self._open:
            return
        self._open = False
        psam, self._psam = self._psam, None
        try:
            self.desk.close()
        finally:
            if psam is not None:
                psam.close()

    # ---- opening ----

    def _found(self, i_type: int) -> SocialTerminal:
        absent: CardAbsent | None = None
        for slot in self.equipment.slots(i_type):
            try:
                return self._reset(slot())
            except CardAbsent as error:
                absent = error
        assert absent is not None, "there is a slot, and no card in it"
        raise absent

    def _reset(self, port: Port) -> SocialTerminal:
        equipment = self.equipment
        try:
            return SocialTerminal(
                port,
                NoSource(),
                Policy(equipment.clock().date()),
                dialect=equipment.dialect,
                case_4_le=equipment.case_4_le,
                random=equipment.random,
            )
        except BaseException:
            with suppress(OSError):
                port.close()
            raise

    def _look(self) -> None:
        if not self.card.readable:
            sw = self.visit.channel.exchange(_READ_CODE).sw
            if sw == SW.FILE_NOT_FOUND:  # a PSAM has the environment's name, and no EF05
                raise NationalError(Code.WRONG_CARD_TYPE)
            raise NationalError(code_of_sw(sw if sw != SW.OK else SW.WRONG_DATA))
        if not self.card.region or self.card.code[3:8] != RID:
            raise NationalError(Code.CARD_ID_FORMAT, self.card.code.hex().upper())
        if not is_card_number(self.card.number):
            raise NationalError(Code.CHECKSUM, "卡号")
