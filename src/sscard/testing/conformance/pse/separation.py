"""`SEPARATION`: what the other application on the card gives or takes: nothing (cos 3.6; README 9).

Seen from outside: rights of the social security application open nothing here, its files are
not found from here, its commands are none here, and the other way round.
"""

from collections.abc import Callable, Iterator

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.testing.conformance.bench import Bench
from sscard.testing.conformance.model import Case, Effect, Expect, Step
from sscard.testing.conformance.pse.application import Application, read_record
from sscard.testing.conformance.pse.bank import Script, Settle, Unblock
from sscard.testing.conformance.pse.frame import Look, bank_case
from sscard.testing.conformance.pse.holder import Tries, Verify
from sscard.testing.conformance.pse.transaction import AAC, TC, Ask, Enter, Generate, Options
from sscard.testing.conformance.ssse.commands import enter
from sscard.testing.conformance.steps import Pin, Prove, Send, Unproved

__all__ = ["separation_cases"]

_SOCIAL_SFIS = (0x05, 0x06, 0x07, 0x08, 0x0C, 0x0D, 0x15, 0x16, 0x19)
_SOCIAL_FIDS = ("DDF1", "DF01", "DF04", "EF05", "EF06")
_ATC = Command(0x80, 0xCA, 0x9F, 0x36, le=256)
_UK = 0x04


def separation_cases() -> Iterator[Case]:
    """Yield the cases of the two applications side by side."""

    def case(
        name: str,
        title: str,
        why: str,
        *steps: Step,
        effect: Effect = Effect.SAFE,
        restore: tuple[Step, ...] | None = None,
        source: str = "1.2; cos 3.6",
    ) -> Case:
        return bank_case(
            f"SEPARATION/{name}",
            title,
            source,
            why,
            *steps,
            effect=effect,
            restore=restore,
            place="SSSE",
        )

    yield case(
        "files",
        "SFIs of the social security application are not those of the bank",
        "READ RECORD finds the bank's own records or nothing (6A82, 6A83), also after the PIN of "
        "the other application.",
        *enter("SSSE"),
        Enter(),
        Look("SFIs", _social_sfis),
    )
    yield case(
        "files-after-pin",
        "the social security PIN opens no file from the bank's application",
        "READ RECORD finds the bank's own records or nothing.",
        *enter("SSSE"),
        Pin(),
        Enter(),
        Look("SFIs", _social_sfis),
    )
    yield case(
        "identifiers",
        "SELECT by FID leads to no file or directory of the social security application",
        "6A86 or 6A82 from the bank's application, which stays selected.",
        Enter(),
        *(
            Ask(
                f"SELECT {fid}, P1 {p1:02X}",
                Command(0x00, 0xA4, p1, 0x00, bytes.fromhex(fid), 256),
                (0x6A86, 0x6A82),
            )
            for fid in _SOCIAL_FIDS
            for p1 in (0x00, 0x02)
        ),
        Ask("GET DATA of the ATC", _ATC),
    )
    yield case(
        "social-commands",
        "commands of the social security application are none of the bank's",
        "6D00, 6E00 or 6A86; nothing changes.",
        Enter(),
        Ask("READ BINARY", Command(0x00, 0xB0, 0x00, 0x00, le=16), 0x6D00),
        Ask("UPDATE BINARY", Command(0x00, 0xD6, 0x00, 0x00, b"\0"), 0x6D00),
        Ask("CHANGE PIN", Command(0x80, 0x5E, 0x01, 0x00, bytes(7)), 0x6D00),
        Ask("APPEND RECORD", Command(0x00, 0xE2, 0x00, 0x2C, bytes(3)), (0x6D00, 0x6E00)),
        Ask("INITIALIZE FOR PURCHASE", Command(0x80, 0x50, 0x01, 0x01, bytes(11)), 0x6D00),
        Ask("VERIFY, P2 00", Command(0x00, 0x20, 0x00, 0x00, bytes(3)), 0x6A86),
        Unproved(_UK, _refused(0x6A86), "EXTERNAL AUTHENTICATE with KID 04"),
    )
    yield case(
        "bank-commands",
        "commands of the bank are none of the social security application's",
        "GET PROCESSING OPTIONS and GENERATE AC are refused in the SSSE, and the ATC is out of "
        "reach.",
        Enter(),
        *enter("SSSE"),
        Look("GET PROCESSING OPTIONS", _none(Command(0x80, 0xA8, 0, 0, b"\x83\x00", 256))),
        Look("GENERATE AC", _none(Command(0x80, 0xAE, 0x80, 0, bytes(52), 256))),
        Look("GET DATA of the ATC", _none(_ATC)),
        Look("VERIFY, P2 80", _none(Command(0x00, 0x20, 0x00, 0x80, bytes(8)))),
    )
    yield case(
        "pin",
        "the social security PIN is not the bank's",
        "It changes no try counter of the bank, and the CVR tells of no PIN.",
        *enter("SSSE"),
        Pin(),
        Enter(),
        Look("remember the tries", _keep_tries),
        Options(),
        Generate(AAC),
        Tries(),
        effect=Effect.TRANSACTION,
    )
    yield case(
        "keys",
        "a key of the social security application opens no script",
        "Scripts go by their MAC alone: without a session they are 6985, whoever proved what.",
        *enter("SSSE"),
        Prove(_UK, "SSSE"),
        Enter(),
        Script("APPLICATION BLOCK", "841E0000", answer=0x6985, silent=True),
    )
    yield case(
        "bank-pin",
        "the bank's PIN opens nothing of the social security application",
        "A file that wants the PIN stays shut: 6982.",
        Enter(),
        Options(),
        Verify(),
        Generate(AAC),
        *enter("DF01"),
        Send("READ RECORD 01 of DF01/EF05", read_record(1, 5), _refused(0x6982)),
        effect=Effect.TRANSACTION,
    )
    yield case(
        "transaction",
        "a transaction does not outlive a visit to the other application",
        "After it nothing is awaited any more.",
        Enter(),
        Options(),
        *enter("SSSE"),
        Enter(),
        Generate(TC, answer=0x6985),
        effect=Effect.TRANSACTION,
    )
    yield case(
        "challenge",
        "a challenge of one application proves nothing in the other",
        "6984 in the SSSE: the challenge was drawn in the bank's application.",
        Enter(),
        Ask("GET CHALLENGE", Command(0x00, 0x84, 0x00, 0x00, le=8)),
        *enter("SSSE"),
        Unproved(_UK, _refused(0x6984), "EXTERNAL AUTHENTICATE", challenge=False),
        effect=Effect.TRIES,
        restore=(*enter("SSSE"), Prove(_UK, "SSSE")),
    )
    yield case(
        "block",
        "a blocked bank application leaves the social security application alone",
        "It is selected and read as before.",
        Enter(),
        Options(),
        Generate(),
        Script("APPLICATION BLOCK", "841E0000"),
        *enter("SSSE"),
        Send("READ RECORD 01 of EF05", read_record(1, 5)),
        Enter(answer=0x6283),
        effect=Effect.RESTORED,
        restore=(Unblock(), Settle(if_possible=True)),
    )


def _refused(sw: int) -> Expect:
    return Expect.of(sw)


def _social_sfis(bench: Bench, app: Application) -> str:
    for sfi in _SOCIAL_SFIS:
        reply = bench.transmit(read_record(1, sfi))
        own = app.records.get((sfi, 1))
        if reply.sw == SW.OK and reply.data != own and sfi != app.log_entry[0]:
            return f"SFI {sfi:02X} answers a record of {len(reply.data)} bytes"
        if reply.sw not in (SW.OK, SW.FILE_NOT_FOUND, SW.RECORD_NOT_FOUND, SW.CONDITIONS):
            return f"SFI {sfi:02X} answers {reply.sw}"
    return ""


def _none(command: Command) -> Callable[[Bench, Application], str]:
    def problem(bench: Bench, app: Application) -> str:
        reply = bench.transmit(command)
        return f"answered {reply.sw}" if reply.sw == SW.OK or reply.data else ""

    return problem


def _keep_tries(bench: Bench, app: Application) -> str:
    bench.kept["limit"] = bytes((app.tries or 0,))
    return ""
