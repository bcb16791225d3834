"""Readers in this process as pyscard's own classes see them: nothing else is running."""

import gc
import threading

import pytest

from sscard.errors import PowerLoss, TransportError
from sscard.sample import sample_card
from sscard.transport.memory import PoweredSlot

smartcard = pytest.importorskip("smartcard", reason="pyscard is not installed: make deps as root")
pytestmark = pytest.mark.requires("pyscard")

SSSE = list(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF00"))
NUMBER = list(bytes.fromhex("00B2072C00"))
ATR = "3B6D00000087CF20018649999900000001"
PIN = list(bytes.fromhex("0020000003123456"))


@pytest.fixture
def module():
    from sscard.transport import pyscard_reader

    return pyscard_reader


@pytest.fixture
def reader(module):
    card = PoweredSlot(sample_card(), atr=bytes.fromhex(ATR))
    with module.installed(module.VirtualReader("sscard A", card), alone=True) as (reader,):
        yield reader


def connected(reader, **words):
    connection = reader.createConnection()
    connection.connect(**words)
    return connection


def code(error):
    return error.value.hresult & 0xFFFFFFFF


# ---- what every pyscard program does -------------------------------------------------------------


def test_readers_lists_it_and_a_connection_talks(reader):
    from smartcard.System import readers
    from smartcard.util import toHexString

    assert [str(one) for one in readers()] == ["sscard A"]
    connection = readers()[0].createConnection()
    connection.connect()
    assert toHexString(connection.getATR()).replace(" ", "") == ATR
    assert connection.getProtocol() == 1
    data, sw1, sw2 = connection.transmit(SSSE)
    assert (len(data), sw1, sw2) == (24, 0x90, 0x00)
    assert connection.transmit(NUMBER) == (list(b"\x07\x09T0000001X"), 0x90, 0x00)
    connection.disconnect()
    connection.release()


def test_what_a_session_proves_ends_with_the_connection(reader):
    connection = connected(reader)
    connection.transmit(SSSE)
    assert connection.transmit(PIN)[1:] == (0x90, 0x00)
    connection.disconnect()
    connection.connect()
    assert connection.transmit(NUMBER)[1:] != (0x90, 0x00), "nothing is selected after a power-on"


def test_observers_and_error_chains(reader):
    from smartcard.CardConnectionObserver import CardConnectionObserver
    from smartcard.sw.ErrorCheckingChain import ErrorCheckingChain
    from smartcard.sw.ISO7816_4ErrorChecker import ISO7816_4ErrorChecker
    from smartcard.sw.SWExceptions import SWException

    seen = []

    class Listener(CardConnectionObserver):
        def update(self, connection, event):
            seen.append(event.type)

    connection = reader.createConnection()
    connection.addObserver(Listener())
    connection.connect()
    chain = [ErrorCheckingChain([], ISO7816_4ErrorChecker())]
    connection.setErrorCheckingChain(chain)
    with pytest.raises(SWException):
        connection.transmit([0, 0xB2, 9, 0x2C, 0])
    connection.setErrorCheckingChain(None)
    connection.transmit(SSSE)
    connection.disconnect()
    assert seen == ["connect", *["command", "response"] * 2, "disconnect"]
    unobserved = connected(reader)
    unobserved.setErrorCheckingChain(chain)
    with pytest.raises(SWException):
        unobserved.transmit([0, 0xB2, 9, 0x2C, 0])


def test_a_session_by_name(reader):
    from smartcard.Session import Session

    session = Session("sscard A")
    assert session.sendCommandAPDU(SSSE)[1:] == (0x90, 0x00)
    assert bytes(session.getATR()).hex().upper() == ATR
    session.close()


def test_attributes_and_control_codes(reader):
    from smartcard.Exceptions import SmartcardException
    from smartcard.scard import (
        SCARD_ATTR_ATR_STRING,
        SCARD_ATTR_DEVICE_FRIENDLY_NAME_A,
        SCARD_ATTR_MAXINPUT,
        SCARD_ATTR_VENDOR_NAME,
    )

    connection = connected(reader)
    assert bytes(connection.getAttrib(SCARD_ATTR_ATR_STRING)).hex().upper() == ATR
    assert bytes(connection.getAttrib(SCARD_ATTR_VENDOR_NAME)) == b"sscard\0"
    assert bytes(connection.getAttrib(SCARD_ATTR_DEVICE_FRIENDLY_NAME_A)) == b"sscard A\0"
    with pytest.raises(SmartcardException) as error:
        connection.getAttrib(SCARD_ATTR_MAXINPUT)
    assert code(error) == 0x8010001F
    with pytest.raises(SmartcardException) as error:
        connection.control(0x42000D48)
    assert code(error) == 0x8010001F


# ---- what goes wrong -----------------------------------------------------------------------------


def test_an_empty_reader_has_no_card(module):
    from smartcard.Exceptions import NoCardException

    with pytest.raises(NoCardException) as error:
        connected(module.VirtualReader())
    assert code(error) == 0x8010000C


def test_a_protocol_the_card_does_not_speak(reader):
    from smartcard.CardConnection import CardConnection
    from smartcard.Exceptions import CardConnectionException

    with pytest.raises(CardConnectionException) as error:
        connected(reader, protocol=CardConnection.T1_protocol)
    assert code(error) == 0x8010000F


def test_an_exclusive_connection_keeps_others_out(reader):
    from smartcard.Exceptions import CardConnectionException
    from smartcard.scard import SCARD_SHARE_EXCLUSIVE

    first = connected(reader, mode=SCARD_SHARE_EXCLUSIVE)
    with pytest.raises(CardConnectionException) as error:
        connected(reader)
    assert code(error) == 0x8010000B
    first.disconnect()
    shared = connected(reader)
    with pytest.raises(CardConnectionException) as error:
        connected(reader, mode=SCARD_SHARE_EXCLUSIVE)
    assert code(error) == 0x8010000B
    assert shared.transmit(SSSE)[1:] == (0x90, 0x00)


def test_shared_connections_share_the_card_and_its_resets(reader):
    from smartcard.Exceptions import CardConnectionException
    from smartcard.scard import SCARD_LEAVE_CARD, SCARD_RESET_CARD

    one, other = connected(reader), connected(reader)
    one.transmit(SSSE)
    assert other.transmit(NUMBER)[1:] == (0x90, 0x00), "they see one card in one state"
    one.reconnect(disposition=SCARD_RESET_CARD)
    with pytest.raises(CardConnectionException) as error:
        other.transmit(NUMBER)
    assert code(error) == 0x80100068
    other.reconnect(disposition=SCARD_LEAVE_CARD)
    assert other.transmit(SSSE)[1:] == (0x90, 0x00)


def test_a_card_taken_out_is_gone_for_its_connections(reader):
    from smartcard.Exceptions import CardConnectionException, NoCardException

    connection = connected(reader)
    reader.remove()
    for _ in range(2):
        with pytest.raises(CardConnectionException) as error:
            connection.transmit(SSSE)
        assert code(error) == 0x80100069
    with pytest.raises(NoCardException) as error:
        connection.reconnect()
    assert code(error) == 0x80100069
    with pytest.raises(CardConnectionException, match="not connected"):
        connection.transmit(SSSE)
    with pytest.raises(NoCardException):
        connected(reader)
    reader.insert(PoweredSlot(sample_card()))
    assert connected(reader).transmit(SSSE)[1:] == (0x90, 0x00)


def test_power_lost_in_mid_command_is_a_card_without_power(module):
    from smartcard.Exceptions import CardConnectionException

    class Dying:
        atr = bytes.fromhex(ATR)

        def power_on(self):
            pass

        power_off = reset = power_on

        def transmit(self, apdu):
            raise PowerLoss("at operation 3")

    connection = connected(module.VirtualReader("dying", Dying()))
    with pytest.raises(CardConnectionException) as error:
        connection.transmit(SSSE)
    assert code(error) == 0x80100067


def test_a_connection_nobody_holds_any_more_lets_the_card_go(reader):
    from smartcard.scard import SCARD_SHARE_EXCLUSIVE

    forgotten = connected(reader)
    forgotten.transmit(SSSE)
    assert forgotten.transmit(PIN)[1:] == (0x90, 0x00)
    del forgotten
    alone = connected(reader, mode=SCARD_SHARE_EXCLUSIVE)
    assert alone.transmit(NUMBER)[1:] != (0x90, 0x00), "the card has lost its power in between"


def test_a_connection_nobody_holds_after_a_refusal_lets_the_card_go_at_once(reader):
    """A refusal remembers no way it came: that would hold on to the connection."""
    from smartcard.scard import SCARD_SHARE_EXCLUSIVE

    gc.collect()
    gc.disable()
    try:
        forgotten = connected(reader)
        assert forgotten.transmit(NUMBER)[1:] == (0x6A, 0x82)
        del forgotten
        connected(reader, mode=SCARD_SHARE_EXCLUSIVE)
    finally:
        gc.enable()


def test_a_released_connection_is_over(reader):
    from smartcard.Exceptions import CardConnectionException

    connection = connected(reader)
    connection.release()
    connection.release()
    with pytest.raises(CardConnectionException, match="released"):
        connection.connect()
    with connected(reader) as other:
        assert other.transmit(SSSE)[1:] == (0x90, 0x00)
    with pytest.raises(CardConnectionException, match="not connected"):
        other.transmit(SSSE)


def test_a_reconnection_agrees_on_mode_and_protocol_anew(reader):
    from smartcard.CardConnection import CardConnection
    from smartcard.Exceptions import CardConnectionException
    from smartcard.scard import SCARD_LEAVE_CARD, SCARD_SHARE_EXCLUSIVE

    one, other = connected(reader), connected(reader, disposition=SCARD_LEAVE_CARD)
    with pytest.raises(CardConnectionException) as error:
        one.reconnect(mode=SCARD_SHARE_EXCLUSIVE)
    assert code(error) == 0x8010000B
    one.release()  # pyscard has forgotten its handle, PC/SC has not
    other.reconnect(mode=SCARD_SHARE_EXCLUSIVE)
    with pytest.raises(CardConnectionException) as error:
        connected(reader)
    assert code(error) == 0x8010000B
    other.reconnect()
    assert connected(reader).transmit(SSSE)[1:] == (0x90, 0x00), "shared again"
    other.reconnect()
    with pytest.raises(CardConnectionException) as error:
        other.reconnect(protocol=CardConnection.T1_protocol)
    assert code(error) == 0x8010000F


def test_a_reconnection_does_not_break_into_a_transaction(reader):
    from smartcard.Exceptions import CardConnectionException
    from smartcard.ExclusiveTransmitCardConnection import ExclusiveTransmitCardConnection

    one = ExclusiveTransmitCardConnection(reader.createConnection())
    one.connect()
    other = connected(reader)
    one.lock()
    one.transmit(SSSE)
    with pytest.raises(CardConnectionException) as error:
        other.reconnect()
    assert code(error) == 0x8010000B
    assert one.transmit(NUMBER)[1:] == (0x90, 0x00), "nobody has reset the card"


def test_a_command_is_sent_in_the_protocol_of_the_connection(reader):
    from smartcard.CardConnection import CardConnection
    from smartcard.Exceptions import CardConnectionException

    connection = reader.createConnection()
    connection.setProtocol(CardConnection.T1_protocol)
    with pytest.raises(CardConnectionException) as error:
        connection.connect()
    assert code(error) == 0x8010000F
    connection.connect(CardConnection.T0_protocol)
    for protocol in (CardConnection.T0_protocol, CardConnection.RAW_protocol, None):
        assert connection.transmit(SSSE, protocol)[1:] == (0x90, 0x00)
    with pytest.raises(CardConnectionException) as error:
        connection.transmit(SSSE, CardConnection.T1_protocol)
    assert code(error) == 0x8010000F
    with pytest.raises(CardConnectionException, match="Invalid protocol"):
        connection.transmit(SSSE, CardConnection.T15_protocol)


def test_too_short_a_command_and_no_connection(reader):
    from smartcard.Exceptions import CardConnectionException

    connection = reader.createConnection()
    with pytest.raises(CardConnectionException, match="not connected"):
        connection.transmit(SSSE)
    connection.connect()
    with pytest.raises(CardConnectionException) as error:
        connection.transmit([0, 0xA4])
    assert code(error) == 0x80100004


def test_two_readers_of_one_name_are_refused(module):
    readers = module.VirtualReader("x"), module.VirtualReader("x")
    with pytest.raises(TransportError, match="same name"), module.installed(*readers):
        pass


# ---- waiting for cards ---------------------------------------------------------------------------


def test_a_card_request_by_atr(reader):
    from smartcard.CardRequest import CardRequest
    from smartcard.CardType import ATRCardType
    from smartcard.util import toBytes

    request = CardRequest(timeout=5, cardType=ATRCardType(toBytes(ATR)))
    service = request.waitforcard()
    service.connection.connect()
    assert service.connection.transmit(SSSE)[1:] == (0x90, 0x00)


def test_a_card_request_for_a_new_card(reader):
    from smartcard.CardRequest import CardRequest
    from smartcard.Exceptions import CardRequestTimeoutException

    with pytest.raises(CardRequestTimeoutException):
        CardRequest(timeout=0, newcardonly=True).waitforcard()
    hand = threading.Timer(0.1, lambda: reader.swap(PoweredSlot(sample_card())))
    hand.start()
    service = CardRequest(timeout=30, newcardonly=True).waitforcard()
    hand.join()
    service.connection.connect()
    assert service.connection.transmit(SSSE)[1:] == (0x90, 0x00)


def test_a_card_monitor_sees_it_come_and_go(reader):
    from smartcard.CardMonitoring import CardMonitor, CardObserver

    came, went = threading.Event(), threading.Event()

    class Watch(CardObserver):
        def update(self, observable, handlers):
            added, removed = handlers
            if added:
                came.set()
            if removed:
                went.set()

    monitor, watch = CardMonitor(), Watch()
    monitor.addObserver(watch)
    assert came.wait(30)
    reader.remove()
    assert went.wait(30)
    monitor.deleteObserver(watch)
    monitor.rmthread.stop()
    reader.insert(PoweredSlot(sample_card()))  # it looks up only when something happens
    monitor.rmthread.join()
    CardMonitor.instance = None


def test_the_end_of_the_block_puts_everything_back(module):
    import smartcard.CardRequest
    from smartcard.CardRequest import PCSCCardRequest
    from smartcard.reader.ReaderFactory import ReaderFactory

    before = list(ReaderFactory.factorymethods)
    reader = module.VirtualReader("sscard B", PoweredSlot(sample_card()))
    with module.installed(reader, alone=True):
        assert ReaderFactory.factorymethods != before
        connection = connected(reader)
    assert ReaderFactory.factorymethods == before
    assert smartcard.CardRequest.PCSCCardRequest is PCSCCardRequest
    assert reader.slot.state.atr is not None
    with pytest.raises(Exception, match="closed"):
        connection.transmit(SSSE)


# ---- pyscard's own example flows -----------------------------------------------------------------


def test_a_reader_monitor_sees_readers_come_and_go(module):
    from smartcard.ReaderMonitoring import ReaderMonitor, ReaderObserver

    seen, told = [], threading.Event()

    class Watch(ReaderObserver):
        def update(self, observable, handlers):
            seen.append(tuple([str(one) for one in side] for side in handlers))
            told.set()

    a, b = module.VirtualReader("A", sample_card()), module.VirtualReader("B")
    with module.installed(a, alone=True):
        monitor, watch = ReaderMonitor(period=0.02), Watch()
        monitor.addObserver(watch)
        assert told.wait(30)
        told.clear()
        with module.installed(a, b, alone=True):
            assert told.wait(30)
            told.clear()
            thread = monitor.rmthread
            monitor.deleteObserver(watch)
            thread.join()
    assert seen == [(["A"], []), (["B"], [])]


def test_a_decorated_connection_and_a_card_service(reader):
    """pyscard's example of a secure channel: a decorator around the connection."""
    from smartcard.CardConnectionDecorator import CardConnectionDecorator
    from smartcard.CardRequest import CardRequest
    from smartcard.CardType import AnyCardType

    class Upside(CardConnectionDecorator):
        def transmit(self, command, protocol=None):
            data, sw1, sw2 = super().transmit(command[::-1], protocol)
            return data[::-1], sw1, sw2

    with (
        CardRequest(timeout=5, cardType=AnyCardType()) as request,
        request.waitforcard() as service,
    ):
        connection = Upside(service.connection)
        connection.connect()
        assert connection.transmit(SSSE[::-1])[1:] == (0x90, 0x00)
        assert bytes(connection.transmit(NUMBER[::-1])[0]) == b"X1000000T\x09\x07"


def test_a_card_type_with_a_mask_takes_the_card_and_another_does_not(reader):
    from smartcard.CardRequest import CardRequest
    from smartcard.CardType import ATRCardType
    from smartcard.Exceptions import CardRequestTimeoutException

    atr = list(bytes.fromhex(ATR))
    other = [*atr[:-1], atr[-1] ^ 0x01]
    mask = [0xFF] * (len(atr) - 1) + [0x00]
    assert CardRequest(timeout=0, cardType=ATRCardType(other, mask)).waitforcard()
    with pytest.raises(CardRequestTimeoutException):
        CardRequest(timeout=0, cardType=ATRCardType(other)).waitforcard()


def test_the_decorator_for_exclusive_connections_is_heeded(reader):
    from smartcard.Exceptions import CardConnectionException
    from smartcard.ExclusiveConnectCardConnection import ExclusiveConnectCardConnection

    only = ExclusiveConnectCardConnection(reader.createConnection())
    only.connect()
    with pytest.raises(CardConnectionException) as error:
        connected(reader)
    assert code(error) == 0x8010000B
    only.disconnect()
    assert connected(reader).transmit(SSSE)[1:] == (0x90, 0x00)


def test_the_decorator_for_transactions_keeps_others_from_sending(reader):
    from smartcard.Exceptions import CardConnectionException
    from smartcard.ExclusiveTransmitCardConnection import ExclusiveTransmitCardConnection
    from smartcard.scard import SCARD_LEAVE_CARD

    one = ExclusiveTransmitCardConnection(reader.createConnection())
    other = ExclusiveTransmitCardConnection(reader.createConnection())
    one.connect()
    other.connect(disposition=SCARD_LEAVE_CARD)
    one.lock()
    assert one.transmit(SSSE)[1:] == (0x90, 0x00)
    with pytest.raises(CardConnectionException) as error:
        other.transmit(NUMBER)
    assert code(error) == 0x8010000B
    waiting = threading.Thread(target=other.lock)
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()
    one.unlock()
    waiting.join()
    assert other.transmit(NUMBER)[1:] == (0x90, 0x00)
    other.disconnect()
    assert one.transmit(NUMBER)[1:] == (0x90, 0x00), "the end of a connection ends its transaction"


def test_who_is_in_a_transaction_keeps_other_threads_waiting(reader):
    from smartcard.ExclusiveTransmitCardConnection import ExclusiveTransmitCardConnection

    one = ExclusiveTransmitCardConnection(reader.createConnection())
    one.connect()
    other = connected(reader)
    one.lock()
    one.lock()
    answered = []
    waiting = threading.Thread(target=lambda: answered.append(other.transmit(SSSE)[1:]))
    waiting.start()
    one.unlock()
    waiting.join(0.05)
    assert waiting.is_alive(), "each lock wants an unlock of its own"
    one.unlock()
    waiting.join(30)
    assert answered == [(0x90, 0x00)]


def test_a_card_taken_out_ends_the_waiting(reader):
    from smartcard.Exceptions import CardConnectionException
    from smartcard.ExclusiveTransmitCardConnection import ExclusiveTransmitCardConnection

    one = ExclusiveTransmitCardConnection(reader.createConnection())
    one.connect()
    other = connected(reader)
    one.lock()
    seen = []

    def wait():
        try:
            other.transmit(SSSE)
        except CardConnectionException as error:
            seen.append(error.hresult & 0xFFFFFFFF)

    waiting = threading.Thread(target=wait)
    waiting.start()
    waiting.join(0.05)
    reader.remove()
    waiting.join(30)
    assert seen == [0x80100069]


def test_the_end_of_the_block_waits_for_no_transaction_and_leaves_no_power(module):
    from smartcard.ExclusiveTransmitCardConnection import ExclusiveTransmitCardConnection
    from smartcard.scard import SCARD_LEAVE_CARD

    card = PoweredSlot(sample_card())
    reader = module.VirtualReader("sscard D", card)
    with module.installed(reader, alone=True):
        one = ExclusiveTransmitCardConnection(reader.createConnection())
        one.connect()
        other = connected(reader)
        locking = threading.Thread(target=one.lock)
        locking.start()
        locking.join()
    assert not card.powered
    with pytest.raises(Exception, match="closed"):
        other.transmit(SSSE)
    with module.installed(reader, alone=True):
        connected(reader, disposition=SCARD_LEAVE_CARD).disconnect()
        assert card.powered
    assert not card.powered


def test_unlocking_what_is_not_locked(reader):
    from smartcard.Exceptions import CardConnectionException
    from smartcard.ExclusiveTransmitCardConnection import ExclusiveTransmitCardConnection

    one = ExclusiveTransmitCardConnection(reader.createConnection())
    one.connect()
    with pytest.raises(CardConnectionException) as error:
        one.unlock()
    assert code(error) == 0x80100016


def test_a_card_left_in_its_state_is_found_in_it(reader):
    from smartcard.scard import SCARD_LEAVE_CARD

    first = connected(reader, disposition=SCARD_LEAVE_CARD)
    first.transmit(SSSE)
    first.disconnect()
    second = connected(reader)
    assert second.transmit(NUMBER)[1:] == (0x90, 0x00)
    second.connect()
    assert second.transmit(NUMBER)[1:] == (0x90, 0x00), "connecting anew resets nothing"


@pytest.mark.parametrize(
    "words", [{"mode": 77}, {"mode": 3}, {"disposition": 99}, {"disposition": 3}]
)
def test_modes_and_dispositions_there_are_none_of(reader, words):
    from smartcard.Exceptions import CardConnectionException

    connection = connected(reader)
    with pytest.raises(CardConnectionException) as error:
        connection.reconnect(**words)
    assert code(error) == 0x80100011
    with pytest.raises(CardConnectionException, match="not connected"):
        connection.transmit(SSSE)


def test_a_command_is_a_list_of_bytes(reader):
    connection = connected(reader)
    for command in (bytes(SSSE), tuple(SSSE), "00A4"):
        with pytest.raises(TypeError, match="list"):
            connection.transmit(command)
    assert connection.transmit([256, *SSSE[1:]])[1:] == (0x90, 0x00), "as pyscard cuts it"


def test_a_card_request_for_a_reader_there_is_none_of_times_out(reader):
    """Over PC/SC pyscard waits for ever."""
    from smartcard.CardRequest import CardRequest
    from smartcard.Exceptions import CardRequestTimeoutException

    for nobody in ([], ["nobody"]):
        with pytest.raises(CardRequestTimeoutException):
            CardRequest(timeout=0, readers=nobody).waitforcard()


def test_readers_asked_for_are_looked_at_in_that_order(module):
    from smartcard.CardRequest import CardRequest

    a, b = module.VirtualReader("A", sample_card()), module.VirtualReader("B", sample_card())
    with module.installed(a, b, alone=True):
        for asked in (["A", "B"], ["B", "A"]):
            service = CardRequest(timeout=0, readers=asked).waitforcard()
            assert service.connection.getReader() == asked[0]


def test_reader_groups_are_those_of_pcsc_lite(module):
    from smartcard import scard
    from smartcard.reader.ReaderGroups import readergroups as groups
    from smartcard.System import readergroups

    before = groups.instance
    with module.installed(module.VirtualReader("A"), alone=True):
        assert readergroups() == ["SCard$DefaultReaders"]
        with pytest.raises(scard.error, match="no groups"):
            readergroups().append("Pinpad$Readers")
        with pytest.raises(scard.error, match="no groups"):
            readergroups().remove("SCard$DefaultReaders")
    assert groups.instance is before


def test_the_raw_api_says_why_it_cannot(module):
    from smartcard import scard

    establish = scard.SCardEstablishContext
    with (
        module.installed(module.VirtualReader("A"), alone=True),
        pytest.raises(scard.error, match=r"use smartcard\.System\.readers\(\)"),
    ):
        scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    with module.installed(module.VirtualReader("A")):
        assert scard.SCardEstablishContext is establish
    assert scard.SCardEstablishContext is establish


def test_a_card_request_not_alone_waits_for_one_kind_of_reader(module):
    from smartcard.CardRequest import CardRequest
    from smartcard.Exceptions import CardConnectionException

    class Other:
        name = "a real one"

        def __str__(self):
            return self.name

    ours = module.VirtualReader("sscard C", sample_card())
    with module.installed(ours):
        service = CardRequest(timeout=0, readers=[ours]).waitforcard()
        service.connection.connect()
        assert service.connection.transmit(SSSE)[1:] == (0x90, 0x00)
        with pytest.raises(CardConnectionException, match="make two"):
            CardRequest(timeout=0, readers=[ours, Other()])


def test_a_card_as_it_is_goes_into_a_reader_with_a_link(module):
    reader = module.VirtualReader("t0", sample_card(), link="t0")
    assert connected(reader).transmit(SSSE) == ([], 0x61, 0x18)
    reader.swap(sample_card())
    assert connected(reader).transmit(SSSE) == ([], 0x61, 0x18)


def test_what_is_no_card_is_not_put_in(reader):
    """A profile's name is a likely slip; a card that has its power already is another."""
    before = reader.slot.state
    for slip in ("pin-blocked", sample_card().power_on()):
        with pytest.raises(TransportError, match="is no card to put in: it cannot be powered on"):
            reader.swap(slip)
    assert reader.slot.state == before
