"""The kernel: power state, current domain, the order of checks, one transaction a command.

It owns what cos 3.1 gives it and nothing else; what a command does is its handler's business,
what an environment answers differently its applet's. RAM of one activation: a kernel dies
with the power. Source: cos 3, 5.3; architecture section 4.
"""

from collections.abc import Sequence

from sscard.cos.commands import Le, Survives, form_refusal
from sscard.cos.domain import Domain
from sscard.cos.eeprom import WriteFailure
from sscard.cos.journal import FirewallViolation, JournalOverflow
from sscard.cos.refusal import Refusal, Reply
from sscard.cos.selection import Selector
from sscard.cos.trace import Alarm, Exchanged, Listener
from sscard.cos.volume import Volume
from sscard.cos.wiring import Wiring
from sscard.env import Env
from sscard.iso.apdu import Command, MalformedApdu
from sscard.iso.sw import SW

__all__ = ["Kernel"]

_OK = bytes(SW.OK)
_SELECT, _GET_RESPONSE = 0xA4, 0xC0
_ALL_OF_IT = (None, 256)
"""Le absent, or 00."""
_MALFORMED = Refusal(SW.WRONG_LENGTH, "the bytes are no short command APDU", "cos 5.3")
_MUTE = Refusal(SW.INTERNAL_FAULT, "the card is mute until reset", "cos 1.4")


class Kernel:
    """One activation's kernel.

    Shapes: `t0` shapes answers as a T=0 contact card does (61xx, 6Cxx, GET RESPONSE);
    otherwise data and status word come at once. `transmit` never raises but for PowerLoss
    and bugs.
    """

    def __init__(
        self, volume: Volume, env: Env, wiring: Wiring, listeners: Sequence[Listener], *, t0: bool
    ) -> None:
        self._volume = volume
        self._env = env
        self._wiring = wiring
        self._listeners = listeners
        self._t0 = t0
        self.domains = wiring.domains
        self.current = self._unless_locked(self.domains[0])
        self._selector = Selector(self.domains, volume)
        self._pending = b""
        self._pending_cla = 0
        self._mute = False
        self._refusal: Refusal | None = None

    def transmit(self, raw: bytes) -> bytes:
        """Answer one command APDU: data and status word, at least two bytes."""
        if self._listeners:
            return self._watched(raw)
        return self._answer(raw)

    def _answer(self, raw: bytes) -> bytes:
        try:
            command = Command.parse(raw)
        except MalformedApdu:
            return self._answer_malformed(raw)
        if self._mute:
            return self._refuse(_MUTE)
        domain = self.current
        try:
            return self._execute(domain, command)
        except Refusal as refusal:
            self._drop(domain)
            return self._refuse(refusal)
        except WriteFailure as failure:
            self._drop(domain)
            if domain is not None and self._volume.generation != self._volume.eeprom.generation:
                domain.damaged = True  # committed, but not all of it home: power-on goes on
                domain.refresh_restriction()
            return self._refuse(Refusal(SW.MEMORY_FAILURE, str(failure), "cos 1.2"))
        except JournalOverflow as overflow:
            self._drop(domain)
            return self._refuse(Refusal(SW.UNCHANGED, str(overflow), "cos 1.4, 5.3"))
        except FirewallViolation as violation:
            self._drop(domain)
            self._mute = True
            for listener in self._listeners:
                listener(Alarm(str(violation)))
            return self._refuse(Refusal(SW.INTERNAL_FAULT, str(violation), "cos 1.4"))
        except Exception:
            self._drop(domain)  # a bug escapes; the transaction it had begun does not
            raise

    def _answer_malformed(self, raw: bytes) -> bytes:
        """Answer bytes that are no APDU: 6700; from 4 on they count as a command (README 11)."""
        if len(raw) < 4:
            return self._refuse(_MALFORMED)
        if self._mute:
            return self._refuse(_MUTE)
        self._pending = b""
        if self.current is not None:
            session = self.current.session
            self.current.lapse(session, session.challenges, session.app)
        return self._refuse(_MALFORMED)

    def _refuse(self, refusal: Refusal) -> bytes:
        """Return the status word of a refusal, and keep its rule for the listeners, if any.

        Not the way it came: that would keep alive whatever the callers of `transmit` hold.
        """
        if self._listeners:
            refusal.__traceback__ = refusal.__context__ = None
            self._refusal = refusal
        return bytes(refusal.sw)

    def _execute(self, domain: Domain | None, command: Command) -> bytes:
        """Run the checks of cos 5.3 in their order, then the handler, then commit."""
        ins = command.ins
        if ins == _GET_RESPONSE and (
            not command.cla or (self._pending and command.cla == self._pending_cla)
        ):
            return self._get_response(domain, command)
        self._pending = b""
        if ins == _SELECT and not command.cla:
            try:
                selected = self._selector.select(domain, command)
            finally:
                self.current = self._selector.current
            return self._shape(command, selected.data, selected.sw, Le.IGNORED)
        if domain is None:
            raise Refusal(SW.NOT_SUPPORTED, "no environment is current", "ssse-lb002 4.8")
        session = domain.session
        challenges, begun = session.challenges, session.app
        try:
            row = session.table.get(command.cla << 8 | ins)
            if row is None:
                raise session.table.unknown(command.cla, ins, domain.applet.channel)
            if (
                (row.p1 is not None and command.p1 not in row.p1)
                or (row.p2 is not None and command.p2 not in row.p2)
                or (row.lc is not None and len(command.data) not in row.lc)
                or (row.lc_by_p2 is not None and len(command.data) not in row.lc_by_p2[command.p2])
            ):
                raise form_refusal(row, command)
            if session.restriction is not None:
                domain.gate(row)
            if session.directory is None and Survives.BLANK not in row.survives:
                raise Refusal(SW.NOT_SUPPORTED, "the card has no MF", "ssse-lb002 3.11")
            reply = row.handler(domain, command)
            domain.commit()
            if domain.rewiring_due:
                domain.rewiring_due = False
                self._wiring.rewire()
                self.current = self._unless_locked(domain)
        finally:
            if challenges or begun is not None:
                domain.lapse(session, challenges, begun)
        if isinstance(reply, Reply):
            return self._shape(command, reply.data, reply.sw, row.le, domain)
        return self._shape(command, reply, SW.OK, row.le, domain)

    def _unless_locked(self, domain: Domain) -> Domain | None:
        """Return `domain`, or None: a locked card answers 6A81 to everything (cos 3.5)."""
        return None if self._volume.locked() else domain

    def _drop(self, domain: Domain | None) -> None:
        """Undo what a refused command had begun."""
        if domain is not None:
            domain.discard()
            if domain.code == 0:
                self._wiring.narrow(domain)

    # --- answers ------------------------------------------------------------------------

    def _shape(
        self, command: Command, data: bytes, sw: SW, le: Le, domain: Domain | None = None
    ) -> bytes:
        """Put the answer into the form the link and Le ask for (cos 1.6; pse-pboc 2.1)."""
        if not data:
            return _OK if sw is SW.OK else bytes(sw)
        if le is Le.RECORD:
            le = Le.IGNORED
            if domain is not None and command.le not in _ALL_OF_IT:
                le = domain.record_le
        if le is Le.IGNORED and not command.data:
            return data + _OK if sw is SW.OK else data + bytes(sw)
        if command.data:
            if self._t0:
                self._pending, self._pending_cla = data, command.cla
                return bytes(SW.more(min(len(data), 256)) if sw == SW.OK else sw)
            return data + bytes(sw)
        wanted = command.le or 256
        if wanted != len(data):
            if wanted > len(data):
                if wanted != 256 or self._t0:
                    return self._refuse(_wrong_le(len(data)))
            elif le is Le.EXACT:
                return self._refuse(_wrong_le(len(data)))
            else:
                data = data[:wanted]
        return data + bytes(sw)

    def _get_response(self, domain: Domain | None, command: Command) -> bytes:
        """Hand out pending bytes: Le of them, the rest waits on (cos 1.6, 5.1).

        Interpretation: beside 00 the class of the command they belong to is taken while they
        wait, for that is what the smart-card API of Java sends.
        """
        if command.p1 or command.p2:
            raise Refusal(SW.WRONG_P1P2, "GET RESPONSE takes P1 P2 = 00 00", "cos 5.1")
        if command.data:
            raise Refusal(SW.WRONG_LENGTH, "GET RESPONSE takes no data", "cos 5.1")
        pending = self._pending
        if not pending:
            if domain is None:
                raise Refusal(SW.NOT_SUPPORTED, "no environment is current", "ssse-lb002 4.8")
            raise Refusal(domain.applet.empty_get_response(domain), "nothing is pending", "cos 1.6")
        wanted = command.le or 256
        if wanted > len(pending):
            if wanted != 256:
                return self._refuse(_wrong_le(len(pending)))
            wanted = len(pending)
        self._pending = pending[wanted:]
        sw = SW.more(len(self._pending)) if self._pending else SW.OK
        return pending[:wanted] + bytes(sw)

    # --- tracing ------------------------------------------------------------------------

    def _watched(self, raw: bytes) -> bytes:
        self._refusal = None
        before, operations = self._env.clock_us, self._volume.eeprom.ops
        response = self._answer(raw)
        current = self.current
        event = Exchanged(
            raw,
            response,
            None if current is None else current.code,
            self._refusal,
            self._env.clock_us - before,
            self._volume.eeprom.ops - operations,
            "" if current is None else current.applet.name,
        )
        for listener in self._listeners:
            listener(event)
        return response


def _wrong_le(length: int) -> Refusal:
    return Refusal(SW.wrong_le(length), f"the answer has {length} bytes", "cos 1.6, 5.3")
