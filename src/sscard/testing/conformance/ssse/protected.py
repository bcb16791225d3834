"""`SECURE_MESSAGING`: updates under line protection, where a file wants it (ssse-lb002 3.5, 4.7).

Which files do is the issuer's choice (`update_sm`): one that does not answers class 04 with 6882,
and its case is not run. What is written is what was read before.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.spec.ssse import VERSIONS, Directory, Ef
from sscard.testing.conformance.bench import Bench, NotRun
from sscard.testing.conformance.model import DONE, Case, Effect, Expect, Step
from sscard.testing.conformance.ssse.commands import enter, place_of, read_record, sfi_of
from sscard.testing.conformance.ssse.line import line_key
from sscard.testing.conformance.steps import Open, Send

__all__ = ["protected_cases"]

_BY_NUMBER = 4
_SPOILT = 0xA5
_RECORD = "record"


def protected_cases(generation: str) -> Iterator[Case]:
    """Yield a case for every TLV file that somebody may update."""
    for directory in VERSIONS[generation]:
        for file in directory.files:
            if file.kind == "tlv" and "K" in file.update:
                yield _case(directory, file)


def _case(directory: Directory, file: Ef) -> Case:
    place, sfi = place_of(directory), sfi_of(file)
    read = Send("READ RECORD 01", read_record(1, _BY_NUMBER, sfi), keep=_RECORD)
    steps: tuple[Step, ...] = (
        *enter(place),
        Open(file.read, place),
        read,
        Open(file.update, place),
        Update("UPDATE RECORD with a MAC", place, sfi),
        Update("UPDATE RECORD with a wrong MAC", place, sfi, Expect.of(0x6988), spoil=True),
        Update("UPDATE RECORD with a right MAC", place, sfi),
        Update("UPDATE RECORD without a challenge", place, sfi, Expect.of(0x6984), challenge=False),
        Send("UPDATE RECORD without a MAC", _update(0x00, sfi), Expect.of(0x6982), data_of=_RECORD),
    )
    name = f"EF{file.fid & 0xFF:02X}"
    return Case(
        f"SECURE_MESSAGING/{place}/{name}",
        f"UPDATE RECORD under line protection, {place}/{name}",
        "ssse-lb002 3.5, 4.6, 4.7",
        "A right MAC is taken; a wrong one is 6988, none drawn for 6984, a plain update 6982.",
        steps,
        Effect.RESTORED,
        place,
        (*enter(place), Open(file.update, place), Update("UPDATE RECORD once more", place, sfi)),
    )


def _update(cla: int, sfi: int) -> Command:
    return Command(cla, 0xDC, 0x01, sfi << 3 | _BY_NUMBER)


@dataclass(frozen=True, slots=True)
class Update:
    """UPDATE RECORD 01 with the record that was read, under the line protection the file wants.

    A card that takes the MAC and cannot decipher the data (6A80) wants them enciphered; that is
    found out once a case.
    """

    title: str
    place: str
    sfi: int
    expect: Expect = DONE
    spoil: bool = False
    challenge: bool = True

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return bench.missing_key(line_key(self.place))

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        if _RECORD not in bench.kept:
            raise NotRun("the record could not be read")
        expect = self.expect._replace(void=(0x6882, "the file has no line protection"))
        enciphered = "enciphered" in bench.kept
        command = self._command(bench, enciphered=enciphered)
        reply = bench.transmit(command)
        if reply.sw == SW.WRONG_DATA and not enciphered:
            bench.kept["enciphered"] = b""
            command = self._command(bench, enciphered=True)
            reply = bench.transmit(command)
        bench.judge(self.title, command, reply, expect)

    def _command(self, bench: Bench, *, enciphered: bool) -> Command:
        key, data = line_key(self.place), bench.kept[_RECORD]
        challenge = bench.challenge() if self.challenge else bytes(8)
        if enciphered:
            plain = data
            data = bench.computed(
                lambda source, card: source.encrypt(key, card, challenge, plain, bench.flavour)
            )
        command = _update(0x04, self.sfi)._replace(data=data + bytes(4))
        message = command.build()[:-4]
        mac = bench.computed(
            lambda source, card: source.mac(key, card, challenge, message, bench.flavour)
        )
        if self.spoil:
            mac = bytes((mac[0] ^ _SPOILT,)) + mac[1:]
        return command._replace(data=data + mac)
