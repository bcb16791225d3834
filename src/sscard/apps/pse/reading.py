"""What every state answers: READ RECORD and GET DATA (pse-pboc 2.3, 2.5)."""

from sscard.apps.pse import quick
from sscard.apps.pse.application import AFL_SFIS, Application, is_personalised
from sscard.apps.pse.transaction import Quick, Selected
from sscard.cos import basic
from sscard.cos.commands import CommandTable, Survives
from sscard.cos.domain import Domain
from sscard.cos.getdata import cos_data
from sscard.cos.refusal import Refusal, Reply
from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.iso.tlv import encode
from sscard.spec.pboc import GET_DATA

__all__ = ["READING"]

READING = CommandTable("PSE reading")

_BY_NUMBER = frozenset(sfi << 3 | 4 for sfi in range(32))
_ATC, _LAST_ONLINE_ATC, _PIN_TRIES, _LOG_FORMAT = 0x9F36, 0x9F13, 0x9F17, 0x9F4F


@READING.command(0x00, 0xB2, "READ RECORD", p1=None, p2=_BY_NUMBER, ref="pse-pboc 2.5")
def read_record(domain: Domain, command: Command) -> bytes | Reply:
    """Return record P1 of the file whose SFI P2 holds; of the log 1 is the newest."""
    if not command.p2 >> 3:
        raise Refusal(SW.FILE_NOT_FOUND, "SFI 00 names no file", "pse-pboc 2.5")
    options = domain.options
    if not command.p1 and options["pse_record_zero"] == "6A86":
        raise Refusal(SW.WRONG_P1P2, "records begin with 01", "pse-pboc 2.5")
    early = isinstance(domain.session.app, Selected) and command.p2 >> 3 in AFL_SFIS
    if early and options["pse_read_before_gpo"] == "6985":
        raise Refusal(SW.CONDITIONS, "records are read after GPO", "pse-pboc 2.5")
    record = basic.read_record(domain, command)
    if not record:
        raise Refusal(SW.RECORD_NOT_FOUND, "this record has not been given", "pse-pboc 9")
    if isinstance(domain.session.app, Quick) and isinstance(record, bytes):
        return quick.read(domain, domain.session.app, (command.p2 >> 3, command.p1), record)
    return record


@READING.command(
    0x80,
    0xCA,
    "GET DATA",
    p1=None,
    p2=None,
    survives=Survives.BLOCKED | Survives.TERMINATED,
    ref="pse-pboc 2.3; cos 5.1",
)
def get_data(domain: Domain, command: Command) -> bytes:
    """Return a data element as TLV, with the values last committed; or an object of the COS."""
    tag = command.p1p2
    if tag not in GET_DATA or domain.directory.parent is None:
        return cos_data(domain, command.p1, command.p2)
    if not is_personalised(domain, domain.directory):
        raise Refusal(SW.CONDITIONS, "the application is not personalised", "pse-pboc 9")
    card = Application(domain)
    value = _value(card, tag)
    if value is None and tag == _LOG_FORMAT and domain.options["pse_log_format_absent"] == "empty":
        value = b""
    if value is None:
        raise Refusal(SW.DATA_NOT_FOUND, f"{tag:04X} was not personalised", "pse-pboc 2.3")
    return encode(tag, value)


def _value(card: Application, tag: int) -> bytes | None:
    if tag == _ATC:
        return card.counters.atc.to_bytes(2, "big")
    if tag == _LAST_ONLINE_ATC:
        return card.counters.last_online_atc.to_bytes(2, "big")
    if tag == _PIN_TRIES:
        tries = card.pin_tries
        return None if tries is None else bytes((tries,))
    return card.profile.elements.get(tag)
