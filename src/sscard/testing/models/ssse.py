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

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from sscard.iso.apdu import Command, MalformedApdu
from sscard.testing.models.ssse_rows import FILE_ACCESS, ROWS, Row, unknown
from sscard.testing.models.ssse_secrets import Secrets
from sscard.testing.models.ssse_tables import File, Matrix
from sscard.testing.models.ssse_values import (
    ANY_REFUSAL,
    DES,
    MAC_TRIES,
    NAME,
    PIN,
    Answer,
    Contents,
    Handler,
    NotModelledError,
    Policy,
    Proof,
    Refused,
    Session,
)

__all__ = ["Answer", "Contents", "NotModelledError", "Policy", "SsseModel"]


class SsseModel(Secrets):
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
        super().__init__(matrix, keys, algorithm, policy or Policy(), pin)
        self.names = {NAME: "SSSE"} | dict(names or {})
        for place, (aid, _) in matrix.directories.items():
            if place != "SSSE":
                self.names[bytes.fromhex(aid)] = place
        self.card_blocked = ""
        self.contents = {
            (file.place, file.fid): _created(file, (values or {}).get((file.place, file.fid)))
            for file in matrix.files
        }
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
        row = ROWS.get((command.cla, command.ins))
        if row is None:
            raise Refused(unknown(command.cla, command.ins))
        if not row.p1(command.p1) or not row.p2(command.p2):
            raise Refused("6A86")
        if not row.fits(command.p2, len(command.data)):
            raise Refused("6700")
        self._gate(row)
        if row.method == "_draw":
            return self._draw(command, response)
        if row.method == "_account":
            return self._account(command, response)
        handler: Handler = getattr(self, row.method)
        return handler(command)

    def _gate(self, row: Row) -> None:
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
        if command.ins in FILE_ACCESS and response[-2:] == b"\x90\x00":
            if place == "MF":
                return Answer(ANY_REFUSAL, None)
            if any(record[2:] in response for record in self._telling()):
                return Answer(ANY_REFUSAL, None)
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
