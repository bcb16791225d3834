"""An independent model of the SSSE: what a card must answer, and what it then knows.

Written from ssse-lb002 2-4 and cos 5.3 alone, with its own tables (`ssse_tables`); it shares
only the wire format and the key functions with what it checks. It follows a card command by
command: `exchange` takes an APDU and the card's response, says what is wrong with it, and
becomes what the card must be now.

It predicts status word and data of every command of 3.2 in the finished SSSE. It abstains, and
says why, from what GET DATA and the medical account answer and from the commands of other
environments; who reads or writes there without the right is still caught. The commands of
personalisation are outside it: they raise `NotModelledError`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from sscard.errors import SscardError
from sscard.iso.apdu import Command, MalformedApdu
from sscard.keys import line, session
from sscard.testing.models.ssse_tables import LOCK_KEYS, TRANSPORT_KEYS, File, Matrix

__all__ = ["Answer", "Contents", "NotModelledError", "Policy", "SsseModel"]

NAME: Final = bytes.fromhex("7378312E73682EC9E7BBE1B1A3D5CF")
MASTER: Final = 0
"""The KID of a master key; `PIN` is the other proof."""
PIN: Final = "PIN"
KEY_TRIES, MASTER_TRIES, PIN_TRIES, MAC_TRIES = 14, 8, 6, 3
DES, SM4 = 0, 4

_ANY_REFUSAL: Final = ("6???",)

Proof = int | str
Handler = Callable[[Command], "Answer"]


class NotModelledError(SscardError):
    """A command whose effect the model does not know: keep it out of the sequence."""


class Refused(Exception):
    """A status word other than 9000 ends a command."""

    def __init__(self, *sw: str) -> None:
        super().__init__(*sw)
        self.sw = sw


class Answer(NamedTuple):
    """What a card may answer: one of `sw`, and `data` unless None; `sw` () abstains, `why`.

    In a status word a `?` is any digit, as in APDU scripts.
    """

    sw: tuple[str, ...] = ("9000",)
    data: bytes | None = b""
    why: str = ""

    @classmethod
    def abstain(cls, why: str) -> "Answer":
        """Return an answer that accepts whatever comes."""
        return cls((), None, why)


@dataclass(frozen=True)
class Policy:
    """The switches of a card that the model knows (docs/profile-options.md).

    `update_sm` gives `mac` or `enc_mac` by (place, FID), `marker` the FCI's 9F0C86 byte.
    """

    challenge_policy: str = "last"
    sm_mode: str = "session"
    pin_sm_key: str = "STK"
    block_mode: str = "auth+STKmac"
    card_block_scope: str = "domain"
    record_le: str = "ignore"
    marker: str = ""
    update_sm: Mapping[tuple[str, str], str] = field(default_factory=dict)


@dataclass
class Contents:
    """A file and what it holds now: records, newest first if cyclic, or bytes.

    `known` is False once the card itself wrote what the model cannot foresee.
    """

    file: File
    records: list[bytes] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    known: bool = True


@dataclass
class Lasting:
    """What a directory keeps over a reset: its block and its two counts of failures."""

    block: str = ""
    mac_left: int = MAC_TRIES
    unblock_left: int = MAC_TRIES


@dataclass
class Session:
    """What a reset clears: where one stands, what is proved, which challenges are valid.

    `place` is SSSE, DF01.., MF, PSE, or "" where nothing is current.
    """

    place: str = "MF"
    file: Contents | None = None
    wide: set[Proof] = field(default_factory=set)
    local: set[Proof] = field(default_factory=set)
    challenges: tuple[bytes, ...] = ()


class SsseModel:
    """One card's SSSE.

    Shapes: `keys` by (place, KID): authentication keys, the STK, the IRK as 0x100 and master
    keys as 0; `algorithm` that of all of them; `values` the records that differ from their fill,
    by (place, FID); `names` what else SELECT finds by name, with MF or PSE as its place.
    """

    def __init__(
        self,
        matrix: Matrix,
        keys: Mapping[tuple[str, int], bytes],
        *,
        algorithm: int = DES,
        policy: Policy | None = None,
        values: Mapping[tuple[str, str], tuple[str, ...]] | None = None,
        names: Mapping[bytes, str] | None = None,
        pin: bytes = b"\x12\x34\x56",
    ) -> None:
        self.matrix = matrix
        self.keys = keys
        self.algorithm = algorithm
        self.policy = policy or Policy()
        self.names = {NAME: "SSSE"} | dict(names or {})
        for place, (aid, _) in matrix.directories.items():
            if place != "SSSE":
                self.names[bytes.fromhex(aid)] = place
        self.pin, self.pin_left = pin, PIN_TRIES
        self.tries = {
            key: MASTER_TRIES if key[1] == MASTER else KEY_TRIES
            for key in keys
            if key[1] == MASTER or key[1] in matrix.directories[key[0]][1]
        }
        self.lasting = {place: Lasting() for place in matrix.directories}
        self.card_blocked = ""
        self.contents = {
            (file.place, file.fid): _created(file, (values or {}).get((file.place, file.fid)))
            for file in matrix.files
        }
        self.session = Session()
        self.before = Command(0, 0, 0, 0)
        self.expected = Answer()
        """What the response just followed should have been."""

    # --- following a card ---------------------------

    def exchange(self, raw: bytes, response: bytes) -> str:
        """Follow one command; return what is wrong with the response, or ""."""
        answer = self.expected = self._answer(raw, response)
        sw, data = response[-2:].hex().upper(), response[:-2]
        if answer.sw and not any(fnmatchcase(sw, pattern) for pattern in answer.sw):
            return f"answered {sw}, not {' or '.join(answer.sw)}"
        if answer.data is not None and data != answer.data:
            return f"answered {data.hex().upper() or '-'}, not {answer.data.hex().upper() or '-'}"
        return ""

    def reset(self) -> None:
        """The card was reset: what is not lasting is gone (4.3)."""
        self.session = Session("" if self.card_blocked == "card" else "MF")

    def _answer(self, raw: bytes, response: bytes) -> Answer:
        try:
            command = Command.parse(raw)
        except MalformedApdu:
            return Answer(("6700",))
        try:
            if (command.cla, command.ins) == (0x00, 0xA4):
                return self._select(command)
            return self._execute(command, response)
        except Refused as refusal:
            return Answer(refusal.sw)
        finally:
            self.before = command

    # --- SELECT (3.3; cos 3.3) ---------------------------

    def _select(self, command: Command) -> Answer:
        place = self._target(command)
        if isinstance(place, Contents):
            if self.card_blocked and self.session.place in self.lasting:
                self._leave()
                raise Refused("6A81")
            self.session.file = place
            return Answer()
        if place in self.lasting and self.card_blocked:
            self._leave()
            raise Refused("6A81")
        here = self.session
        if place in self.lasting and place != "SSSE" and here.place in self.lasting:
            here.place, here.file, here.local = place, None, set()
        else:
            self.session = Session(place)
        if place not in self.lasting:
            return Answer(("9000", "6283", "6285"), None)
        return Answer(("6283" if self._block() else "9000",), self._fci(place))

    def _target(self, command: Command) -> "str | Contents":
        p1, data = command.p1, command.data
        outside = self.session.place == "PSE"
        if p1 > 4 or command.p2 not in ((0, 2) if p1 == 4 else (0,)):
            raise Refused("6A86")
        if outside and p1 != 4 and (p1, data) != (0, b"\x3f\x00"):
            raise Refused("6A86")
        allowed = range(5, 17) if p1 == 4 else (0,) if p1 == 3 else (0, 2) if p1 == 0 else (2,)
        if len(data) not in allowed:
            raise Refused("6700")
        if self.card_blocked == "card":
            raise Refused("6A81")
        found = self.names.get(data) if p1 == 4 else self._by_fid(p1, data.hex().upper())
        if found is None:
            raise Refused("6A82")
        return found

    def _by_fid(self, p1: int, fid: str) -> "str | Contents | None":
        """Children, oneself, siblings, the parent, the MF: the order of 3.3."""
        here = self.session.place
        if p1 == 0 and fid in ("", "3F00"):
            return "MF"
        if here == "MF" and p1 in (0, 2) and fid == "EF80":
            return self._file_by_fid(here, fid)
        if here not in self.lasting:
            return "SSSE" if here == "MF" and p1 in (0, 1, 2) and fid == "DDF1" else None
        if p1 == 3:
            return "SSSE" if here != "SSSE" else None
        file = self._file_by_fid(here, fid)
        if p1 in (0, 2) and file is not None:
            return file
        directory = fid if fid in self.lasting and fid != "SSSE" else None
        if here == "SSSE":
            return directory or ("SSSE" if p1 == 0 and fid == "DDF1" else None)
        if p1 == 0:
            return "SSSE" if fid == "DDF1" else directory
        return None

    def _file_by_fid(self, place: str, fid: str) -> Contents | None:
        if fid == "EF80" or (place, fid) == ("DF04", "EF81"):
            return Contents(File(place, f"{fid} int FF - 0"), known=False)
        return self.contents.get((place, fid))

    def _fci(self, place: str) -> bytes:
        if place != "SSSE":
            aid = bytes.fromhex(self.matrix.directories[place][0])
            return bytes((0x6F, len(aid) + 2, 0x84, len(aid))) + aid
        inner = b"\x88\x01\x01" + bytes.fromhex(
            f"9F0C86{marker}" if (marker := self.policy.marker) else ""
        )
        whole = bytes((0x84, len(NAME))) + NAME + bytes((0xA5, len(inner))) + inner
        return bytes((0x6F, len(whole))) + whole

    def _leave(self) -> None:
        self.session = Session("")

    # --- the order of checks (cos 5.3) ---------------------------

    def _execute(self, command: Command, response: bytes) -> Answer:
        here = self.session.place
        if not here:
            raise Refused("6A81")
        if here not in self.lasting:
            return self._elsewhere(command, response)
        row = _ROWS.get((command.cla, command.ins))
        if row is None:
            raise Refused(_unknown(command.cla, command.ins))
        if not row.p1(command.p1) or not row.p2(command.p2):
            raise Refused("6A86")
        if not row.lc(len(command.data)):
            raise Refused("6700")
        self._gate(row)
        if row.method == "_draw":
            return self._draw(command, response)
        if row.method == "_account":
            return self._account(command, response)
        handler: Handler = getattr(self, row.method)
        return handler(command)

    def _gate(self, row: "Row") -> None:
        """Blocks of 4.8."""
        if self.card_blocked:
            raise Refused("6A81")
        block = self._block()
        if block == "permanent":
            raise Refused("9303")
        if block and not row.survives:
            raise Refused("6985")

    def _block(self) -> str:
        """The block of where one stands: the SSSE's counts for all of its DFxx."""
        return self.lasting["SSSE"].block or self.lasting[self.session.place].block

    def _elsewhere(self, command: Command, response: bytes) -> Answer:
        """In the MF or the PSE: nothing of the SSSE can be read or written there."""
        place = self.session.place
        if command.ins in _FILE_ACCESS and response[-2:] == b"\x90\x00":
            if place == "MF":
                return Answer(_ANY_REFUSAL, None)
            if any(record[2:] in response for record in self._telling()):
                return Answer(_ANY_REFUSAL, None)
        return Answer.abstain(f"the {place} is not the SSSE")

    def _telling(self) -> Iterator[bytes]:
        """Records that cannot be met elsewhere by chance."""
        for held in self.contents.values():
            yield from (one for one in held.records if len(one) > 10 and len(set(one)) > 6)

    # --- files (3.4 to 3.6) ---------------------------

    def _by_sfi(self, sfi: int) -> Contents:
        """The file an SFI names, which becomes current, or the current one."""
        if not sfi:
            if self.session.file is None:
                raise Refused("6986")
            return self.session.file
        file = self.contents.get((self.session.place, f"EF{sfi:02X}"))
        if file is None:
            raise Refused("6A82")
        self.session.file = file
        return file

    def _binary(self, command: Command) -> tuple[Contents, int]:
        if command.p1 & 0x80:
            # P1 80 names the SFI 00, which no file has
            if command.p1 == 0x80:
                raise Refused("6A82")
            held, offset = self._by_sfi(command.p1 & 0x1F), command.p2
        else:
            held, offset = self._by_sfi(0), command.p1 << 8 | command.p2
        if held.file.kind != "bin":
            raise Refused("6981")
        return held, offset

    def _record(self, command: Command) -> tuple[Contents, int]:
        """The file and the index of the record that P1 and P2 name."""
        held = self._by_sfi(command.p2 >> 3)
        if held.file.kind not in ("tlv", "cyc"):
            raise Refused("6981")
        by_tag = command.p2 & 7 == 0
        if held.file.kind == "cyc" and (by_tag or command.ins == 0xDC):
            if by_tag or command.p1:
                raise Refused("6A86")
            return held, -1
        if command.p2 & 7 == 3:
            raise Refused("6A86")
        if by_tag:
            numbers = [
                at for at, one in enumerate(held.records) if command.p1 and one[0] == command.p1
            ]
        else:
            numbers = [command.p1 - 1] if 0 < command.p1 <= len(held.records) else []
        if not numbers:
            raise Refused("6A83")
        return held, numbers[0]

    def _read_binary(self, command: Command) -> Answer:
        held, offset = self._binary(command)
        self._require_plain_read(command)
        self._require_read(held.file)
        rest = len(held.body) - offset
        if rest <= 0:
            raise Refused("6B00")
        wanted = command.le or 256
        if rest < wanted != 256:
            raise Refused(f"6C{rest:02X}")
        return Answer(data=bytes(held.body[offset : offset + wanted]))

    def _read_record(self, command: Command) -> Answer:
        held = self._by_sfi(command.p2 >> 3)
        if not held.known and held.file.kind == "cyc":
            if not held.file.may_read(self._proofs()):
                return Answer(("6982", "6A83", "6A86"))
            return Answer.abstain("the COS wrote the file")
        held, number = self._record(command)
        self._require_plain_read(command)
        self._require_read(held.file)
        data = held.records[number]
        if self.policy.record_le == "strict" and command.le not in (None, 256, len(data)):
            raise Refused(f"6C{len(data):02X}")
        return Answer(data=data)

    @staticmethod
    def _require_plain_read(command: Command) -> None:
        if command.cla & 4:
            raise Refused("6882")

    def _update_binary(self, command: Command) -> Answer:
        held, offset = self._binary(command)
        data = self._plain(command, held.file)
        self._require_update(held.file)
        content = data()
        if offset + len(content) > len(held.body):
            raise Refused("6B00")
        held.body[offset : offset + len(content)] = content
        return Answer()

    def _update_record(self, command: Command) -> Answer:
        held, number = self._record(command)
        if number < 0:
            return self._add(command, held)
        data = self._plain(command, held.file)
        self._require_update(held.file)
        content, old = data(), held.records[number]
        if len(content) != len(old):
            raise Refused("6700")
        if content[:2] != old[:2]:
            raise Refused("6A80")
        held.records[number] = content
        return Answer()

    def _append_record(self, command: Command) -> Answer:
        held = self._by_sfi(command.p2 >> 3)
        if held.file.kind not in ("tlv", "cyc"):
            raise Refused("6981")
        return self._add(command, held)

    def _add(self, command: Command, held: Contents) -> Answer:
        """A new newest record of a cyclic file; a TLV file takes none once the card is issued."""
        data = self._plain(command, held.file)
        self._require_update(held.file)
        content = data()
        if held.file.kind == "tlv":
            raise Refused("6A84")
        if len(content) != held.file.length:
            raise Refused("6700")
        held.records = [content, *held.records][: held.file.count]
        return Answer()

    def _require_read(self, file: File) -> None:
        if not file.may_read(self._proofs()):
            raise Refused("6982")

    def _require_update(self, file: File) -> None:
        if file.update is None or file.update not in self._proofs():
            raise Refused("6982")

    def _proofs(self) -> set[Proof]:
        """What is proved of the keys one can name here: global ones, and this directory's own."""
        return self.session.wide | self.session.local

    # --- secure messaging (4.6, 4.7; cos 6.1) ---------------------------

    def _plain(self, command: Command, file: File) -> Callable[[], bytes]:
        """Check the protection an update needs; return what gives its plain data, or 6A80."""
        wanted = self.policy.update_sm.get((file.place, file.fid), "none")
        if not command.cla & 4:
            if wanted != "none":
                raise Refused("6982")
            return lambda: command.data
        if wanted == "none":
            raise Refused("6882")
        kid, place = self._transport_key(file.place)
        challenge = self._check_mac(command, place, kid)
        data = command.data[:-4]
        if wanted == "mac" or not data:
            return lambda: data
        return lambda: self._decipher(place, kid, challenge, data)

    @staticmethod
    def _transport_key(place: str) -> tuple[int, str]:
        return (TRANSPORT_KEYS[place], place) if place in TRANSPORT_KEYS else (2, "SSSE")

    def _check_mac(
        self, command: Command, place: str, kid: int, *, unblocking: bool = False
    ) -> bytes:
        """Check the MAC4 at the end of a command; return the challenge it was made with.

        Refuses: 6987 no MAC, 6984, 6983, 6988, the third in a row 9303.
        """
        if len(command.data) < 4:
            raise Refused("6987")
        challenges, self.session.challenges = self.session.challenges, ()
        if not challenges or not self._usable(challenges[-1]):
            raise Refused("6984")
        if self.tries.get((place, kid)) == 0:
            raise Refused("6983")
        good = command.data[-4:] == self._mac(place, kid, challenges[-1], command)
        self._count(place, kid, good=good)
        here = self.lasting[self.session.place]
        if not good:
            here.mac_left = max(here.mac_left - 1, 0)
            if unblocking:
                here.unblock_left = max(here.unblock_left - 1, 0)
            if not here.mac_left or not (here.unblock_left if unblocking else 1):
                here.block = "permanent"
                raise Refused("9303")
            raise Refused("6988")
        here.mac_left = MAC_TRIES
        return challenges[-1]

    def _usable(self, challenge: bytes) -> bool:
        if self.policy.sm_mode == "session":
            return len(challenge) == 8
        return len(challenge) <= (16 if self.algorithm == SM4 else 8)

    def _mac(self, place: str, kid: int, challenge: bytes, command: Command) -> bytes:
        message = bytes((*command[:4], len(command.data))) + command.data[:-4]
        key = self.keys[place, kid]
        if self.policy.sm_mode == "session":
            return session.sm_mac(
                self.algorithm, session.session_key(self.algorithm, key, challenge), message
            )
        return line.line_mac(self.algorithm, key, challenge, message)

    def _decipher(self, place: str, kid: int, challenge: bytes, data: bytes) -> bytes:
        key = self.keys[place, kid]
        try:
            if self.policy.sm_mode == "session":
                key = session.session_key(self.algorithm, key, challenge)
                return session.sm_decrypt(self.algorithm, key, data)
            return line.unwrap(self.algorithm, key, data)
        except ValueError:
            raise Refused("6A80") from None

    def _count(self, place: str, kid: int, *, good: bool) -> None:
        """A comparison under a counted key: all its tries after a success, one less otherwise."""
        if (place, kid) in self.tries:
            full = MASTER_TRIES if kid == MASTER else KEY_TRIES
            self.tries[place, kid] = full if good else self.tries[place, kid] - 1

    # --- authentication (3.8) ---------------------------

    def _draw(self, command: Command, response: bytes) -> Answer:
        length = 8 if command.le in (None, 256) else command.le
        if length not in (4, 8, 16):
            raise Refused("6700")
        held = self.session.challenges if self.policy.challenge_policy == "history:4" else ()
        self.session.challenges = (*held, response[:-2])[-4:]
        return Answer(data=None if len(response) == (length or 0) + 2 else b"")

    def _internal(self, command: Command) -> Answer:
        if command.p2:
            raise Refused("6A88")
        return Answer(
            data=session.cryptogram(
                self.algorithm, self.keys["SSSE", 0x100], command.data[:8], command.data[8:]
            )
        )

    def _external(self, command: Command) -> Answer:
        place, kid = self._authentication_key(command)
        block = 16 if self.algorithm == SM4 else 8
        if len(command.data) not in ((block,) if kid == MASTER else (16, 17)):
            raise Refused("6700")
        challenges, self.session.challenges = self.session.challenges, ()
        most = range(block + 1) if kid == MASTER else (8,)
        usable = [one for one in challenges if len(one) in most]
        if not usable or (
            self.policy.challenge_policy == "last" and len(usable) != len(challenges)
        ):
            raise Refused("6984")
        if not self.tries[place, kid]:
            raise Refused("6983")
        good = any(self._authentic(place, kid, one, command.data) for one in usable)
        self._count(place, kid, good=good)
        rights = self.session.wide if place == "SSSE" else self.session.local
        if good:
            rights.add(kid)
            return Answer()
        if kid != MASTER:
            rights.discard(kid)
        raise Refused(f"63C{self.tries[place, kid]:X}")

    def _authentication_key(self, command: Command) -> tuple[str, int]:
        """The key P2 names: 01-7F the SSSE's, 80-FF this directory's, 00 its master key."""
        kid, here = command.p2, self.session.place
        version = command.data[16] if len(command.data) == 17 else None
        place = "SSSE" if kid < 0x80 and kid else here
        known = kid == MASTER or kid in self.matrix.directories[place][1]
        own = 2 if (place, kid) == ("SSSE", MASTER) else 1
        if known and version in (None, own):
            return place, kid
        if not known and (TRANSPORT_KEYS.get(place) == kid or (here, kid) == ("DF04", 1)):
            raise Refused("6981")
        raise Refused("6A88")

    def _authentic(self, place: str, kid: int, challenge: bytes, data: bytes) -> bool:
        key = self.keys[place, kid]
        if kid == MASTER:
            return data == session.direct_cryptogram(self.algorithm, key, challenge)
        return data[:8] == session.cryptogram(self.algorithm, key, challenge, data[8:16])

    # --- PIN (3.7) ---------------------------

    def _verify(self, command: Command) -> Answer:
        if command.p2:
            raise Refused("6A88")
        if not self.pin_left:
            raise Refused("6983")
        if not command.data:
            raise Refused(f"63C{self.pin_left}")
        self._compare_pin(command.data)
        self.session.wide.add(PIN)
        return Answer()

    def _compare_pin(self, digits: bytes) -> None:
        if digits == self.pin:
            self.pin_left = PIN_TRIES
            return
        self.pin_left -= 1
        self.session.wide.discard(PIN)
        raise Refused(f"63C{self.pin_left}")

    def _change_pin(self, command: Command) -> Answer:
        if not self.pin_left:
            raise Refused("6983")
        old, separator, new = command.data.partition(b"\xff")
        if not separator or not 2 <= len(new) <= 8:
            raise Refused("6A80")
        self._compare_pin(old)
        self.pin = new
        return Answer()

    def _reload_or_unblock(self, command: Command) -> Answer:
        block = 16 if self.algorithm == SM4 else 8
        length = len(command.data) - 4
        if not length if command.p2 else length:
            raise Refused("6700")
        if length % block:
            raise Refused("6700")
        kid = 6 if self.policy.pin_sm_key == "PUK" else 2
        challenge = self._check_mac(command, "SSSE", kid)
        if 6 not in self.session.wide:
            raise Refused("6982")
        if command.p2:
            digits = self._decipher("SSSE", kid, challenge, command.data[:-4])
            if not 2 <= len(digits) <= 8:
                raise Refused("6A80")
            self.pin = digits
        self.pin_left = PIN_TRIES
        return Answer()

    # --- blocking (4.7, 4.8) ---------------------------

    def _block_application(self, command: Command) -> Answer:
        self._authorise(command, self.session.place)
        here = self.lasting[self.session.place]
        here.block = "permanent" if command.p2 else "temporary"
        return Answer()

    def _unblock_application(self, command: Command) -> Answer:
        here = self.lasting[self.session.place]
        if here.block != "temporary":
            raise Refused("6985")
        self._authorise(command, self.session.place, unblocking=True)
        here.block, here.unblock_left = "", MAC_TRIES
        return Answer()

    def _block_card(self, command: Command) -> Answer:
        self._authorise(command, "SSSE")
        self.card_blocked = self.policy.card_block_scope
        if self.card_blocked == "card":
            self._leave()
        return Answer()

    def _authorise(self, command: Command, place: str, *, unblocking: bool = False) -> None:
        lock = LOCK_KEYS.get(place, MASTER)
        if self.policy.block_mode == "mac_with_LK":
            self._check_mac(command, place, lock, unblocking=unblocking)
            return
        kid, holder = self._transport_key(place)
        self._check_mac(command, holder, kid, unblocking=unblocking)
        rights = self.session.wide if place == "SSSE" else self.session.local
        if lock not in rights:
            raise Refused("6982")

    # --- what the model abstains from ---------------------------

    def _get_data(self, command: Command) -> Answer:
        return Answer.abstain("GET DATA is the COS's")

    def _account(self, command: Command, response: bytes) -> Answer:
        """The medical account: its answers are not predicted, who may ask is."""
        begun = self.before.cla == 0x80 and self.before.ins == 0x50
        done = response[-2:] == b"\x90\x00"
        if command.ins in (0x52, 0x54) and not begun:
            raise Refused("6985")
        if command.ins in (0x50, 0x5C) and PIN not in self.session.wide and done:
            raise Refused("6982")
        if self.session.place != "DF04" and done:
            raise Refused("6985")
        if command.ins == 0x54 and done:
            self.contents["DF04", "EF08"].known = False
        return Answer.abstain("the medical account has a model of its own")

    def _management(self, command: Command) -> Answer:
        raise NotModelledError(
            f"{command.cla:02X} {command.ins:02X} is a command of personalisation"
        )


# --- the command table (3.2) ---------------------------


class Row(NamedTuple):
    """What a command's form must be, what does it, and whether a temporary block lets it pass."""

    method: str
    p1: Callable[[int], bool] = lambda value: value == 0
    p2: Callable[[int], bool] = lambda value: value == 0
    lc: Callable[[int], bool] = lambda value: value == 0
    survives: bool = False


def _any(_value: int) -> bool:
    return True


def _some(value: int) -> bool:
    return value > 0


def _of(*values: int) -> Callable[[int], bool]:
    return lambda value: value in values


def _mode(*modes: int) -> Callable[[int], bool]:
    return lambda value: value & 7 in modes


def _offset(value: int) -> bool:
    return value < 0xA0


_MANAGEMENT: Final = Row("_management", _any, _any, _any)
_ROWS: Final[Mapping[tuple[int, int], Row]] = {
    (0x00, 0xB0): Row("_read_binary", _offset, _any),
    (0x04, 0xB0): Row("_read_binary", _offset, _any, _of(0, 4)),
    (0x00, 0xD6): Row("_update_binary", _offset, _any, _some),
    (0x04, 0xD6): Row("_update_binary", _offset, _any, _some),
    (0x00, 0xB2): Row("_read_record", _any, _mode(0, 4)),
    (0x04, 0xB2): Row("_read_record", _any, _mode(0, 4), _of(0, 4)),
    (0x00, 0xDC): Row("_update_record", _any, _mode(0, 3, 4), _some),
    (0x04, 0xDC): Row("_update_record", _any, _mode(0, 3, 4), _some),
    (0x00, 0xE2): Row("_append_record", p2=_mode(0), lc=_some),
    (0x04, 0xE2): Row("_append_record", p2=_mode(0), lc=_some),
    (0x00, 0x20): Row("_verify", p2=_any, lc=_of(0, *range(2, 9))),
    (0x80, 0x5E): Row("_change_pin", p1=_of(1), lc=_some),
    (0x84, 0x24): Row("_reload_or_unblock", p2=_of(0, 1), lc=_of(4, 0x0C, 0x14)),
    (0x00, 0x84): Row("_draw", survives=True),
    (0x00, 0x88): Row("_internal", p2=_any, lc=_of(16)),
    (0x00, 0x82): Row("_external", p2=_any, lc=_any, survives=True),
    (0x84, 0x1E): Row("_block_application", p2=_of(0, 1), lc=_of(4)),
    (0x84, 0x18): Row("_unblock_application", lc=_of(4), survives=True),
    (0x84, 0x16): Row("_block_card", lc=_of(4)),
    (0x80, 0xCA): Row("_get_data", _any, _any, _any, survives=True),
    (0x80, 0x50): Row("_account", _of(0, 1), _of(1, 2), _of(11)),
    (0x80, 0x52): Row("_account", lc=_of(11)),
    (0x80, 0x54): Row("_account", p1=_of(1), lc=_of(15)),
    (0x80, 0x5C): Row("_account", p2=_of(1, 2)),
    (0x80, 0x5A): Row("_account", p2=_of(1, 2, 5, 6), lc=_of(2)),
    **{(cla, ins): _MANAGEMENT for cla in (0x80, 0x84) for ins in (0xE0, 0xE4, 0xD4)},
    **{(0x84, ins): _MANAGEMENT for ins in (0x1C, 0xE6, 0x0E)},
}
_FILE_ACCESS: Final = (0xB0, 0xB2, 0xD6, 0xDC, 0xE2)
_INS: Final = {ins for _, ins in _ROWS} | {0xA4, 0xC0}


def _unknown(cla: int, ins: int) -> str:
    """The status word of a command that has no row: class, channel, instruction, protection."""
    if cla & 0x10 and cla & 0xEC in (0x00, 0x80, 0x04, 0x84):
        return "6884"
    if cla & 0x78:
        return "6E00"
    if cla & 0x03:
        return "6881"
    if ins not in _INS:
        return "6D00"
    if cla & 4 and ((cla & ~4, ins) in _ROWS or (cla == 4 and ins in (0xA4, 0xC0))):
        return "6882"
    return "6E00"


def _created(file: File, values: tuple[str, ...] | None) -> Contents:
    """A file as personalisation leaves it: values where the citizen has some, else the fill."""
    if file.kind == "bin":
        return Contents(file, body=bytearray(file.length))
    texts = values or tuple(value for _, _, value in file.records)
    records = [
        bytes.fromhex(f"{tag}{length:02X}{value}")
        for (tag, length, _), value in zip(file.records, texts, strict=True)
    ]
    return Contents(file, records)
