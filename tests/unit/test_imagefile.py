"""Image files: locked, written in order, saved as a whole, with their environment beside them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sscard.env import Env
from sscard.errors import ImageError
from sscard.imagefile import ImageFile, dump_env, load, parse_env, save

IMAGE = bytes(range(256)) * 8


class FakeEeprom:
    """Memory and a listener, as the real one has them; one operation is one call."""

    def __init__(self, image: bytes) -> None:
        self.memory = bytearray(image)
        self.sink: Callable[[int, bytes], None] | None = None

    def program(self, address: int, data: bytes) -> None:
        self.memory[address : address + len(data)] = data
        if self.sink is not None:
            self.sink(address, data)


@pytest.fixture
def path(tmp_path):
    place = tmp_path / "card.img"
    save(place, IMAGE, Env(b"seed", power_ons=3))
    return place


def test_cos_1_2_the_environment_lies_beside_the_image(path):
    assert path.read_bytes() == IMAGE
    fields = json.loads(path.with_name("card.img.env").read_bytes())
    assert fields["format"] == 1
    assert fields["seed"] == b"seed".hex()
    assert fields["power_ons"] == 3
    assert load(path) == (IMAGE, Env(b"seed", power_ons=3))


def test_every_operation_reaches_the_file_at_once(path):
    eeprom = FakeEeprom(IMAGE)
    with ImageFile(path) as file:
        file.attach(eeprom)
        eeprom.program(0, b"\xff" * 64)
        assert path.read_bytes() == eeprom.memory
        eeprom.program(len(IMAGE) - 1, b"\x00")
        assert path.read_bytes() == eeprom.memory == file.read()
    assert eeprom.sink is None
    assert len(path.read_bytes()) == len(IMAGE)


def test_attach_refuses_an_eeprom_that_went_on_without_the_file(path):
    eeprom = FakeEeprom(IMAGE)
    eeprom.program(5, b"\xaa")
    with ImageFile(path) as file, pytest.raises(ImageError, match=r"card\.img"):
        file.attach(eeprom)
    assert path.read_bytes() == IMAGE


def test_a_second_user_is_kept_out_and_told_which_file(path):
    with ImageFile(path):
        with pytest.raises(ImageError, match=r"card\.img.*in use"):
            ImageFile(path)
        with pytest.raises(ImageError, match=r"card\.img.*in use"):
            save(path, IMAGE, Env())
        assert load(path)[0] == IMAGE
    ImageFile(path).close()


def test_another_name_for_the_file_is_the_same_file(path):
    link = path.with_name("other.img")
    link.symlink_to(path)
    with ImageFile(path), pytest.raises(ImageError, match="in use"):
        ImageFile(link)


def test_a_second_process_is_kept_out(path):
    code = f"from sscard.imagefile import ImageFile; ImageFile({str(path)!r})"
    with ImageFile(path):
        result = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
        )
    assert result.returncode
    assert "in use" in result.stderr


def test_no_such_file_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"none\.img"):
        ImageFile(tmp_path / "none.img")
    with pytest.raises(ImageError, match=r"none\.img"):
        load(tmp_path / "none.img")
    with pytest.raises(ImageError, match=r"none\.img"):
        save(tmp_path / "no" / "none.img", IMAGE, Env())
    assert list(tmp_path.iterdir()) == []


def test_a_closed_file_is_a_clear_error(path):
    file = ImageFile(path)
    file.close()
    file.close()
    for use in (file.read, lambda: file.write(0, b"x"), lambda: file.save_env(Env())):
        with pytest.raises(ImageError, match="closed"):
            use()


def test_a_missing_environment_is_a_fresh_one(path):
    path.with_name("card.img.env").unlink()
    with ImageFile(path) as first:
        seed = first.env.seed
        assert len(seed) == 32
        assert (first.env.power_ons, first.env.clock_us, len(first.env.wear)) == (0, 0, 0)
        assert load(path)[1].seed != seed  # not saved before the card has power
    assert load(path)[1].seed == seed


def test_the_power_on_count_is_saved_when_it_is_told(path):
    with ImageFile(path) as file:
        file.env.power_ons += 1
        file.save_env(file.env)
        assert load(path)[1].power_ons == 4
        file.env.clock_us = 2400
        assert load(path)[1].clock_us == 0
    assert load(path)[1].clock_us == 2400


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_new_files_are_their_owners_and_modes_are_kept(path):
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    save(path, IMAGE[::-1], Env())
    assert path.stat().st_mode & 0o777 == 0o640
    assert load(path)[0] == IMAGE[::-1]


def test_a_temporary_file_of_a_killed_process_does_no_harm(path):
    for name in ("card.img.tmp", "card.img.env.tmp"):
        path.with_name(name).write_bytes(b"half")
    save(path, IMAGE[::-1], Env(b"new"))
    assert load(path) == (IMAGE[::-1], Env(b"new"))
    assert {place.name for place in path.parent.iterdir()} <= {
        "card.img",
        "card.img.env",
        "card.img.lock",
    }


KILLED = """
import os, signal, sys
from sscard.imagefile import ImageFile

class Eeprom:
    memory, sink = bytearray(open(sys.argv[1], "rb").read()), None

eeprom = Eeprom()
file = ImageFile(sys.argv[1])
file.attach(eeprom)
for number in range(int(sys.argv[2])):
    eeprom.sink(64 * number, bytes([number]) * 64)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="POSIX signals")
@pytest.mark.parametrize("operations", [0, 1, 5])
def test_cos_1_4_after_a_kill_the_file_holds_what_was_done_and_is_free(path, operations):
    result = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), str(operations)], check=False, timeout=60
    )
    assert result.returncode == -signal.SIGKILL
    done = b"".join(bytes([number]) * 64 for number in range(operations))
    assert path.read_bytes() == done + IMAGE[len(done) :]
    with ImageFile(path) as file:
        assert file.env.power_ons == 3


envs = st.builds(
    Env,
    st.binary(max_size=40),
    power_ons=st.integers(0, 1 << 40),
    clock_us=st.integers(0, 1 << 60),
    wear=st.lists(st.integers(0, 0xFFFF_FFFF), max_size=20),
    forced=st.lists(st.binary(max_size=16), max_size=4),
    wear_failures=st.booleans(),
)


@given(envs)
def test_environment_round_trip(env):
    assert parse_env(dump_env(env)) == env


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@given(st.sampled_from(sorted(json.loads(dump_env(Env())))), json_values)
def test_a_malformed_environment_is_an_image_error(name, value):
    fields = json.loads(dump_env(Env(wear=[1, 2])))
    fields[name] = value
    try:
        env = parse_env(json.dumps(fields).encode())
    except ImageError:
        return
    assert isinstance(env, Env)


@given(st.binary(max_size=60))
def test_an_environment_of_any_bytes_is_an_image_error(text):
    with pytest.raises(ImageError):
        parse_env(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format 2"),
        ({"format": True}, "format True"),
        ({"seed": "xyz"}, "hexadecimal"),
        ({"power_ons": -1}, "power_ons"),
        ({"power_ons": True}, "power_ons"),
        ({"pages": 1 << 30}, "pages"),
        ({"wear": {"7": 1}}, "page '7'"),
        ({"wear": {"²": 1}}, "page '²'"),
        ({"wear": []}, "wear"),
        ({"extra": 1}, "extra"),
    ],
)
def test_what_is_wrong_with_an_environment_is_said(path, change, message):
    place = path.with_name("card.img.env")
    fields = json.loads(place.read_bytes()) | change
    place.write_text(json.dumps(fields), encoding="utf-8")
    with pytest.raises(ImageError, match=rf"card\.img\.env: .*{message}"):
        ImageFile(path)
    with pytest.raises(ImageError, match=message):
        load(path)
    assert not list(path.parent.glob("*.tmp"))


def test_a_failed_opening_does_not_keep_the_lock(path):
    place = path.with_name("card.img.env")
    good = place.read_bytes()
    place.write_bytes(b"{}")
    with pytest.raises(ImageError, match="format number"):
        ImageFile(path)
    place.write_bytes(good)
    ImageFile(path).close()
