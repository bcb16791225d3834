"""The issuer's scripts: blocking, PIN, risk data, records (pse-pboc 2.2, 4.8, 5.6).

Each is one transaction with its own count; `scripting` has checked form, session and MAC.
"""

from sscard.apps.pse import records
from sscard.apps.pse.application import DATA_FILE, Application
from sscard.apps.pse.numbers import from_n12
from sscard.apps.pse.pin import reference_digits, stored_pin
from sscard.apps.pse.scripting import MAC_LENGTH, Session, exactly, script
from sscard.cos.layout import Block
from sscard.cos.lifecycle import own_block, set_block
from sscard.cos.objects import KeyRecord, KeyType, Kind
from sscard.cos.refusal import Refusal
from sscard.cos.tree import FileNode
from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.keys import Algorithm, pboc
from sscard.spec.pboc import PUT_DATA

__all__: list[str] = []

_REF = "pse-pboc 5.6"
_UNBLOCK_PIN, _WITH_CURRENT_PIN, _WITHOUT_CURRENT_PIN = 0, 1, 2
_PIN_BLOCK = 16
_BALANCE, _BALANCE_LIMIT = 0x9F79, 0x9F77
_RECORDS = frozenset(sfi << 3 | 4 for sfi in range(1, 31))


# --- blocking -----------------------------------------------------------------------------------


@script(0x84, 0x1E, "APPLICATION BLOCK", form=exactly(0), ref=_REF)
def application_block(card: Application, command: Command, data: bytes, tx: Session) -> None:
    """Block the application; the rest of the session goes on."""
    if own_block(card.domain) == Block.NONE:
        set_block(card.domain, Block.TEMPORARY)


@script(0x84, 0x18, "APPLICATION UNBLOCK", form=exactly(0), ref=_REF)
def application_unblock(card: Application, command: Command, data: bytes, tx: Session) -> None:
    """Lift the block of the application; harmless where there is none."""
    if own_block(card.domain) == Block.TEMPORARY:
        set_block(card.domain, Block.NONE)


@script(0x84, 0x16, "CARD BLOCK", form=exactly(0), ref=f"{_REF}; cos 3.5")
def card_block(card: Application, command: Command, data: bytes, tx: Session) -> None:
    """End the environment for good, or the card (`card_block_scope`); this session may finish."""
    domain = card.domain
    domain.session.outlives_block = True
    if domain.lock_card is None:
        domain.write_header(block=Block.CARD)
    else:
        domain.lock_card()


# --- the PIN ------------------------------------------------------------------------------------


def _pin_form(card: Application, command: Command) -> Refusal | None:
    enciphered = 0 if command.p2 == _UNBLOCK_PIN else _PIN_BLOCK
    return exactly(enciphered)(card, command)


@script(
    0x84,
    0x24,
    "PIN CHANGE/UNBLOCK",
    p2=(_UNBLOCK_PIN, _WITH_CURRENT_PIN, _WITHOUT_CURRENT_PIN),
    form=_pin_form,
    ref="pse-pboc 4.8",
)
def pin_change_unblock(card: Application, command: Command, data: bytes, tx: Session) -> None:
    """Give the PIN all its tries again; P2 = 01 and 02 replace it first.

    Refuses: 6985 without a reference PIN, 6A80 a block that is no PIN, as a wrong current PIN
    shows itself.
    """
    pin = card.pin
    if pin is None:
        raise Refusal(SW.CONDITIONS, "no offline PIN is personalised", "pse-pboc 4.8")
    if command.p2 != _UNBLOCK_PIN:
        swapped = card.domain.options["pse_pin_change_roles"] == "swapped"
        current = (command.p2 == _WITH_CURRENT_PIN) != swapped
        digits = _new_pin(card, pin, data, tx.atc, current=current)
        pin = pin._replace(value=stored_pin(pin, digits))
    tries = pin.tries_max if pin.counted else pin.tries_left
    card.domain.store.write(pin.address, pin._replace(tries_left=tries).build())
    card.domain.after_commit(card.domain.keys.forget)


def _new_pin(card: Application, pin: KeyRecord, data: bytes, atc: int, *, current: bool) -> str:
    """Recover the new PIN from DELTA (4.8)."""
    crypto = card.domain.crypto
    crypto.charge(Algorithm.TDES, len(data))
    block = pboc.script_block_decrypt(card.script_key(KeyType.ISSUER_ENC, atc), data)
    mask = card.card_key(_MASKS[card.domain.options["pse_pin_change_key"]])
    try:
        known = reference_digits(pin) if current else None
        return pboc.pin_change_digits(mask, block, known)
    except ValueError as error:
        raise Refusal(SW.WRONG_DATA, str(error), "pse-pboc 4.8") from None


_MASKS = {"ENC": KeyType.ISSUER_ENC, "AC": KeyType.ISSUER_AC}


# --- data ---------------------------------------------------------------------------------------


def _data_form(card: Application, command: Command) -> Refusal | None:
    """The tag is looked up before Lc (2.1): one that PUT DATA changes and this card has."""
    tag = command.p1p2
    held = card.profile.elements.get(tag) if tag in PUT_DATA else None
    if held is None:
        return Refusal(SW.WRONG_DATA, f"PUT DATA does not change {tag:04X} here", _REF)
    return exactly(len(held))(card, command)


@script(0x04, 0xDA, "PUT DATA", p1=None, p2=None, form=_data_form, ref=_REF)
def put_data(card: Application, command: Command, data: bytes, tx: Session) -> None:
    """Replace a risk data element. Refuses: 6A80 a balance above its limit."""
    body = card.body
    limit = body.entries.get(_BALANCE_LIMIT)
    if command.p1p2 == _BALANCE and limit is not None and from_n12(data) > from_n12(limit):
        sw = SW(int(card.domain.options["pse_put_data_limit"], 16))
        raise Refusal(sw, "the balance would be above 9F77", _REF)
    card.domain.store.write(card.file(DATA_FILE).body, body.with_entry(command.p1p2, data).build())


def _record_form(card: Application, command: Command) -> Refusal | None:
    if len(command.data) > MAC_LENGTH:
        return None
    return Refusal(SW.WRONG_LENGTH, "Lc counts a record and its MAC", "pse-pboc 2.2")


@script(0x04, 0xDC, "UPDATE RECORD", p1=None, p2=_RECORDS, form=_record_form, ref=_REF)
def update_record(card: Application, command: Command, data: bytes, tx: Session) -> None:
    """Replace a record, at any length it has room for.

    Refuses: 6A82 no such file, 6A83 no such record, 6981 the log, 6A84 too long.
    """
    node = _record_file(card, command.p2 >> 3)
    held = records.split(card.domain.store.read(node.body, node.header.body_length))
    if not 1 <= command.p1 <= len(held) or not held[command.p1 - 1]:
        raise Refusal(SW.RECORD_NOT_FOUND, f"there is no record {command.p1}", _REF)
    try:
        records.put(card.domain.store, node, command.p1, data)
    except Refusal as refusal:
        sw = SW(int(card.domain.options["pse_long_record"], 16))
        raise Refusal(sw, refusal.why, _REF) from None


def _record_file(card: Application, sfi: int) -> FileNode:
    node = card.node.by_sfi.get(sfi)
    if node is None:
        raise Refusal(SW.FILE_NOT_FOUND, f"there is no file with SFI {sfi:02X}", _REF)
    if node.damaged:
        raise Refusal(SW.MEMORY_FAILURE, f"the file with SFI {sfi:02X} is damaged", "cos 2.5")
    if node.kind != Kind.LINEAR_VARIABLE:
        raise Refusal(SW.WRONG_FILE_KIND, "scripts change no log", _REF)
    return node
