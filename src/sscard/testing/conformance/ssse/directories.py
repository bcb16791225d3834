"""`*_RECORD`: which directories and files there are (ssse-lb002 2.1, 3.3)."""

from collections.abc import Iterator
from dataclasses import replace

from sscard.iso.apdu import Command
from sscard.spec.ssse import SSSE_NAME, Directory
from sscard.testing.conformance.bench import Bench
from sscard.testing.conformance.model import Case, Expect, Form
from sscard.testing.conformance.ssse.commands import (
    BY_NUMBER,
    OPTIONAL,
    enter,
    place_of,
    read_binary,
    read_record,
    select_fid,
)
from sscard.testing.conformance.ssse.frame import record_case
from sscard.testing.conformance.steps import Examine, Send

__all__ = ["directory_cases"]


def directory_cases(directory: Directory) -> Iterator[Case]:
    """Yield what every directory is asked.

    Of a directory that every card must have, its selection is the one case that is run, and
    fails, where it is missing.
    """
    selection, *others = _cases(directory)
    yield selection if place_of(directory) in OPTIONAL else replace(selection, place="")
    yield from others


def _cases(directory: Directory) -> Iterator[Case]:
    place, ssse = place_of(directory), enter("SSSE")
    if place == "SSSE":
        yield record_case(
            directory,
            "select-name",
            "selected by its name, from any state",
            "2.1, 3.3",
            "The FCI of the environment gives its name and, in A5, the SFI of its DIR file.",
            (
                Send("SELECT by name", _by_name(SSSE_NAME), keep="fci"),
                Examine("the FCI", _environment_problem),
                Send("SELECT the MF", select_fid(0x3F00)),
                Send("SELECT by name, from the MF", _by_name(SSSE_NAME), keep="fci"),
                Examine("the FCI again", _environment_problem),
            ),
        )
    else:
        fci = bytes((0x6F, len(directory.name) + 2, 0x84, len(directory.name))) + directory.name
        answer = Expect(form=Form(value=fci))
        yield record_case(
            directory,
            "select",
            "selected by FID and by AID",
            "2.1, 3.3",
            f"{place} is a child of the SSSE; its FCI gives its AID.",
            (
                *ssse,
                Send("SELECT by FID", select_fid(directory.fid), answer),
                *ssse,
                Send("SELECT as child DF", select_fid(directory.fid, 0x01), answer),
                *ssse,
                Send("SELECT with P1 = 02", select_fid(directory.fid, 0x02), answer),
                *ssse,
                Send("SELECT by AID", _by_name(directory.name), answer),
            ),
        )
    unknown = Expect.of(0x6A82)
    yield record_case(
        directory,
        "unknown-file",
        "no file is found that is not there",
        "3.3, 3.4",
        "A file identifier or SFI that the directory does not have is 6A82.",
        (
            *enter(place),
            Send("SELECT EF7F", select_fid(0xEF7F, 0x02), unknown),
            Send("READ RECORD of SFI 1E", read_record(1, BY_NUMBER, 0x1E), unknown),
            Send("READ BINARY of SFI 1E", read_binary(0, 1, 0x1E), unknown),
        ),
    )
    yield record_case(
        directory,
        "no-current-file",
        "no file is current after the directory was selected",
        "3.4, 3.6",
        "A command for the current EF is 6986 when there is none.",
        (
            *enter(place),
            Send("READ RECORD", read_record(1, BY_NUMBER), Expect.of(0x6986)),
            Send("READ BINARY", read_binary(0, 1), Expect.of(0x6986)),
        ),
    )


def _by_name(name: bytes) -> Command:
    return Command(0x00, 0xA4, 0x04, 0x00, name, 256)


def _environment_problem(bench: Bench) -> str:
    """The FCI: 6F, in it 84 with the name, and A5 beginning with 88 01 and the SFI of the DIR."""
    fci = bench.kept["fci"]
    head = bytes((0x84, len(SSSE_NAME))) + SSSE_NAME + b"\xa5"
    if fci[:1] != b"\x6f" or fci[1:2] != bytes((len(fci) - 2,)) or fci[2 : 2 + len(head)] != head:
        return "the FCI is not 6F with the name of the environment and A5"
    return "" if fci[3 + len(head) :][:2] == b"\x88\x01" else "A5 does not begin with 88 01"
