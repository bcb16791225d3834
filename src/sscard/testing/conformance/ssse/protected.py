"""`SECURE_MESSAGING`: updates under line protection (ssse-lb002 3.5, 3.6, 4.6, 4.7).

Which files do is the issuer's choice (`update_sm`): one that does not answers class 04 with 6882,
and its cases are not run. What is written is what was read before; to cyclic files two records,
which cannot be taken back.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.keys.hierarchy import CardKey
from sscard.spec.ssse import VERSIONS, Directory, Ef
from sscard.testing.conformance.bench import Bench, NotRun
from sscard.testing.conformance.model import DONE, Case, Effect, Expect, Form, Step
from sscard.testing.conformance.ssse.commands import (
    BY_NUMBER,
    BY_TAG,
    enter,
    place_of,
    read_binary,
    read_record,
    record_length,
    select_ef,
    sfi_of,
    update_binary,
    update_record,
)
from sscard.testing.conformance.ssse.frame import opened_file
from sscard.testing.conformance.ssse.line import line_key
from sscard.testing.conformance.steps import Open, Send

__all__ = ["protected_cases"]

_SPOILT = 0xA5
_RECORD, _SENT = "record", "sent"
_BYTES = 4
"""So many bytes of a transparent file are written."""
_WRONG_MAC, _WRONG_LENGTH = Expect.of(0x6988), Expect.of(0x6700)


def protected_cases(generation: str) -> Iterator[Case]:
    """Yield the cases of every file that somebody may update."""
    for directory in VERSIONS[generation]:
        for file in directory.files:
            if file.kind in ("tlv", "transparent") and "K" in file.update:
                yield from _File(directory, file).cases()
            elif file.kind == "cyclic" and "K" in file.update:
                yield _cyclic(directory, file)


class _File:
    """The cases of one file."""

    def __init__(self, directory: Directory, file: Ef) -> None:
        self.file = file
        self.place = place_of(directory)
        self.sfi = sfi_of(file)
        self.tlv = file.kind == "tlv"
        self.what = "UPDATE RECORD" if self.tlv else "UPDATE BINARY"
        self.plain = self._commands(self.sfi)[0]
        self.start: tuple[Step, ...] = (
            *enter(self.place),
            Open(file.read, self.place),
            self._read(),
            Open(file.update, self.place),
        )

    def _read(self) -> Send:
        if self.tlv:
            command = read_record(1, BY_NUMBER, self.sfi)
            return Send("READ RECORD 01", command, keep=_RECORD)
        command = read_binary(0, _BYTES, self.sfi)
        return Send("READ BINARY", command, Expect(form=Form(length=_BYTES)), _RECORD)

    def _commands(self, sfi: int) -> tuple[Command, ...]:
        """The update in every form the file has, of an SFI or (0) of the current EF."""
        if not self.tlv:
            return (update_binary(0, b"", sfi),)
        tag = self.file.items[0].tag
        return update_record(1, BY_NUMBER, b"", sfi), update_record(tag, BY_TAG, b"", sfi)

    def _update(self, words: str, command: Command | None = None, **more: object) -> "Update":
        return Update(
            f"{self.what} {words}",
            self.place,
            self.plain if command is None else command,
            **more,  # type: ignore[arg-type]
        )

    def _case(self, form: str, title: str, why: str, *steps: Step) -> Case:
        name = f"{self.place}/EF{self.file.fid & 0xFF:02X}"
        return Case(
            f"SECURE_MESSAGING/{name}" + (f"/{form}" if form else ""),
            f"{title}, {name}",
            f"ssse-lb002 {'3.5' if self.tlv else '3.6'}, 4.6, 4.7",
            why,
            (*self.start, *steps),
            Effect.RESTORED,
            self.place,
            (*enter(self.place), Open(self.file.update, self.place), self._update("once more")),
        )

    def cases(self) -> Iterator[Case]:
        right = self._update("with a right MAC")
        wrong = self._update("with a wrong MAC", expect=_WRONG_MAC, spoil=True)
        unprotected = Send(
            f"{self.what} without a MAC", self.plain, Expect.of(0x6982), data_of=_RECORD
        )
        yield self._case(
            "",
            f"{self.what} under line protection",
            "A right MAC is taken; a wrong one is 6988, none drawn for 6984, a plain update 6982.",
            self._update("with a MAC"),
            wrong,
            right,
            self._update("without a challenge", expect=Expect.of(0x6984), challenge=False),
            unprotected,
        )
        yield self._case(
            "forms",
            f"{self.what} under line protection, every way to address it",
            "Each form is taken with a right MAC and refused with 6988 with a wrong one.",
            self._update("with a MAC"),
            *self._forms("SFI", self.sfi),
            select_ef(self.file),
            *self._forms("current EF", 0),
        )
        yield self._case(
            "replay",
            f"{self.what} sent twice",
            "The MAC was made from a challenge that is used up: from another one it is 6988.",
            right,
            Again("the same bytes after another challenge"),
            right,
        )
        yield self._case(
            "wrong-key",
            f"{self.what} with a MAC of another directory's key",
            "The line key of the directory counts (4.7), no other: 6988.",
            right,
            self._update("under another line key", expect=_WRONG_MAC, key=_other_key(self.place)),
            right,
        )
        if self.tlv:
            yield self._case(
                "length",
                f"{self.what} of another length under line protection",
                "The MAC is right, the record is one byte too long or too short: 6700.",
                right,
                self._update("one byte too long", expect=_WRONG_LENGTH, more=1),
                self._update("one byte short", expect=_WRONG_LENGTH, more=-1),
                right,
            )

    def _forms(self, words: str, sfi: int) -> Iterator["Update"]:
        for command in self._commands(sfi):
            title = f"{words}, {command.p1:02X} {command.p2:02X}"
            yield self._update(f"({title})", command)
            yield self._update(
                f"with a wrong MAC ({title})", command, expect=_WRONG_MAC, spoil=True
            )
            yield self._update(f"({title}) again", command)


def _cyclic(directory: Directory, file: Ef) -> Case:
    place, sfi = place_of(directory), sfi_of(file)
    name = f"{place}/EF{file.fid & 0xFF:02X}"
    older, newer = (bytes((byte,)) * record_length(file) for byte in (0x31, 0x32))
    append = Command(0x00, 0xE2, 0x00, sfi << 3)
    update = update_record(0, 3, b"", sfi)

    def newest(*rows: bytes) -> tuple[Step, ...]:
        return tuple(
            Send(
                f"READ RECORD {number:02X}",
                read_record(number, BY_NUMBER, sfi),
                Expect(form=Form(value=row)),
            )
            for number, row in enumerate(rows, 1)
        )

    return Case(
        f"SECURE_MESSAGING/{name}",
        f"records of a cyclic file under line protection, {name}",
        "ssse-lb002 3.5, 4.6, 4.7",
        "APPEND RECORD and UPDATE RECORD with a right MAC write a new newest record; a wrong MAC "
        "and the same bytes again are 6988, a plain command 6982, and write nothing.",
        (
            *opened_file(directory, file, file.update),
            Given("a record", older),
            Update("APPEND RECORD with a MAC", place, append),
            *newest(older),
            Given("another record", newer),
            Update("APPEND RECORD with a wrong MAC", place, append, _WRONG_MAC, spoil=True),
            Update("UPDATE RECORD with a MAC", place, update),
            Again("the same bytes after another challenge"),
            Send("APPEND RECORD without a MAC", append, Expect.of(0x6982), data_of=_RECORD),
            *newest(newer, older),
        ),
        Effect.LASTING,
        place,
    )


@dataclass(frozen=True, slots=True)
class Given:
    """Let the steps behind it write this record."""

    title: str
    record: bytes

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return ""

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        bench.kept[_RECORD] = self.record


def _other_key(place: str) -> CardKey:
    """Return a line key that is not the one of a directory."""
    own = line_key(place)
    return next(key for key in map(line_key, ("SSSE", "DF01")) if key != own)


@dataclass(frozen=True, slots=True)
class Update:
    """An update with the data that were read, under the line protection the file wants.

    A card that takes the MAC and cannot decipher the data (6A80) wants them enciphered; that is
    found out once a case. `spoil` alters the MAC, `challenge` False fetches none, `more` bytes
    are added to the data, `key` is taken instead of the directory's own line key.
    """

    title: str
    place: str
    command: Command
    expect: Expect = DONE
    spoil: bool = False
    challenge: bool = True
    more: int = 0
    key: CardKey | None = None

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return bench.missing_line(self.key or line_key(self.place))

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        if reason := self.missing(bench):
            raise NotRun(reason)
        if _RECORD not in bench.kept:
            raise NotRun("what is in the file could not be read")
        expect = self.expect._replace(void=(0x6882, "the file has no line protection"))
        enciphered = "enciphered" in bench.kept
        command = self._protected(bench, enciphered=enciphered)
        reply = bench.transmit(command)
        if reply.sw == SW.WRONG_DATA and not enciphered:
            bench.kept["enciphered"] = b""
            command = self._protected(bench, enciphered=True)
            reply = bench.transmit(command)
        bench.kept[_SENT] = command.build()
        right = self.expect == DONE and self.challenge and not self.spoil
        bench.judge_protected(self.title, command, reply, expect, right=right)

    def _protected(self, bench: Bench, *, enciphered: bool) -> Command:
        key = self.key or line_key(self.place)
        data = bench.kept[_RECORD]
        data = data + bytes(self.more) if self.more >= 0 else data[: self.more]
        challenge = bench.challenge() if self.challenge else bytes(8)
        if enciphered:
            plain = data
            data = bench.computed(
                lambda source, card: source.encrypt(key, card, challenge, plain, bench.flavour)
            )
        command = self.command._replace(cla=0x04, data=data + bytes(4))
        message = command.build()[:-4]
        mac = bench.computed(
            lambda source, card: source.mac(key, card, challenge, message, bench.flavour)
        )
        if self.spoil:
            mac = bytes((mac[0] ^ _SPOILT,)) + mac[1:]
        return command._replace(data=data + mac)


@dataclass(frozen=True, slots=True)
class Again:
    """Send the protected update of the step before once more, from another challenge: 6988."""

    title: str

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return ""

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        cla, ins, p1, p2, _, *data = bench.kept[_SENT]
        bench.challenge()
        bench.exchange(self.title, Command(cla, ins, p1, p2, bytes(data)), _WRONG_MAC)
