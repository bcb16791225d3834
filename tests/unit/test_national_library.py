"""The C library of the national reader interface: a C program, images as cards, GBK text."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_bench import Cli
from national_bench import BASIC, CARD_INFO, desk, history_card, ok, paid
from national_client import SOURCE, Client, compiled

from sscard import imagefile
from sscard.inspect import fsck
from sscard.nationallib import BuildError, ConfigError, build, configuration, equipment
from sscard.nationallib.serve import FUNCTIONS, Calls
from sscard.sample import sample_psam
from sscard.terminal import TerminalError
from sscard.terminal.national import Code, NationalReader

PAGE = Path(__file__).parents[2] / "docs" / "national-reader.md"


@pytest.fixture(scope="session")
def program(require, tmp_path_factory):
    require("cc")
    return compiled(SOURCE, tmp_path_factory.mktemp("national"))


@pytest.fixture
def images(tmp_path):
    """A card that keeps challenges and has money, and the PSAM, as image files."""
    for name, card in {"card": paid(history_card()), "psam": sample_psam()}.items():
        imagefile.save(tmp_path / f"{name}.img", card.image, card.env)
    return tmp_path


def settings(images, **more):
    """The environment of a program: `settings(images, pin="246810")`."""
    keys = {"card": images / "card.img", "psam": images / "psam.img", "device": "TEST0001"}
    return {f"SSCARD_NATIONAL_{name.upper()}": str(value) for name, value in (keys | more).items()}


def test_ssse_8_a_c_program_at_a_counter_with_a_psam(program, images):
    with Client(program, settings(images, pin="246810", new_pin="13572468")) as call:
        assert call("iReadCardBas", 1) == (0, BASIC)
        address = "SSSEEF06|08|09|$DF01EF15|40:02|$"
        data = "SSSEEF06|999901199001011232|李四|$DF01EF15|57=101;58=999901;59=某大学|$"
        assert call("iWriteCard", 1, CARD_INFO, address, data) == (0, "")
        assert call("iReadCard", 3, 2, CARD_INFO, address) == (0, data)
        assert call("iVerifyPIN", 1) == (0, "")
        debit = ok(call("iDoDebit", 1, CARD_INFO, "123.45|0|20260701103000|"))
        assert debit.startswith("999901000001|00000001|0000|05|123.45|20260701103000|376.55|")
        record = "0000|05|999901000001|20260701103000|123.45|376.55|123.45|$"
        assert call("iReadDebitRecord", 1) == (0, record)
        assert call("iChangePIN", 1) == (0, "")
        assert call("iVerifyPIN", 1) == (-51, "PIN校验失败，剩余次数5次")
        assert call("iUnblockPIN", 1, CARD_INFO) == (0, "")
        assert call("iReloadPIN", 1, CARD_INFO) == (0, "")
        assert call("null", "DF01EF06|28|$").code == Code.ARGUMENT
        assert call("iReadCard", 1, 3, CARD_INFO, address).code == Code.ARGUMENT
        assert call("iReadCardBas", 2).code == Code.UNSUPPORTED
    with Client(program, settings(images, pin="13572468")) as call:
        assert call("iVerifyPIN", 1) == (0, "")
        again = ok(call("iDoDebit", 1, CARD_INFO, "1|0|20260702103000|"))
        assert again.startswith("999901000001|00000002|0001|")
    for name in ("card", "psam"):
        assert fsck(imagefile.load(images / f"{name}.img")[0]) == []


def test_ssse_5_3_a_c_program_and_an_hsm(program, images):
    hsm = desk()
    keys = settings(images, psam="", pin="246810", new_pin="13572468", link="t0")
    with Client(program, keys) as call:
        assert call("iReadCardBas", 1).code == Code.NO_PSAM
        played = hsm.basic(ok(call("iReadCardBas_HSM_Step1", 1)))
        basic = ok(call("iReadCardBas_HSM_Step2", played))
        assert basic == BASIC.replace("|999901000001|", "|000000000000|")
        who = hsm.card_of(basic)

        asked = ok(call("iWriteCard_HSM_Step1", 1, CARD_INFO, "SSSEEF06|09|$"))
        played = hsm.authenticate(who, asked)
        assert call("iWriteCard_HSM_Step2", played, "SSSEEF06|李四|$") == (0, "")
        asked = ok(call("iReadCard_HSM_Step1", 1, CARD_INFO, "DF01EF06|28|$"))
        assert call("iReadCard_HSM_Step2", hsm.authenticate(who, asked)) == (0, "DF01EF06||$")

        asked = ok(call("iDoDebit_HSM_Step1", 1, CARD_INFO, "5|0|20260701103000|"))
        done = ok(call("iDoDebit_HSM_Step2", hsm.mac1(who, asked)))
        hsm.settle(done)

        asked = ok(call("iReloadPIN_HSM_Step1", 1, CARD_INFO))
        asked = ok(call("iReloadPIN_HSM_Step2", hsm.authenticate(who, asked)))
        assert call("iReloadPIN_HSM_Step3", hsm.command(who, asked)) == (0, "")
        asked = ok(call("iUnblockPIN_HSM_Step1", 1, CARD_INFO))
        asked = ok(call("iUnblockPIN_HSM_Step2", hsm.authenticate(who, asked)))
        assert call("iUnblockPIN_HSM_Step3", hsm.command(who, asked)) == (0, "")
        assert call("iVerifyPIN", 1).code == Code.PIN_WRONG  # it is another now

        ok(call("iReadCardBas_HSM_Step1", 1))
        assert call("close") == (0, "")
        assert call("iReadCardBas_HSM_Step2", "00" * 16).code == Code.NOT_CONNECTED


def children(process):
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(child) for child in found.split()]


def test_the_process_behind_the_library_may_die_and_leaves_with_the_program(program, images):
    with Client(program, settings(images)) as call:
        assert call("iReadCardBas", 1) == (0, BASIC)
        (child,) = children(call.process)
        os.kill(child, signal.SIGKILL)
        assert call("iReadCardBas", 1).code == Code.LIBRARY
        assert call("iReadCardBas", 1) == (0, BASIC)
        (child,) = children(call.process)
    for _ in range(100):
        if not Path(f"/proc/{child}").exists():
            break
        time.sleep(0.05)
    assert not Path(f"/proc/{child}").exists()


def test_a_library_without_its_python_says_so(program, images):
    keys = settings(images) | {"SSCARD_NATIONAL_PYTHON": "/nonexistent/python"}
    with Client(program, keys) as call:
        assert call("iReadCardBas", 1).code == Code.LIBRARY


def test_a_python_program_may_load_the_library(program, images):
    """No second interpreter is linked, so ctypes does."""
    script = (
        "import ctypes, sys; library = ctypes.CDLL(sys.argv[1]);"
        "library.iReadCardBas.restype = ctypes.c_long;"
        "out = ctypes.create_string_buffer(32768);"
        "print(library.iReadCardBas(1, out), out.value.decode('gb18030'))"
    )
    library = program.parent / "libsscard_national.so"
    result = subprocess.run(
        [sys.executable, "-c", script, library],
        env={**os.environ, **settings(images), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    assert result.stdout == f"0 {BASIC}\n"


@pytest.mark.requires("cc")
def test_the_program_of_the_page_compiles_and_runs(images, tmp_path):
    source = tmp_path / "counter.c"
    source.write_text(PAGE.read_text(encoding="utf-8").split("```c\n")[1].split("```")[0])
    result = subprocess.run(
        [compiled(source, tmp_path)],
        env={**os.environ, **settings(images)},
        capture_output=True,
        check=True,
    )
    assert result.stdout.decode("gb18030").splitlines() == [
        BASIC,
        "SSSEEF06|999901199001011232|张测试|$",
    ]


# ---- building ------------------------------------------------------------------------------------


@pytest.mark.requires("cc")
def test_sscard_national_build(tmp_path):
    folder = tmp_path / "a" / "b"
    words = Cli()("national", "build", folder).split()
    assert words == [str(folder / "libsscard_national.so"), str(folder / "sscard_national.h")]
    assert all(Path(word).exists() for word in words)


def test_building_without_a_compiler_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    sscard = Cli()
    sscard("national", "build", tmp_path, code=3)
    assert "install gcc" in sscard.errors


@pytest.mark.requires("cc")
def test_what_the_compiler_says_is_told(tmp_path, monkeypatch):
    refusing = tmp_path / "cc"
    refusing.write_text("#!/bin/sh\necho no such luck >&2\nexit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setenv("CC", str(refusing))
    with pytest.raises(BuildError, match="no such luck"):
        build(tmp_path / "out")


# ---- configuration -------------------------------------------------------------------------------


def test_the_environment_goes_over_the_file(tmp_path):
    file = tmp_path / "reader.toml"
    file.write_text('card = "a.img"\npsam = "b.img"\nsm_mode = "pboc_iv"\nkey_version = "01"\n')
    given = {"SSCARD_NATIONAL_CONFIG": str(file), "SSCARD_NATIONAL_CARD": "c.img", "HOME": "/"}
    found = configuration(given)
    assert (found.card, found.psam, found.sm_mode) == ("c.img", "b.img", "pboc_iv")
    made = equipment(found)
    assert made.contactless is None
    assert made.dialect.key_version == 1
    assert "pin" not in repr(found)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"PINN": "1"}, "there is no pinn"),
        ({"LINK": "t1"}, "link is apdu or t0"),
        ({"TERMINAL": "1"}, "12 digits"),
        ({"KEY_VERSION": "X"}, "one byte"),
        ({"CONFIG": "/nonexistent.toml"}, "nonexistent"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_the_librarys_error(keys, told):
    given = {f"SSCARD_NATIONAL_{name}": value for name, value in keys.items()}
    with pytest.raises((ConfigError, TerminalError), match=told):
        equipment(configuration(given))
    answer = Calls(given)("iReadCardBas", "1")
    assert answer.code == Code.LIBRARY
    assert told in answer.out


def test_a_file_that_is_no_image_is_the_librarys_error(tmp_path):
    (tmp_path / "card.img").write_bytes(bytes(100))
    calls = Calls({"SSCARD_NATIONAL_CARD": str(tmp_path / "card.img")})
    assert calls("iReadCardBas", "1").code == Code.LIBRARY


# ---- the messages between --------------------------------------------------------------------


def test_every_function_of_the_header_is_served():
    header = (
        Path(sys.modules["sscard.nationallib"].__file__).parent / "sscard_national.h"
    ).read_text()
    declared = {line.split("(")[0].split()[1] for line in header.splitlines()
                if line.startswith("long i")}  # fmt: skip
    assert declared == set(FUNCTIONS)
    assert {name for name in dir(NationalReader) if name.startswith("i")} == declared


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (b"iReadCardBas\x001\x00", -13),
        (b"iNoSuch\x00", -13),
        (b"iReadCardBas\x00", -14),
        (b"iReadCardBas\x00one\x00", -14),
        (b"iReadCardBas\x00\xff\xff\x00", -23),
    ],
)
def test_requests_and_their_codes(request_, code):
    answer = Calls({}).frame(request_)
    assert int.from_bytes(answer[:4], "big", signed=True) == code
    assert int.from_bytes(answer[4:8], "big") == len(answer) - 8
