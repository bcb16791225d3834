"""What pyscard does in the corners where readers differ: a JSON object, a line for each question.

Run by `pyscard_script.py`, over PC/SC and in process: `READER READER`, both with a card in it.
Every question leaves the cards as it found them.
"""

import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import smartcard
from smartcard import scard
from smartcard.CardConnection import CardConnection
from smartcard.CardConnectionObserver import CardConnectionObserver
from smartcard.CardRequest import CardRequest
from smartcard.CardService import CardService
from smartcard.CardType import ATRCardType
from smartcard.ExclusiveConnectCardConnection import ExclusiveConnectCardConnection
from smartcard.ExclusiveTransmitCardConnection import ExclusiveTransmitCardConnection
from smartcard.PassThruCardService import PassThruCardService
from smartcard.Session import Session
from smartcard.System import listReaders, readergroups, readers
from smartcard.util import toHexString

T0, T1, RAW = (
    CardConnection.T0_protocol,
    CardConnection.T1_protocol,
    CardConnection.RAW_protocol,
)
SELECT = list(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF00"))
NUMBER = list(bytes.fromhex("00B2072C00"))
name, second = sys.argv[1:3]
questions: dict[str, Callable[[], Any]] = {}


def question(ask: Callable[[], Any]) -> Callable[[], Any]:
    """Note a function as a question; its name is the line's."""
    questions[ask.__name__] = ask
    return ask


def opened(**words: Any) -> Any:
    connection = made()
    connection.connect(**words)
    return connection


def made(of: str = name) -> Any:
    return next(reader for reader in readers() if str(reader) == of).createConnection()


def outcome(call: Callable[..., Any], *args: Any, **words: Any) -> Any:
    """What a call returns, or the class and the code of its exception."""
    try:
        found = call(*args, **words)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is told
        code = getattr(error, "hresult", None)
        return [type(error).__name__, None if code is None else f"{code & 0xFFFFFFFF:08X}"]
    known = found is None or isinstance(found, (bool, int, float, str, list, tuple, dict))
    return found if known else type(found).__name__


def answers(connection: Any, *commands: list[int]) -> list[str]:
    return [
        found[0] if isinstance(found[0], str) else f"{found[1]:02X}{found[2]:02X}"
        for found in (outcome(connection.transmit, command) for command in commands)
    ]


class Events(CardConnectionObserver):
    def __init__(self) -> None:
        self.seen: list[Any] = []

    def update(self, connection: Any, event: Any) -> None:
        self.seen.append([event.type, repr(event.args)])


# ---- readers -------------------------------------------------------------------------------------


@question
def names_and_kinds() -> Any:
    found = readers()
    return [
        [repr(one), str(one), one.name, one == found[0], hash(one) == hash(one.name)]
        for one in found
    ]


@question
def lists() -> Any:
    return [smartcard.listReaders(), listReaders(), [str(r) for r in readers(["x$y"])]]


@question
def groups() -> Any:
    found = readergroups()
    return [list(found), type(found).__mro__[1].__name__, outcome(found.append, "Pinpad$Readers")]


@question
def groups_after_a_failure() -> Any:
    return [list(readergroups()), outcome(readergroups().remove, "SCard$DefaultReaders")]


# ---- connecting ----------------------------------------------------------------------------------


@question
def protocols_of_a_connection() -> Any:
    connection, seen = made(), []
    seen.append(connection.getProtocol())
    connection.connect()
    seen.append(connection.getProtocol())
    connection.disconnect()
    seen.append(connection.getProtocol())
    return seen


@question
def protocols_asked_for() -> Any:
    masks = (T0, T1, T0 | T1, RAW, RAW | T0, CardConnection.T15_protocol, 0, 0x100)
    found = []
    for mask in masks:
        connection = made()
        found.append([mask, outcome(connection.connect, mask), connection.getProtocol()])
        connection.disconnect()
    return found


@question
def modes_asked_for() -> Any:
    found = []
    for mode in (scard.SCARD_SHARE_SHARED, scard.SCARD_SHARE_EXCLUSIVE, 0, 77):
        connection = made()
        found.append([mode, outcome(connection.connect, mode=mode)])
        connection.disconnect()
    return found


@question
def dispositions() -> Any:
    found = []
    for how in (
        scard.SCARD_LEAVE_CARD,
        scard.SCARD_RESET_CARD,
        scard.SCARD_UNPOWER_CARD,
        scard.SCARD_EJECT_CARD,
        None,
        99,
    ):
        first = opened(disposition=how)
        answers(first, SELECT)
        done = outcome(first.disconnect)
        found.append([how, done, answers(opened(), NUMBER)])
    return found


@question
def dispositions_while_another_holds_the_card() -> Any:
    found = []
    for how in (scard.SCARD_LEAVE_CARD, scard.SCARD_RESET_CARD, scard.SCARD_UNPOWER_CARD):
        stays, goes = opened(), opened(disposition=how)
        answers(stays, SELECT)
        goes.disconnect()
        code = outcome(stays.transmit, NUMBER)
        found.append([how, code[0] if isinstance(code[0], str) else "answers", code[1:]])
        stays.disconnect()
    return found


@question
def connecting_twice() -> Any:
    connection = opened()
    first = answers(connection, SELECT)
    again = outcome(connection.connect)
    return [first, again, answers(connection, NUMBER)]


@question
def the_end_of_what_was_forgotten() -> Any:
    connection = opened()
    answers(connection, SELECT)
    connection.connect(disposition=scard.SCARD_LEAVE_CARD)
    connection.release()
    alone = answers(opened(), NUMBER)
    stays, connection = opened(), opened()
    answers(connection, SELECT)
    connection.connect(disposition=scard.SCARD_LEAVE_CARD)
    connection.release()
    return [alone, outcome(stays.transmit, NUMBER)]


@question
def connecting_twice_alone() -> Any:
    connection = opened(mode=scard.SCARD_SHARE_EXCLUSIVE)
    return [outcome(connection.connect), outcome(connection.transmit, NUMBER)]


@question
def disconnected_and_released() -> Any:
    connection = made()
    calls = (
        connection.disconnect,
        connection.getATR,
        connection.reconnect,
        lambda: connection.transmit(SELECT),
        connection.connect,
        connection.disconnect,
        connection.disconnect,
        connection.release,
        connection.release,
        connection.connect,
        lambda: connection.transmit(SELECT),
    )
    return [outcome(call) for call in calls]


@question
def a_released_connection_lets_go() -> Any:
    connection = opened(mode=scard.SCARD_SHARE_EXCLUSIVE)
    connection.release()
    return outcome(opened)


@question
def with_blocks() -> Any:
    events = Events()
    with made() as connection:
        connection.addObserver(events)
        connection.connect()
    return [events.seen, outcome(connection.connect)]


# ---- reconnecting --------------------------------------------------------------------------------


@question
def reconnecting() -> Any:
    connection, found = opened(), []
    for words in (
        {},
        {"disposition": scard.SCARD_LEAVE_CARD},
        {"disposition": scard.SCARD_UNPOWER_CARD},
        {"disposition": scard.SCARD_EJECT_CARD},
        {"disposition": 99},
        {"mode": scard.SCARD_SHARE_EXCLUSIVE, "disposition": scard.SCARD_LEAVE_CARD},
    ):
        answers(connection, SELECT)
        done = outcome(connection.reconnect, **words)
        found.append([sorted(words.items()), done, answers(connection, NUMBER)])
        if outcome(connection.getATR)[0] == "CardConnectionException":
            connection = opened()
    return found


@question
def the_end_after_a_reconnection() -> Any:
    found = []
    for how in (scard.SCARD_LEAVE_CARD, scard.SCARD_RESET_CARD):
        connection = opened()
        connection.reconnect(disposition=how)
        answers(connection, SELECT)
        connection.disconnect()
        found.append([how, answers(opened(), NUMBER)])
    return found


@question
def reset_by_another() -> Any:
    one, other = opened(), opened()
    one.reconnect()
    found = [outcome(other.transmit, SELECT), outcome(other.getATR)]
    found += [outcome(other.getAttrib, scard.SCARD_ATTR_ATR_STRING)]
    found += [outcome(other.reconnect, disposition=scard.SCARD_LEAVE_CARD)]
    return [*found, answers(other, SELECT), answers(one, NUMBER)]


@question
def a_failed_reconnection() -> Any:
    connection = opened()
    failed = outcome(connection.reconnect, T1)
    return [failed, outcome(connection.transmit, SELECT), outcome(connection.connect)]


# ---- commands ------------------------------------------------------------------------------------


@question
def protocols_of_a_command() -> Any:
    connection = opened()
    return [
        outcome(connection.transmit, SELECT, mask)
        for mask in (None, T0, T1, RAW, T0 | T1, 0, CardConnection.T15_protocol)
    ]


@question
def lengths_of_a_command() -> Any:
    connection = opened()
    longest = [0x00, 0xD6, 0x00, 0x00, 255, *[0] * 255]
    commands = [[0, 0xA4, 4, 0], [0, 0xA4, 4, 0, 5, 1], longest, [*longest, 0]]
    commands += [[0, 0xD6, 0, 0, 0, 1, 0, *[0] * 256], [0] * 65600]
    return [[len(command), outcome(connection.transmit, command)] for command in commands]


@question
def values_of_a_command() -> Any:
    connection = opened()
    wrong: tuple[Any, ...] = (
        [0, 0xA4, 4, 256],
        [0, -1, 4, 0],
        bytes(SELECT),
        tuple(SELECT),
        "00A4",
        [0.5],
    )
    return [outcome(connection.transmit, command) for command in wrong]


@question
def what_observers_see() -> Any:
    connection, events = made(), Events()
    connection.addObserver(events)
    connection.connect()
    connection.transmit(SELECT, T0)
    connection.reconnect()
    outcome(connection.getAttrib, scard.SCARD_ATTR_ATR_STRING)
    outcome(connection.getAttrib, 0x12345)
    outcome(connection.control, 0x42000D48, [1])
    outcome(connection.transmit, SELECT, T1)
    connection.disconnect()
    connection.disconnect()
    connection.release()
    connection.release()
    return events.seen


@question
def control_codes() -> Any:
    connection = opened()
    return [
        outcome(connection.control, code, data)
        for code, data in ((0x42000D48, None), (scard.SCARD_CTL_CODE(1), [1, 2]), (1, []))
    ]


@question
def attributes() -> Any:
    connection = opened()
    found = {
        key: outcome(connection.getAttrib, getattr(scard, key))
        for key in sorted(dir(scard))
        if key.startswith("SCARD_ATTR_") and isinstance(getattr(scard, key), int)
    }
    found["unknown"] = outcome(connection.getAttrib, 0x12345)
    return found


# ---- sharing -------------------------------------------------------------------------------------


@question
def exclusive_and_shared() -> Any:
    alone = opened(mode=scard.SCARD_SHARE_EXCLUSIVE)
    found = [outcome(opened), outcome(opened, mode=scard.SCARD_SHARE_EXCLUSIVE)]
    alone.disconnect()
    shared = opened()
    found += [outcome(opened, mode=scard.SCARD_SHARE_EXCLUSIVE), outcome(lambda: opened() and None)]
    return [*found, answers(shared, SELECT)]


@question
def exclusive_connect() -> Any:
    events, component = Events(), made()
    component.addObserver(events)
    alone = ExclusiveConnectCardConnection(component)
    alone.connect()
    found: list[Any] = [alone.getProtocol(), outcome(opened), answers(alone, SELECT)]
    alone.disconnect()
    found += [answers(opened(), NUMBER)]
    return [*found, events.seen]


@question
def exclusive_connect_again() -> Any:
    alone = ExclusiveConnectCardConnection(made())
    alone.connect()
    answers(alone, SELECT)
    return [outcome(alone.connect)[:1] if isinstance(outcome(alone.connect), list) else None]


@question
def transactions() -> Any:
    one, other = ExclusiveTransmitCardConnection(made()), opened()
    one.connect()
    return [
        outcome(one.lock),
        outcome(one.lock),
        answers(one, SELECT),
        outcome(other.getAttrib, scard.SCARD_ATTR_VENDOR_NAME)[0],
        outcome(ExclusiveTransmitCardConnection(other).unlock)[0],
        outcome(one.unlock),
        outcome(one.unlock),
        answers(other, NUMBER),
        outcome(one.unlock)[0],
    ]


@question
def who_waits_for_a_transaction() -> Any:
    calls: dict[str, Callable[[Any], Any]] = {
        "transmit": lambda other: other.transmit(NUMBER),
        "getATR": lambda other: other.getATR(),
        "reconnect": lambda other: other.reconnect(),
        "leave": lambda other: other.reconnect(disposition=scard.SCARD_LEAVE_CARD),
        "disconnect": lambda other: other.disconnect(),
        "release": lambda other: other.release(),
        "connect": lambda other: other.connect(disposition=scard.SCARD_LEAVE_CARD),
        "lock": lambda other: ExclusiveTransmitCardConnection(other).lock(),
    }
    found = []
    for what, call in calls.items():
        one, other = ExclusiveTransmitCardConnection(made()), opened()
        one.connect()
        one.lock()
        answers(one, SELECT)
        done, results = threading.Event(), list[Any]()

        def run(
            call: Callable[[Any], Any] = call,
            other: Any = other,
            results: list[Any] = results,
            done: threading.Event = done,
        ) -> None:
            results.append(outcome(call, other))
            done.set()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        at_once = done.wait(0.3)
        one.unlock()
        thread.join()
        if what == "lock":
            ExclusiveTransmitCardConnection(other).unlock()
        found.append([what, at_once, results, outcome(one.transmit, NUMBER)])
        other.release()
        one.release()
    return found


@question
def leaving_waits_for_no_transaction() -> Any:
    one, other = ExclusiveTransmitCardConnection(made()), opened(disposition=scard.SCARD_LEAVE_CARD)
    one.connect()
    one.lock()
    return [outcome(other.disconnect), answers(one, SELECT), outcome(one.unlock)]


@question
def the_end_of_a_connection_in_a_transaction() -> Any:
    one, other = ExclusiveTransmitCardConnection(made()), opened()
    one.connect()
    one.lock()
    one.disconnect()
    return [outcome(other.transmit, SELECT)]


@question
def a_reset_in_a_transaction() -> Any:
    one = ExclusiveTransmitCardConnection(made())
    one.connect()
    found = [outcome(one.lock), outcome(one.reconnect), answers(one, SELECT)]
    return [*found, outcome(one.unlock), answers(opened(), NUMBER)]


@question
def locking_after_a_reset_by_another() -> Any:
    one, other = ExclusiveTransmitCardConnection(made()), opened()
    one.connect()
    other.reconnect()
    found = [outcome(one.lock)[0] if outcome(one.lock) else None, outcome(one.transmit, SELECT)]
    one.reconnect()
    return [*found, answers(one, SELECT)]


# ---- services and requests -----------------------------------------------------------------------


@question
def sessions() -> Any:
    session = Session(name)
    found = [repr(session), toHexString(session.getATR()), session.sendCommandAPDU(NUMBER)]
    session.close()
    again = outcome(session.sendCommandAPDU, NUMBER)
    first = Session()
    found += [again, repr(first), outcome(Session, "nobody")]
    first.close()
    return found


@question
def services() -> Any:
    connection = made()
    service = PassThruCardService(connection)
    service.connection.connect()
    found = [PassThruCardService.supports("any"), answers(service.connection, SELECT)]
    del service
    found += [outcome(connection.transmit, NUMBER)]
    with CardService(made()) as other:
        other.connection.connect()
    return [*found, outcome(other.connection.connect)]


def asked(**words: Any) -> Any:
    """The reader of the card a request finds, or how it fails, and whether not too early."""

    def wait() -> str:
        return CardRequest(**words).waitforcard().connection.getReader()

    begin = time.monotonic()
    found = outcome(wait)
    return (
        found if isinstance(found, str) else [found, time.monotonic() - begin >= words["timeout"]]
    )


@question
def card_requests() -> Any:
    atr = ATRCardType(list(bytes.fromhex("3B00")))
    found = [asked(), asked(timeout=0), asked(timeout=None), asked(readers=[second])]
    found += [asked(readers=readers()[1:]), asked(readers=[second, name])]
    found += [asked(timeout=0, cardType=atr), asked(timeout=1, cardType=atr)]
    return [*found, asked(timeout=0.5, newcardonly=True)]


@question
def what_a_request_says_of_itself() -> Any:
    request = CardRequest(readers=[second])
    return [request.getReaders(), [str(reader) for reader in CardRequest().getReaders()]]


@question
def card_events() -> Any:
    return [repr(card) for card in CardRequest(timeout=10).waitforcardevent()]


for key, ask in questions.items():
    print(json.dumps([key, outcome(ask)]), flush=True)
