"""The national reader interface: its functions by their names (ssse-lb002 8; LD/T 33).

Argument order, result strings and codes are the library's; what it returns in pOutInfo comes
back beside the code. `_HSM_Step1/2/3` are in `steps`, what functions share in the modules below.
"""

from collections.abc import Callable
from typing import NamedTuple, Self

from sscard.errors import SscardError
from sscard.iso.sw import SW
from sscard.terminal import files, medical, pin
from sscard.terminal.medical import Area
from sscard.terminal.national.basic import basic_text
from sscard.terminal.national.card_files import (
    AuthType,
    Target,
    read_all,
    targets,
    updates,
    way,
    write_all,
)
from sscard.terminal.national.codes import Code, code_of_sw
from sscard.terminal.national.debits import parse_pay_info, record_line, result
from sscard.terminal.national.equipment import Equipment
from sscard.terminal.national.failures import NationalError, failure
from sscard.terminal.national.holder import Trust, ask, ask_new
from sscard.terminal.national.pad import Prompt
from sscard.terminal.national.session import Session
from sscard.terminal.national.steps import PUK, HsmSteps
from sscard.terminal.psam_source import PsamSource

__all__ = ["Answer", "NationalReader"]

_LOG = "DF04/EF08"


class Answer(NamedTuple):
    """What a call gives back: the code, and pOutInfo (on failure what the code says).

    The repr of a success hides pOutInfo, which holds the holder's data or his new PIN.
    """

    code: int
    out: str

    def __repr__(self) -> str:
        out = "'..'" if self.code == Code.OK and self.out else repr(self.out)
        return f"Answer(code={int(self.code)}, out={out})"


class NationalReader:
    """A reader and its library. Each call finds and resets the card anew.

    The HSM flows alone keep the card powered from one step to the next; any other call ends
    them. Usable as a context manager, which closes it. No call raises for what the card, the
    PSAM, the holder or the program did: that is what codes are for.
    """

    def __init__(self, equipment: Equipment) -> None:
        self._equipment = equipment
        self._trust = Trust()
        self._steps = HsmSteps(equipment, self._trust)

    # ---- reading and writing ----

    def iReadCardBas(self, iType: int) -> Answer:
        """读基本信息: eleven fields, of a card that has proved itself.

        Region, 社会保障号码, 卡号, 卡识别码, name, historical bytes, version, date of issue, of
        expiry, terminal number, device number.
        """

        def read(session: Session) -> str:
            session.compute()
            if session.holder_data_want_a_key:
                session.require_rk()
            self._trust.require(session)
            return basic_text(session)

        return self._on_card(iType, read)

    def iReadCard(self, iType: int, iAuthType: int, pCardInfo: str, pFileAddr: str) -> Answer:
        """通用读卡: items of files; where PIN or key will do, iAuthType 1 is the PIN, 2 the key."""

        def read(session: Session) -> str:
            auth = _auth_type(iAuthType)
            found = targets(session, pFileAddr)
            session.require(pCardInfo)
            if any(way(target.file.read, auth).pin for target in found):
                self._trust.require(session)
            prove = _Rights(session, auth)
            return read_all(session, found, lambda target: prove(target, target.file.read))

        return self._on_card(iType, read)

    def iWriteCard(self, iType: int, pCardInfo: str, pFileAddr: str, pWriteData: str) -> Answer:
        """通用写卡: items of files, by the right of their keys; nothing comes back."""

        def write(session: Session) -> str:
            wanted = updates(targets(session, pFileAddr), pWriteData)
            session.require(pCardInfo)
            self._trust.require(session)
            prove = _Rights(session, AuthType.KEY)
            write_all(session, wanted, lambda target: prove(target, target.file.update))
            return ""

        return self._on_card(iType, write)

    # ---- the PIN ----

    def iVerifyPIN(self, iType: int) -> Answer:
        """PIN校验: ask the holder and compare."""

        def verify(session: Session) -> str:
            self._trust.require(session)
            pin.verify(session.visit, ask(self._equipment))
            return ""

        return self._on_card(iType, verify)

    def iChangePIN(self, iType: int) -> Answer:
        """PIN修改: ask for the old one, and twice for the new one; never back to the initial."""

        def change(session: Session) -> str:
            self._trust.require(session)
            old, new = ask(self._equipment, Prompt.OLD), ask_new(self._equipment)
            try:
                pin.change(session.visit, old, new)
            except pin.InitialPin as error:
                raise NationalError(Code.PIN_TO_INITIAL) from error
            return ""

        return self._on_card(iType, change)

    def iReloadPIN(self, iType: int, pCardInfo: str) -> Answer:
        """PIN重置: a new PIN with all its tries, by the right of the PUK."""

        def reload(session: Session) -> str:
            session.require(pCardInfo)
            self._prove_to_psam(session)
            session.visit.authenticate(PUK)  # before the holder is asked in vain
            pin.reload(session.visit, ask_new(self._equipment))
            return ""

        return self._on_card(iType, reload)

    def iUnblockPIN(self, iType: int, pCardInfo: str) -> Answer:
        """PIN解锁: all its tries for the same PIN, by the right of the PUK."""

        def unblock(session: Session) -> str:
            session.require(pCardInfo)
            self._prove_to_psam(session)
            pin.unblock(session.visit)
            return ""

        return self._on_card(iType, unblock)

    # ---- money ----

    def iDoDebit(self, iType: int, pCardInfo: str, pPayInfo: str) -> Answer:
        """消费交易: debit the medical account, with the holder's PIN and the PSAM's MAC1."""

        def debit(session: Session) -> str:
            pay = parse_pay_info(pPayInfo, self._equipment.clock())
            session.require(pCardInfo)
            visit = session.visit
            source = self._prove_to_psam(session)
            pin.verify(visit, ask(self._equipment))
            if visit.initial_pin:
                raise NationalError(Code.PIN_INITIAL)
            opened = medical.begin(visit, pay.amount_fen, pay.at, source.terminal_number())
            receipt = medical.complete(visit, opened, Area.CITY)
            return result(opened.request.transaction, receipt)

        return self._on_card(iType, debit)

    def iReadDebitRecord(self, iType: int) -> Answer:
        """读消费交易记录: the debit log, newest first; it wants the holder's PIN."""

        def read(session: Session) -> str:
            self._trust.require(session)
            pin.verify(session.visit, ask(self._equipment))
            rows = files.read(session.visit, _LOG).rows
            if not rows:
                raise NationalError(code_of_sw(SW.RECORD_NOT_FOUND))
            return "".join(record_line(row) for row in rows)

        return self._on_card(iType, read)

    # ---- with an HSM instead of a PSAM ----

    def iReadCardBas_HSM_Step1(self, iType: int) -> Answer:
        """读基本信息, step 1: region, historical bytes, algorithm, card id, challenges, device."""
        return self._begin(lambda: self._steps.read_basic(iType))

    def iReadCardBas_HSM_Step2(self, pKey: str) -> Answer:
        """读基本信息, step 2: play the HSM's strings; the result is that of `iReadCardBas`."""
        return self._answer(lambda: self._steps.read_basic_2(pKey))

    def iReadCard_HSM_Step1(self, iType: int, pCardInfo: str, pFileAddr: str) -> Answer:
        """通用读卡, step 1: algorithm, key address, two challenges; -2204 when no key is wanted."""
        return self._begin(lambda: self._steps.read_card(iType, pCardInfo, pFileAddr))

    def iReadCard_HSM_Step2(self, pKey: str) -> Answer:
        """通用读卡, step 2: the result is that of `iReadCard`."""
        return self._answer(lambda: self._steps.read_card_2(pKey))

    def iWriteCard_HSM_Step1(self, iType: int, pCardInfo: str, pFileAddr: str) -> Answer:
        """通用写卡, step 1: algorithm, key address, two challenges."""
        return self._begin(lambda: self._steps.write_card(iType, pCardInfo, pFileAddr))

    def iWriteCard_HSM_Step2(self, pKey: str, pWriteData: str) -> Answer:
        """通用写卡, step 2: prove the key and write."""
        return self._answer(lambda: self._steps.write_card_2(pKey, pWriteData))

    def iReloadPIN_HSM_Step1(self, iType: int, pCardInfo: str) -> Answer:
        """PIN重置, step 1: algorithm, address of the PUK, two challenges."""
        return self._begin(lambda: self._steps.puk(iType, pCardInfo, reload=True))

    def iReloadPIN_HSM_Step2(self, pKey: str) -> Answer:
        """PIN重置, step 2: prove the PUK; algorithm, key address, challenge, header, new PIN."""
        return self._answer(lambda: self._steps.puk_2(pKey, reload=True))

    def iReloadPIN_HSM_Step3(self, pKey: str) -> Answer:
        """PIN重置, step 3: send the command the HSM made."""
        return self._answer(lambda: self._steps.puk_3(pKey, reload=True))

    def iUnblockPIN_HSM_Step1(self, iType: int, pCardInfo: str) -> Answer:
        """PIN解锁, step 1: as of `iReloadPIN_HSM`."""
        return self._begin(lambda: self._steps.puk(iType, pCardInfo, reload=False))

    def iUnblockPIN_HSM_Step2(self, pKey: str) -> Answer:
        """PIN解锁, step 2: as of `iReloadPIN_HSM`, without a PIN."""
        return self._answer(lambda: self._steps.puk_2(pKey, reload=False))

    def iUnblockPIN_HSM_Step3(self, pKey: str) -> Answer:
        """PIN解锁, step 3: send the command the HSM made."""
        return self._answer(lambda: self._steps.puk_3(pKey, reload=False))

    def iDoDebit_HSM_Step1(self, iType: int, pCardInfo: str, pPayInfo: str) -> Answer:
        """消费交易, step 1: what MAC1 is made of.

        Algorithm, key address, the card's random number and sequence, amount, type, terminal,
        moment.
        """
        return self._begin(lambda: self._steps.debit(iType, pCardInfo, pPayInfo))

    def iDoDebit_HSM_Step2(self, pKey: str) -> Answer:
        """消费交易, step 2: debit; the result is that of `iDoDebit`, its MAC2 for the HSM."""
        return self._answer(lambda: self._steps.debit_2(pKey))

    # ---- the end ----

    def close(self) -> None:
        """End a flow that was begun and forget the card."""
        self._steps.end()
        self._trust.forget()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- how ----

    def _on_card(self, i_type: int, function: Callable[[Session], str]) -> Answer:
        """Run a function on a fresh session of its own."""

        def run() -> str:
            self._steps.end()
            session = self._trust.meet(self._equipment, i_type)
            try:
                return function(session)
            finally:
                session.close()

        return self._answer(run)

    def _begin(self, step: Callable[[], str]) -> Answer:
        """Run the first step of a flow; another that was begun ends here."""
        self._steps.end()
        return self._answer(step)

    def _answer(self, call: Callable[[], str]) -> Answer:
        try:
            return Answer(Code.OK, call())
        except SscardError as error:
            return Answer(*failure(error))

    def _prove_to_psam(self, session: Session) -> PsamSource:
        """Have the card prove itself to the PSAM, which is needed for more than that."""
        source = session.compute()
        self._trust.remember(session, session.prove_genuine())
        return source


class _Rights:
    """Proves what files ask for, one after the other; the PIN is asked for once."""

    def __init__(self, session: Session, auth: AuthType) -> None:
        self._session = session
        self._auth = auth
        self._digits: str | None = None

    def __call__(self, target: Target, rule: str) -> None:
        """Prove the rule of a file whose directory is current."""
        proofs = way(rule, self._auth)
        if proofs.pin:
            self._verify()
        if proofs.kids:
            self._session.compute()
        for kid in proofs.kids:
            self._session.visit.authenticate(kid)

    def _verify(self) -> None:
        if self._session.visit.pin:
            return
        if self._digits is None:
            self._digits = ask(self._session.equipment)
        pin.verify(self._session.visit, self._digits)


def _auth_type(i_auth_type: int) -> AuthType:
    try:
        return AuthType(i_auth_type)
    except ValueError:
        raise NationalError(Code.ARGUMENT, "iAuthType is 1 (PIN) or 2 (key)") from None
