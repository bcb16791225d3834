"""The EEPROM device of cos 1.2: operations, cost, wear, power loss, recording."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sscard.cos.eeprom import (
    BLANK,
    ENDURANCE,
    Eeprom,
    Kind,
    Operation,
    Phase,
    Tear,
    WriteFailure,
    torn_image,
)
from sscard.env import Env
from sscard.errors import PowerLoss

PAGES = 8
ONES, ZEROS = BLANK, bytes(64)
HALF = b"\x0f" * 64


def chip(fill: int = 0xFF, **env) -> Eeprom:
    return Eeprom(bytes((fill,)) * 64 * PAGES, Env(**env))


def page(eeprom: Eeprom, number: int) -> bytes:
    return eeprom.read(number * 64, 64)


def test_cos_1_1_every_operation_takes_1_2_ms():
    eeprom = chip(0)
    eeprom.erase_page(1)
    assert (eeprom.ops, eeprom.env.clock_us) == (1, 1_200)
    eeprom.program_page(1, HALF)
    assert (eeprom.ops, eeprom.env.clock_us) == (2, 2_400)
    eeprom.program_byte(64, 0)
    assert (eeprom.ops, eeprom.env.clock_us) == (3, 3_600)
    assert page(eeprom, 1) == b"\0" + HALF[1:]


def test_cos_1_2_programming_only_clears_bits():
    eeprom = chip(0x0F)
    eeprom.program_page(2, b"\x3c" * 64)
    assert page(eeprom, 2) == b"\x0c" * 64
    eeprom.program_byte(2 * 64 + 5, 0xF4)
    assert eeprom.memory[2 * 64 + 5] == 0x04


def test_cos_1_2_only_erasing_wears_a_page():
    eeprom = chip(0)
    eeprom.program_page(3, ZEROS)
    eeprom.program_byte(3 * 64, 0)
    assert not any(eeprom.env.wear)
    eeprom.erase_page(3)
    eeprom.erase_page(3)
    assert list(eeprom.env.wear) == [0, 0, 0, 2, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("before", "after", "ops", "wear"),
    [
        pytest.param(ONES, ONES, 0, 0, id="blank"),
        pytest.param(HALF, HALF, 0, 0, id="equal"),
        pytest.param(ONES, HALF, 1, 0, id="onto blank"),
        pytest.param(HALF, ZEROS, 1, 0, id="bits fall"),
        pytest.param(ZEROS, HALF, 2, 1, id="bits rise"),
        pytest.param(HALF, b"\xf0" * 64, 2, 1, id="some fall, some rise"),
        pytest.param(HALF, b"\x1f" + bytes(63), 2, 1, id="one bit rises"),
    ],
)
def test_cos_1_2_write_page_does_no_more_than_needed(before, after, ops, wear):
    eeprom = chip()
    eeprom.poke(64, before)
    eeprom.write_page(1, after)
    assert page(eeprom, 1) == after
    assert eeprom.ops == ops
    assert sum(eeprom.env.wear) == wear
    assert page(eeprom, 0) == page(eeprom, 2) == ONES


def test_cos_1_2_nothing_outside_the_chip_can_be_written():
    eeprom = chip()
    for refused in (
        lambda: eeprom.write_page(PAGES, ZEROS),
        lambda: eeprom.write_page(-1, ZEROS),
        lambda: eeprom.write_page(0, bytes(63)),
        lambda: eeprom.erase_page(PAGES),
        lambda: eeprom.program_page(PAGES, ZEROS),
        lambda: eeprom.program_byte(PAGES * 64, 0),
        lambda: eeprom.poke(PAGES * 64 - 1, b"ab"),
    ):
        with pytest.raises(IndexError):
            refused()
    with pytest.raises(ValueError, match="65 bytes"):
        eeprom.load(bytes(65))
    assert eeprom.memory == ONES * PAGES
    assert eeprom.ops == 0


# -- wear ---------------------------------------------------------------------------------------


def worn(page_number: int, **env) -> Eeprom:
    wear = [0] * PAGES
    wear[page_number] = ENDURANCE + 1
    return chip(wear=wear, wear_failures=True, **env)


def test_cos_1_2_a_worn_page_keeps_one_bit():
    eeprom = worn(2)
    eeprom.write_page(1, HALF)
    with pytest.raises(WriteFailure) as caught:
        eeprom.write_page(2, HALF)
    assert caught.value.page == 2
    stuck = int.from_bytes(page(eeprom, 2)) ^ int.from_bytes(HALF)
    assert stuck.bit_count() == 1
    assert int.from_bytes(page(eeprom, 2)) & stuck  # it could not be cleared


def test_cos_1_2_a_worn_byte_program_fails_too():
    eeprom = worn(2)
    with pytest.raises(WriteFailure):
        eeprom.program_byte(2 * 64 + 3, 0)
    assert eeprom.memory[2 * 64 + 3].bit_count() == 1
    eeprom.program_byte(64, 0)


def test_cos_1_2_the_last_cycle_of_the_endurance_still_works():
    eeprom = worn(2)
    eeprom.env.wear[2] = ENDURANCE
    eeprom.write_page(2, HALF)
    with pytest.raises(WriteFailure):
        eeprom.write_page(2, b"\xf0" * 64)  # erases once more


def test_cos_1_2_the_stuck_bit_is_fixed_by_seed_and_page():
    def stuck(seed, number):
        eeprom = worn(number, seed=seed)
        with pytest.raises(WriteFailure):
            eeprom.write_page(number, ZEROS)
        return int.from_bytes(page(eeprom, number))

    assert stuck(b"a", 1) == stuck(b"a", 1)
    assert len({stuck(seed, number) for seed in (b"a", b"b", b"c") for number in (1, 2, 3)}) > 5


def test_cos_1_2_wear_is_ignored_unless_asked_for():
    eeprom = worn(2)
    eeprom.env.wear_failures = False
    eeprom.write_page(2, HALF)
    assert page(eeprom, 2) == HALF


# -- power loss ---------------------------------------------------------------------------------


def torn(phase: Phase, seed: int = 0, op: int = 0) -> bytes:
    """Page 1, all zero, torn while HALF is written to it."""
    eeprom = chip(0)
    eeprom.arm(Tear(op, phase, seed))
    with pytest.raises(PowerLoss):
        eeprom.write_page(1, HALF)
    return page(eeprom, 1)


def test_cos_1_2_phases_of_an_erase():
    assert torn(Phase.BEFORE) == ZEROS
    assert torn(Phase.ERASED) == torn(Phase.AFTER) == ONES
    assert torn(Phase.MID_PROGRAM) == ZEROS  # an erase has no such phase
    damaged = {torn(Phase.MID_ERASE, seed) for seed in range(40)}
    assert len(damaged) > 30
    assert any(byte not in (0, 0xFF) for image in damaged for byte in image)


def test_cos_1_2_phases_of_a_program():
    assert torn(Phase.BEFORE, op=1) == ONES
    assert torn(Phase.AFTER, op=1) == HALF
    for absent in (Phase.MID_ERASE, Phase.ERASED):
        assert torn(absent, op=1) == ONES
    for seed in range(200):
        image = torn(Phase.MID_PROGRAM, seed, op=1)
        strange = [byte for byte in image if byte not in (0xFF, 0x0F)]
        assert len(strange) <= 1  # at most one byte is half-programmed
        assert all(byte & 0x0F == 0x0F for byte in strange)


def test_cos_1_2_a_torn_byte_program_keeps_some_of_its_bits():
    seen = set()
    for seed in range(60):
        eeprom = chip()
        eeprom.arm(Tear(0, Phase.MID_PROGRAM, seed))
        with pytest.raises(PowerLoss):
            eeprom.program_byte(70, 0x3C)
        assert eeprom.memory[70] & 0x3C == 0x3C
        assert eeprom.memory.count(0xFF) >= 64 * PAGES - 1
        seen.add(eeprom.memory[70])
    assert len(seen) > 5


def test_cos_1_2_a_tear_is_deterministic():
    for phase in Phase:
        assert torn(phase, seed=7) == torn(phase, seed=7)


def test_cos_1_2_without_power_nothing_is_written():
    eeprom = chip()
    eeprom.arm(Tear(1, Phase.BEFORE))
    eeprom.program_byte(0, 0)
    for write in (
        lambda: eeprom.program_byte(1, 0),
        lambda: eeprom.write_page(1, HALF),
        lambda: eeprom.erase_page(0),
    ):
        with pytest.raises(PowerLoss):
            write()
    assert eeprom.memory == b"\0" + (BLANK * PAGES)[1:]
    assert (eeprom.ops, eeprom.env.clock_us) == (1, 1_200)
    eeprom.power_restored()
    eeprom.program_byte(1, 0)
    assert eeprom.memory[:3] == b"\0\0\xff"


def test_cos_1_2_a_tear_can_be_disarmed():
    eeprom = chip()
    eeprom.arm(Tear(0, Phase.BEFORE))
    eeprom.arm(None)
    eeprom.program_byte(0, 0)
    eeprom.arm(Tear(0, Phase.BEFORE))
    eeprom.power_restored()
    eeprom.program_byte(1, 0)
    assert (eeprom.memory[:3], eeprom.ops) == (b"\0\0\xff", 2)


def test_cos_1_2_a_begun_erase_wears_the_page():
    for phase, wear in ((Phase.BEFORE, 0), (Phase.MID_ERASE, 1), (Phase.ERASED, 1)):
        eeprom = chip(0)
        eeprom.arm(Tear(0, phase))
        with pytest.raises(PowerLoss):
            eeprom.erase_page(1)
        assert sum(eeprom.env.wear) == wear == eeprom.ops


# -- watching -----------------------------------------------------------------------------------


def test_generation_says_when_copies_are_stale():
    eeprom = chip()
    eeprom.write_page(1, HALF)
    assert eeprom.generation == 0
    eeprom.poke(3, b"x")
    eeprom.load(ONES * PAGES)
    eeprom.arm(Tear(0, Phase.BEFORE))
    with pytest.raises(PowerLoss):
        eeprom.erase_page(0)
    assert eeprom.generation == 3
    assert eeprom.ops == 1


def test_recording_names_the_primitive_operations():
    eeprom = chip(0)
    with eeprom.recording() as operations:
        eeprom.write_page(1, HALF)
        eeprom.program_byte(64, 0x07)
    eeprom.write_page(2, HALF)
    assert operations == [
        Operation(Kind.ERASE, 64, ZEROS, ONES),
        Operation(Kind.PROGRAM, 64, ONES, HALF),
        Operation(Kind.BYTE, 64, b"\x0f", b"\x07"),
    ]


class Watched:
    """A second copy of the memory, kept by the sink alone."""

    def __init__(self, eeprom: Eeprom) -> None:
        self.image = bytearray(eeprom.memory)
        eeprom.sink = self

    def __call__(self, address: int, data: bytes) -> None:
        self.image[address : address + len(data)] = data


pages = st.integers(0, PAGES - 1)
images = st.sampled_from([ONES, ZEROS, HALF]) | st.binary(min_size=64, max_size=64)
writes = st.lists(
    st.tuples(st.just("write_page"), pages, images)
    | st.tuples(st.just("program_page"), pages, images)
    | st.tuples(st.just("erase_page"), pages)
    | st.tuples(st.just("program_byte"), st.integers(0, 64 * PAGES - 1), st.integers(0, 255)),
    max_size=8,
)
tears = st.builds(Tear, st.integers(0, 16), st.sampled_from(Phase), st.integers(0, 99))


def run(eeprom: Eeprom, script) -> None:
    for name, *arguments in script:
        getattr(eeprom, name)(*arguments)


@given(st.binary(min_size=64 * PAGES, max_size=64 * PAGES), writes, tears)
def test_a_torn_image_is_what_arming_the_tear_leaves(image, script, tear):
    recorded = Eeprom(image, Env())
    with recorded.recording() as operations:
        run(recorded, script)
    armed = Eeprom(image, Env())
    sink = Watched(armed)
    armed.arm(tear)
    if tear.op < len(operations):
        with pytest.raises(PowerLoss):
            run(armed, script)
    else:
        run(armed, script)
    assert torn_image(image, operations, tear) == armed.memory == sink.image


@given(st.binary(min_size=64 * PAGES, max_size=64 * PAGES), writes)
def test_being_watched_changes_nothing(image, script):
    plain, watched = Eeprom(image, Env()), Eeprom(image, Env())
    sink = Watched(watched)
    run(plain, script)
    with watched.recording() as operations:
        run(watched, script)
    assert plain.memory == watched.memory == sink.image
    assert plain.env == watched.env
    assert plain.ops == watched.ops == len(operations)


def test_the_sink_sees_what_a_test_rig_changes():
    eeprom = chip()
    sink = Watched(eeprom)
    eeprom.poke(7, b"abc")
    assert sink.image == eeprom.memory
    eeprom.load(ZEROS * PAGES)
    assert sink.image == eeprom.memory
