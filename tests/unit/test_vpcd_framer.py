"""The vpcd framer and its client: tables, byte by byte, any cut, and a reader of our own."""

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sscard.errors import PowerLoss, TransportError
from sscard.transport.memory import MemoryPort, PoweredSlot
from sscard.transport.port import CardPort, Port
from sscard.transport.serve import CardSlot, serve_cards
from sscard.transport.vpcd import Apdu, Control, Framer, Unknown, VpcdClient, frame

ATR = bytes.fromhex("3B6800000073C84000009000")

# bytes of the reader, the events they mean; pcsc, table of the wire protocol
TABLE = [
    ("", []),
    ("000100", [Control.POWER_OFF]),
    ("000101", [Control.POWER_ON]),
    ("000102", [Control.RESET]),
    ("000104", [Control.GET_ATR]),
    ("000103", [Unknown(0x03)]),
    ("0001FF", [Unknown(0xFF)]),
    ("0000", []),
    ("0000 0000 000104", [Control.GET_ATR]),
    ("0002 00A4", [Apdu(bytes.fromhex("00A4"))]),
    ("0003 00A404", [Apdu(bytes.fromhex("00A404"))]),
    ("0004 00B00000", [Apdu(bytes.fromhex("00B00000"))]),
    ("0005 00B0000000", [Apdu(bytes.fromhex("00B0000000"))]),
    (
        "000101 000104 0005 0084000008 000100",
        [Control.POWER_ON, Control.GET_ATR, Apdu(bytes.fromhex("0084000008")), Control.POWER_OFF],
    ),
    ("FFFF" + "5A" * 0xFFFF, [Apdu(b"\x5a" * 0xFFFF)]),
]
UNFINISHED = ["00", "0001", "0005", "0005 00B00000"]


@pytest.mark.parametrize(("stream", "events"), TABLE, ids=[row[0][:24] or "-" for row in TABLE])
def test_pcsc_wire_protocol_table(stream, events):
    assert Framer().feed(bytes.fromhex(stream)) == events


@pytest.mark.parametrize(("stream", "events"), TABLE, ids=[row[0][:24] or "-" for row in TABLE])
def test_pcsc_wire_protocol_byte_by_byte(stream, events):
    framer = Framer()
    seen = [event for byte in bytes.fromhex(stream) for event in framer.feed(bytes([byte]))]
    assert seen == events


@pytest.mark.parametrize("stream", UNFINISHED)
def test_pcsc_wire_protocol_waits_for_the_rest(stream):
    framer = Framer()
    assert framer.feed(bytes.fromhex(stream)) == []
    assert framer.pending == len(bytes.fromhex(stream))


@pytest.mark.parametrize(("stream", "events"), TABLE, ids=[row[0][:24] or "-" for row in TABLE])
def test_pcsc_wire_protocol_with_more_behind(stream, events):
    assert Framer().feed(bytes.fromhex(stream) + frame(b"\x01")) == [*events, Control.POWER_ON]


def event_of(body: bytes) -> list[object]:
    if len(body) == 0:
        return []
    if len(body) == 1:
        known = {code.value: code for code in Control}
        return [known.get(body[0], Unknown(body[0]))]
    return [Apdu(body)]


@given(st.lists(st.binary(max_size=300), max_size=8), st.data())
def test_pcsc_rule_7_any_cut_gives_the_same_events(bodies, data):
    stream = b"".join(map(frame, bodies))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    framer = Framer()
    edges = [0, *cuts, len(stream)]
    seen = [event for start, end in pairwise(edges) for event in framer.feed(stream[start:end])]
    assert seen == [event for body in bodies for event in event_of(body)]
    assert framer.pending == 0


@given(st.binary(max_size=2000), st.integers(0, 2000))
def test_any_bytes_at_all_may_be_cut_anywhere(stream, cut):
    whole, cut_up = Framer(), Framer()
    assert cut_up.feed(stream[:cut]) + cut_up.feed(stream[cut:]) == whole.feed(stream)
    assert cut_up.pending == whole.pending <= len(stream)


def test_frame_holds_at_most_65535_bytes():
    assert frame(b"") == b"\x00\x00"
    assert frame(b"\x90\x00") == b"\x00\x02\x90\x00"
    assert len(frame(bytes(0xFFFF))) == 0x10001
    with pytest.raises(ValueError, match="65535"):
        frame(bytes(0x10000))


# ---- the client, against a reader in this process ---------------------------------------------


class FakeCard:
    """A card that notes what happens to it, echoes, and fails as asked."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    @property
    def atr(self) -> bytes:
        return ATR

    def power_on(self) -> None:
        self.seen.append("on")

    def power_off(self) -> None:
        self.seen.append("off")

    def reset(self) -> None:
        self.seen.append("reset")

    def transmit(self, apdu: bytes) -> bytes:
        self.seen.append(apdu.hex())
        match apdu[1]:
            case 0xEE:
                raise ZeroDivisionError("a bug inside the card")
            case 0xDD:
                raise PowerLoss
            case 0xCC:
                return b""
        return apdu + b"\x90\x00"


class Reader:
    """The other end of the wire: a listening port and what is said over it."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(5)
        self.port: int = self.listener.getsockname()[1]
        self.wire: socket.socket | None = None

    def accept(self) -> None:
        self.hang_up()
        self.wire, _ = self.listener.accept()
        self.wire.settimeout(5)

    def say(self, stream: bytes) -> None:
        assert self.wire
        self.wire.sendall(stream)

    def hear(self) -> bytes:
        return self.exactly(int.from_bytes(self.exactly(2), "big"))

    def exactly(self, length: int) -> bytes:
        assert self.wire
        data = b""
        while len(data) < length:
            piece = self.wire.recv(length - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def hang_up(self) -> None:
        if self.wire:
            self.wire.close()
            self.wire = None

    def close(self) -> None:
        self.hang_up()
        self.listener.close()


@contextmanager
def inserted(card: CardPort) -> Iterator[tuple[Reader, CardSlot]]:
    reader = Reader()
    slot = CardSlot("127.0.0.1", reader.port)
    try:
        slot.insert(card)
        reader.accept()
        yield reader, slot
    finally:
        slot.remove()
        reader.close()


def test_pcsc_rule_2_answers_to_atr_and_commands_only():
    card = FakeCard()
    with inserted(card) as (reader, _):
        for control in (b"\x01", b"\x00", b"\x02", b"\x03", b""):
            reader.say(frame(control))
        reader.say(frame(b"\x04"))
        assert reader.hear() == ATR
        reader.say(frame(b"\x00\xb0"))
        assert reader.hear() == bytes.fromhex("00B09000")
        assert card.seen == ["on", "off", "reset", "00b0"]


def test_pcsc_rule_5_atr_changes_nothing():
    card = FakeCard()
    with inserted(card) as (reader, _):
        for _ in range(5):
            reader.say(frame(b"\x04"))
            assert reader.hear() == ATR
        assert card.seen == []


def test_pcsc_rule_7_a_message_in_pieces():
    with inserted(FakeCard()) as (reader, _):
        for byte in frame(bytes.fromhex("00B0000004")):
            reader.say(bytes([byte]))
        assert reader.hear() == bytes.fromhex("00B00000049000")


@pytest.mark.parametrize("ins", [0xEE, 0xCC], ids=["exception", "empty answer"])
def test_pcsc_rule_2_always_an_answer(ins, caplog):
    caplog.set_level(logging.ERROR, "sscard.transport.vpcd")
    command = bytes([0x00, ins, 0x00, 0x80, 0x03, 0x12, 0x34, 0x56])
    with inserted(FakeCard()) as (reader, _):
        reader.say(frame(command))
        assert reader.hear() == b"\x6f\x00"
        reader.say(frame(b"\x00\xb0\x00\x00"))
        assert reader.hear()[-2:] == b"\x90\x00"
    assert command[:4].hex().upper() in caplog.text
    assert "123456" not in caplog.text  # data may be a PIN
    assert ("ZeroDivisionError" in caplog.text) is (ins == 0xEE)


def test_lost_power_answers_6F00_and_takes_the_power():
    card = FakeCard()
    with inserted(card) as (reader, _):
        reader.say(frame(b"\x01") + frame(b"\x00\xdd\x00\x00"))
        assert reader.hear() == b"\x6f\x00"
        assert card.seen == ["on", "00dd0000", "off"]


def test_card_comes_back_when_the_reader_does():
    card = FakeCard()
    with inserted(card) as (reader, slot):
        reader.hang_up()
        reader.accept()
        reader.say(frame(b"\x04"))
        assert reader.hear() == ATR
        assert card.seen == ["off"]
        assert slot.occupied


def test_remove_closes_the_wire_and_insert_opens_it_again():
    with inserted(FakeCard()) as (reader, slot):
        slot.remove()
        assert not slot.occupied
        with pytest.raises(EOFError):
            reader.hear()
        slot.insert(FakeCard())
        reader.accept()
        with pytest.raises(TransportError, match="remove it first"):
            slot.insert(FakeCard())


def test_no_reader_is_a_clear_error():
    reader = Reader()
    reader.close()
    with pytest.raises(TransportError, match=f"no reader at 127.0.0.1:{reader.port}"):
        CardSlot("127.0.0.1", reader.port).insert(FakeCard(), timeout_s=0.2)


def test_stop_before_run_returns_at_once():
    client = VpcdClient(FakeCard(), "127.0.0.1", 1)
    client.stop()
    client.run()
    assert not client.connected.is_set()


def test_serve_cards_leaves_when_told():
    readers = [Reader(), Reader()]
    cards = [FakeCard(), FakeCard()]
    stop = threading.Event()
    slots = [CardSlot("127.0.0.1", reader.port) for reader in readers]
    try:
        serve_cards(list(zip(slots, cards, strict=True)), stop, on_ready=stop.set)
    finally:
        for reader in readers:
            reader.close()
    assert [card.seen for card in cards] == [["off"], ["off"]]
    assert not any(slot.occupied for slot in slots)


class MuteCard(FakeCard):
    @property
    def atr(self) -> bytes:
        raise TransportError("no answer to reset")


def test_serve_cards_tells_why_a_card_left():
    reader = Reader()
    slot = CardSlot("127.0.0.1", reader.port)
    asking = threading.Thread(target=lambda: (reader.accept(), reader.say(frame(b"\x04"))))
    asking.start()
    try:
        with pytest.raises(TransportError, match="failed") as caught:
            serve_cards([(slot, MuteCard())], threading.Event())
    finally:
        asking.join()
        reader.close()
    assert "no answer to reset" in str(caught.value.__cause__)


# ---- the slot in memory -----------------------------------------------------------------------


class FakeChip:
    """Something that can be powered on; one activation at a time, counted."""

    def __init__(self) -> None:
        self.links: list[str] = []
        self.log: list[str] = []

    def power_on(self, *, link: str) -> "FakeChip":
        self.links.append(link)
        self.log.append("on")
        return self

    @property
    def atr(self) -> bytes:
        return ATR

    def reset(self) -> bytes:
        self.log.append("reset")
        return ATR

    def power_off(self) -> None:
        self.log.append("off")

    def transmit(self, apdu: bytes, /) -> bytes:
        if apdu[:2] == b"\x00\xdd":
            raise PowerLoss
        return b"\x90\x00"


def test_slot_and_port_are_what_they_claim():
    slot = PoweredSlot(FakeChip())
    assert isinstance(slot, CardPort)
    assert isinstance(MemoryPort(slot), Port)


def test_asking_for_the_atr_powers_on_once_at_most():
    chip = FakeChip()
    slot = PoweredSlot(chip, link="t0")
    assert (slot.atr, slot.atr) == (ATR, ATR)
    slot.power_off()
    assert slot.atr == ATR
    assert chip.log == ["on", "off"]
    assert chip.links == ["t0"]


def test_a_known_atr_needs_no_power():
    chip = FakeChip()
    assert PoweredSlot(chip, atr=ATR).atr == ATR
    assert chip.log == []


def test_power_on_with_power_is_a_cold_reset():
    chip = FakeChip()
    slot = PoweredSlot(chip)
    slot.power_on()
    slot.power_on()
    slot.reset()
    slot.power_off()
    slot.power_off()
    assert chip.log == ["on", "off", "on", "reset", "off"]


def test_lost_power_stays_lost_until_power_on():
    slot = PoweredSlot(FakeChip())
    slot.power_on()
    with pytest.raises(PowerLoss):
        slot.transmit(b"\x00\xdd\x00\x00")
    assert not slot.powered
    with pytest.raises(TransportError, match="power it on"):
        slot.transmit(b"\x00\xb0\x00\x00")
    slot.reset()
    assert slot.transmit(b"\x00\xb0\x00\x00") == b"\x90\x00"


def test_memory_port_lives_from_power_on_to_close():
    chip = FakeChip()
    with MemoryPort(PoweredSlot(chip)) as port:
        assert port.atr == ATR
        assert port.reset() == ATR
        assert port.transmit(b"\x00\xb0\x00\x00") == b"\x90\x00"
    port.close()
    assert chip.log == ["on", "reset", "off"]
    with pytest.raises(TransportError, match="closed"):
        port.transmit(b"\x00\xb0\x00\x00")
