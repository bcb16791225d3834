"""The transport on the real stack: pcscd, vpcd, and its clients, with a card that only echoes.

What is checked here holds for every card; the card is as dull as it can be.
"""

import threading
import time

import pytest

from sscard.errors import PowerLoss, TransportError
from sscard.transport.pcscd import PrivatePcscd
from sscard.transport.serve import CardSlot, serve_cards

pytestmark = [pytest.mark.interop, pytest.mark.requires("pcscd", "vpcd")]

ATR_T0 = bytes.fromhex("3B6800000073C84000009000")
ATR_OTHER = bytes.fromhex("3B05") + b"OTHER"


class EchoCard:
    """Answers every command by the command and 9000; notes power and commands, not ATR polls."""

    def __init__(self, atr: bytes = ATR_T0) -> None:
        self.atr = atr
        self.seen: list[str] = []

    def power_on(self) -> None:
        self.seen.append("on")

    def power_off(self) -> None:
        self.seen.append("off")

    def reset(self) -> None:
        self.seen.append("reset")

    def transmit(self, apdu: bytes) -> bytes:
        self.seen.append(apdu.hex().upper())
        return apdu + b"\x90\x00"

    def between(self, first: str, last: str) -> list[str]:
        """What happened between two commands."""
        start = self.seen.index(first)
        return self.seen[start + 1 : self.seen.index(last, start)]


# ---- pyscard ----------------------------------------------------------------------------------


def test_pyscard_connects_and_transmits(serve, slots, clients):
    serve(EchoCard())
    script = """
c = connection(args[0]); c.connect()
tell([bytes(c.getATR()).hex().upper(), c.getProtocol(), transmit(c, "00B0000004")])
"""
    assert clients.pyscard(script, slots[0].name) == [ATR_T0.hex().upper(), 1, "00B00000049000"]


def test_pcsc_apdus_pass_whole_in_every_length(serve, slots, clients):
    """Case 4 keeps its Le, extended length works, nobody adds GET RESPONSE."""
    card = EchoCard()
    serve(card)
    lengths = (4, 5, 6, 260, 261, 262, 4096, 65000)
    long = bytes.fromhex("00A40400") + bytes(range(256)) * 256
    commands = [long[:length].hex().upper() for length in lengths]
    script = """
c = connection(args[0]); c.connect()
tell([transmit(c, text) for text in sys.stdin.read().split()])
"""
    answers = clients.pyscard(script, slots[0].name, text="\n".join(commands))
    assert answers == [command + "9000" for command in commands]
    assert [step for step in card.seen if step in commands] == commands


def test_pcsc_commands_of_two_and_three_bytes_reach_the_card(serve, slots, clients):
    serve(EchoCard())
    script = (
        'c = connection(args[0]); c.connect(); tell([transmit(c, "00A4"), transmit(c, "00A404")])'
    )
    assert clients.pyscard(script, slots[0].name) == ["00A49000", "00A4049000"]


@pytest.mark.parametrize("status", ["6105", "6C05"])
def test_pcsc_61xx_and_6Cxx_come_back_to_the_caller(serve, slots, clients, status):
    class Shaped(EchoCard):
        def transmit(self, apdu: bytes) -> bytes:
            super().transmit(apdu)
            return bytes.fromhex(status)

    card = Shaped()
    serve(card)
    script = 'c = connection(args[0]); c.connect(); tell(transmit(c, "00A4000002DDF100"))'
    assert clients.pyscard(script, slots[0].name) == status
    assert [step for step in card.seen if len(step) > 5] == ["00A4000002DDF100"]


CODE_EFFECTS = """
def ok(result):
    code = result[0] if isinstance(result, (list, tuple)) else result
    assert code == SCARD_S_SUCCESS, SCardGetErrorMessage(code)
    return result[1:] if isinstance(result, (list, tuple)) else None

def connect():
    return ok(SCardConnect(context, args[0], SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0))[0]

def reconnect(how):
    ok(SCardReconnect(card, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0, how))

def mark(text):
    ok(SCardTransmit(card, SCARD_PCI_T0, list(bytes.fromhex(text))))

context, = ok(SCardEstablishContext(SCARD_SCOPE_USER))
card = connect()
mark("00000001")
reconnect(SCARD_RESET_CARD); mark("00000002")
reconnect(SCARD_UNPOWER_CARD); mark("00000003")
ok(SCardDisconnect(card, SCARD_RESET_CARD)); card = connect(); mark("00000004")
ok(SCardDisconnect(card, SCARD_LEAVE_CARD)); card = connect(); mark("00000005")
ok(SCardDisconnect(card, SCARD_EJECT_CARD)); card = connect(); mark("00000006")
ok(SCardDisconnect(card, SCARD_UNPOWER_CARD)); card = connect(); mark("00000007")
tell("done")
"""


def test_pcsc_code_effects(serve, slots, clients):
    card = EchoCard()
    serve(card)
    assert clients.pyscard(CODE_EFFECTS, slots[0].name) == "done"
    assert card.seen[card.seen.index("00000001") - 1] == "on"
    assert card.between("00000001", "00000002") == ["reset"]
    assert card.between("00000002", "00000003") == ["off", "on"]
    assert card.between("00000003", "00000004") == ["reset"]
    assert card.between("00000004", "00000005") == []
    assert card.between("00000005", "00000006") == []
    assert card.between("00000006", "00000007") == ["off", "on"]


def test_pcsc_a_t0_card_refuses_t1(serve, slots, clients):
    serve(EchoCard())
    script = """
from smartcard.Exceptions import CardConnectionException
from smartcard.CardConnection import CardConnection
try: connection(args[0]).connect(CardConnection.T1_protocol)
except CardConnectionException as error: tell(error.hresult & 0xFFFFFFFF)
"""
    assert clients.pyscard(script, slots[0].name) == 0x8010000F


def test_an_exception_in_the_card_is_6F00_and_the_reader_lives_on(serve, slots, clients):
    class Buggy(EchoCard):
        def transmit(self, apdu: bytes) -> bytes:
            if apdu[1] == 0xEE:
                raise ZeroDivisionError
            if apdu[1] == 0xDD:
                raise PowerLoss
            return super().transmit(apdu)

    card = Buggy()
    serve(card)
    script = """
c = connection(args[0]); c.connect()
tell([transmit(c, text) for text in ("00EE0000", "00B00000", "00DD0000", "00B00001")])
"""
    assert clients.pyscard(script, slots[0].name) == [
        "6F00",
        "00B000009000",
        "6F00",
        "00B000019000",
    ]
    assert card.between("00B00000", "00B00001") == ["off"]


# ---- slots ------------------------------------------------------------------------------------


def test_two_cards_in_two_readers_at_once(serve, slots, clients):
    first, second = EchoCard(), EchoCard(ATR_OTHER)
    serve(first, slots[0])
    serve(second, slots[1])
    script = """
both = [connection(name) for name in args]
for c in both: c.connect()
atrs = [bytes(c.getATR()).hex().upper() for c in both]
for number in range(50):
    for slot, c in enumerate(both):
        text = bytes([slot, 0xB0, 0, number]).hex().upper()
        assert transmit(c, text) == text + "9000"
tell(atrs)
"""
    atrs = clients.pyscard(script, slots[0].name, slots[1].name)
    assert atrs == [ATR_T0.hex().upper(), ATR_OTHER.hex().upper()]
    for slot, card in enumerate((first, second)):
        commands = [step for step in card.seen if len(step) == 8]
        assert commands == [bytes([slot, 0xB0, 0, number]).hex().upper() for number in range(50)]


def test_removal_and_insertion_are_seen(serve, slots, clients, pcscd):
    slot = serve(EchoCard())
    script = """
from smartcard.Exceptions import CardConnectionException, NoCardException
c = connection(args[0]); c.connect()
transmit(c, "00B00000"); tell("connected"); told()
try: transmit(c, "00B00000"); tell("?")
except CardConnectionException: tell("gone")
try: connection(args[0]).connect(); tell("?")
except NoCardException: tell("empty")
told()
c = connection(args[0]); c.connect(); tell(bytes(c.getATR()).hex().upper())
"""
    with clients.pyscard_talk(script, slots[0].name) as client:
        assert client.told() == "connected"
        slot.remove()
        pcscd.wait(slots[0], present=False)
        client.tell()
        assert client.told() == "gone"
        assert client.told() == "empty"
        slot.insert(EchoCard(ATR_OTHER))
        pcscd.wait(slots[0], present=True)
        client.tell()
        assert client.told() == ATR_OTHER.hex().upper()


def test_a_card_that_leaves_in_mid_command(serve, slots, clients):
    """The slot waits for the command, and its answer still reaches the client."""
    entered, release = threading.Event(), threading.Event()

    class Slow(EchoCard):
        def transmit(self, apdu: bytes) -> bytes:
            entered.set()
            assert release.wait(30)
            return super().transmit(apdu)

    slot = serve(Slow())
    script = """
c = connection(args[0]); c.connect(); tell(transmit(c, "00B00000"))
"""
    with clients.pyscard_talk(script, slots[0].name) as client:
        assert entered.wait(30)
        threading.Timer(0.2, release.set).start()
        slot.remove()
        assert client.told() == "00B000009000"


def test_swap_is_noticed_by_a_reader(serve, slots, pcscd):
    slot = serve(EchoCard())
    slot.swap(EchoCard(ATR_OTHER))
    deadline = time.monotonic() + 5
    while pcscd.states()[slots[0].name].atr != ATR_OTHER:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_card_comes_back_after_a_restart_of_pcscd(serve, slots, clients, pcscd):
    card = EchoCard()
    slot = serve(card)
    pcscd.restart()
    pcscd.wait(slots[0], present=True)
    assert slot.connected
    script = 'c = connection(args[0]); c.connect(); tell(transmit(c, "00B00000"))'
    assert clients.pyscard(script, slots[0].name) == "00B000009000"


def test_serve_cards_on_the_real_reader(slots, pcscd):
    stop = threading.Event()
    places = [CardSlot(slot.host, slot.port) for slot in slots]
    cards = [EchoCard(), EchoCard(ATR_OTHER)]

    def ready() -> None:
        for slot in slots:
            pcscd.wait(slot, present=True)
        stop.set()

    serve_cards(list(zip(places, cards, strict=True)), stop, on_ready=ready)
    for slot, card in zip(slots, cards, strict=True):
        pcscd.wait(slot, present=False)
        assert card.seen[-1] == "off"


# ---- other programs ---------------------------------------------------------------------------


def test_opensc_tool_reads_the_atr(serve, slots, clients):
    serve(EchoCard())
    assert "3b:68:00:00:00:73:c8:40:00:00:90:00" in clients.opensc_tool(slots[0], "-a").lower()


def test_opensc_tool_sends_commands(serve, slots, clients):
    card = EchoCard()
    serve(card)
    output = clients.opensc_tool(
        slots[0], "-c", "default", "-s", "00B2010C00", "-s", "00D600000201FF"
    )
    assert output.count("SW1=0x90, SW2=0x00") == 2
    assert {"00B2010C00", "00D600000201FF"} <= set(card.seen)


def test_pcsc_scan_lists_both_slots(serve, slots, clients):
    serve(EchoCard(), slots[0])
    output = clients.pcsc_scan()
    assert slots[0].name in output
    assert slots[1].name in output
    assert "3B 68 00 00 00 73 C8 40 00 00 90 00" in output


def test_scriptor_sends_commands_and_resets(serve, slots, clients):
    card = EchoCard()
    serve(card)
    output = clients.scriptor(slots[0], "00 B0 00 00 04", "reset", "00 B0 00 01 04")
    assert "00 B0 00 00 04 90 00" in output
    assert "00 B0 00 01 04 90 00" in output
    assert card.between("00B0000004", "00B0000104")[-1:] in (["reset"], ["on"])


def test_rate_of_a_card_that_does_nothing(serve, slots, clients, capsys):
    serve(EchoCard())
    script = """
c = connection(args[0]); c.connect()
command = list(bytes.fromhex("00B0000000"))
start = time.perf_counter()
for _ in range(1000): c.transmit(command)
tell(1000 / (time.perf_counter() - start))
"""
    rate = clients.pyscard(script, slots[0].name)
    with capsys.disabled():
        print(f"\n{rate:,.0f} APDU/s over pcscd, card that does nothing")


# ---- the daemon -------------------------------------------------------------------------------


def test_four_slots_do_not_mix_up_their_cards():
    atrs = [b"\x3b\x01" + bytes([number]) for number in range(4)]
    with PrivatePcscd(slots=4, name="four") as daemon:
        assert len({slot.name for slot in daemon.slots}) == 4
        places = [CardSlot(slot.host, slot.port) for slot in daemon.slots]
        try:
            for place, atr in zip(places, atrs, strict=True):
                place.insert(EchoCard(atr))
            for slot in daemon.slots:
                daemon.wait(slot, present=True)
            states = daemon.states()
            assert [states[slot.name].atr for slot in daemon.slots] == atrs
        finally:
            for place in places:
                place.remove()


def test_stopping_cleans_up_and_can_be_repeated():
    daemon = PrivatePcscd(slots=1).start()
    folder, pid = daemon.socket_path.parent, daemon.pid
    assert pid
    assert folder.is_dir()
    assert "0.0.0.0" in daemon.warning
    assert str(daemon.slots[0].port) in daemon.warning
    daemon.stop()
    daemon.stop()
    assert not folder.exists()
    assert daemon.pid is None
    with pytest.raises(TransportError, match="not running"):
        _ = daemon.environment


def test_a_card_that_never_answers_does_not_keep_the_daemon_alive(clients_of):
    """Such a card makes pcscd deaf to SIGTERM."""
    entered, release = threading.Event(), threading.Event()

    class Silent(EchoCard):
        def transmit(self, apdu: bytes) -> bytes:
            entered.set()
            assert release.wait(30)
            return b"\x90\x00"

    daemon = PrivatePcscd(slots=1, name="silent").start()
    slot = CardSlot(daemon.slots[0].host, daemon.slots[0].port)
    try:
        slot.insert(Silent())
        daemon.wait(daemon.slots[0], present=True)
        script = 'c = connection(args[0]); c.connect(); transmit(c, "00B00000")'
        with clients_of(daemon).pyscard_talk(script, daemon.slots[0].name) as client:
            assert entered.wait(30)
            daemon.stop()
            client.process.kill()
    finally:
        release.set()
        slot.remove()
        daemon.stop()
    assert daemon.pid is None
