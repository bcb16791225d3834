"""The other commands: apdu, run, explain, profiles, demo, and the program itself."""

import json
import subprocess
import sys

import pytest
from cli_bench import Cli

import sscard as package
from sscard import imagefile
from sscard.cli.exits import ExitCode, exit_code
from sscard.errors import ImageError, ProfileError, ScriptError, TransportError
from sscard.inspect.values import stored
from sscard.perso.script import PersonalisationError
from sscard.sample import sample_card

sscard = Cli()

SSSE = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
FCI = "6F16840F7378312E73682EC9E7BBE1B1A3D5CFA503880101"


@pytest.fixture
def card_file(tmp_path):
    card = sample_card()
    path = tmp_path / "card.img"
    imagefile.save(path, card.image, card.env)
    return path


# ---- apdu ----------------------------------------------------------------------------------------


def test_apdu_shows_answers_and_their_meaning():
    output = sscard("apdu", "--sample", SSSE, "00B2052800")
    assert output.splitlines() == [
        f"> {SSSE}",
        f"< {FCI} 9000  done",
        "> 00B2052800",
        "< 050420240115 9000  done",
    ]


def test_apdu_says_why_the_card_refused():
    output = sscard("apdu", "--sample", SSSE, "00DC052806050420240116", code=1)
    assert "< 6982  the security status is not satisfied (" in output
    assert "ssse-lb002" in output or "cos" in output


def test_apdu_masks_a_pin_in_the_command():
    output = sscard("apdu", "--sample", SSSE, "0020000003123456")
    assert "> 0020000003 <3 bytes>" in output
    assert "123456" not in output
    assert "123456" in sscard("apdu", "--sample", SSSE, "0020000003123456", "--reveal")


def test_apdu_as_a_contact_card():
    output = sscard("apdu", "--sample", "--link", "t0", SSSE, "00C0000018")
    assert "< 6118  24 bytes waiting" in output
    assert f"< {FCI} 9000" in output
    sscard("apdu", "--sample", "--link", "t1", SSSE, code=2)


def test_apdu_takes_bytes_typed_apart_and_standard_input():
    apart = sscard("apdu", "--sample", "00", "84", "00", "00", "08")
    assert apart.startswith("> 0084000008\n")
    lines = f"; a scriptor file\n{SSSE}\nreset\n00 B2 05 28 00\n"
    output = sscard("apdu", "--sample", code=1, text=lines)
    assert output.splitlines()[2:] == [
        "> 00B2052800",
        "< 6A82  file or application not found (no EF here has the SFI 05; cos 3.3 F3)",
    ]


def test_apdu_explained_masks_personal_data():
    output = sscard("apdu", "--sample", "--explain", SSSE, "00B2093000")
    assert "姓名" in output
    assert "not shown" in output
    assert "D5C5B2E2CAD4" not in output
    revealed = sscard("apdu", "--sample", "--explain", "--reveal", SSSE, "00B2093000")
    assert "张测试" in revealed


def test_apdu_json():
    found = json.loads(
        sscard("apdu", "--sample", "--json", "--explain", SSSE, "00B2FF2800", code=1)
    )
    assert (found[0]["data"], found[0]["sw"]) == (FCI, "9000")
    assert found[1]["sw"] == "6A83"
    assert found[1]["refused_because"]
    assert found[1]["explanation"]["label"].startswith("READ RECORD")


def test_apdu_keeps_changes_only_when_told(card_file):
    wrong = (SSSE, "0020000003999999")
    sscard("apdu", card_file, *wrong, code=1)
    assert stored(card_file.read_bytes(), "pin.tries_left") == 6
    sscard("apdu", card_file, *wrong, "--save", code=1)
    assert stored(card_file.read_bytes(), "pin.tries_left") == 5


@pytest.mark.parametrize("words", [(), ("--sample", "00B"), ("--sample", "hello")])
def test_apdu_wrong_usage(words):
    sscard("apdu", *words, code=2)


# ---- run -----------------------------------------------------------------------------------------

GOOD = f"""\
card v2 pin.tries_left=2
SELECT:  {SSSE}  -> {FCI} 9000
VERIFY:  0020000003 999999  -> 63C1
eeprom pin.tries_left == 1
"""


def script(tmp_path, text, name="script.apdu"):
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return path


def test_run_makes_the_card_the_script_asks_for(tmp_path):
    path = script(tmp_path, GOOD)
    output = sscard("run", path)
    assert output.splitlines()[-1] == f"{path}: 4 lines, passed"
    assert sscard("run", "--quiet", path) == f"{path}: 4 lines, passed\n"


def test_run_says_which_line_failed(tmp_path):
    path = script(tmp_path, GOOD.replace("63C1", "63C2"))
    output = sscard("run", "-q", path, code=1)
    assert "FAIL    3  VERIFY  0020000003 999999  -> 63C2" in output
    assert "got 63C1" in output
    (found,) = json.loads(sscard("run", "--json", path, code=1))
    assert [line["passed"] for line in found["lines"]] == [True, True, False, True]
    assert found["lines"][2]["response"] == "63C1"
    assert found["passed"] is False


def test_run_against_a_card_at_hand(tmp_path, card_file):
    path = script(tmp_path, GOOD.replace("63C1", "63C5").replace("== 1", "== 5"))
    assert "skip    1" in sscard("run", "--image", card_file, path)
    assert stored(card_file.read_bytes(), "pin.tries_left") == 6
    sscard("run", "--image", card_file, "--save", path)
    assert stored(card_file.read_bytes(), "pin.tries_left") == 5


def test_run_a_script_without_card_line_gets_the_sample_or_a_profile(tmp_path):
    path = script(tmp_path, "00 A4 04 00 0E 31 50 41 59 2E 53 59 53 2E 44 44 46 30 31 -> 9000\n")
    sscard("run", path)
    sscard("run", "--profile", "pboc", path)
    sscard("run", "--profile", "v2", path, code=1)


def test_run_forces_random_numbers(tmp_path):
    text = "card v2\nrandom A1B2C3D4E5F60718\n0084000008 -> A1B2C3D4E5F60718 9000\n"
    sscard("run", script(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("card v2\n00B -> 9000\n", "script.apdu:2: "),
        ("card nosuch\n", "there is no profile nosuch"),
        ("card v2\neeprom ssse.bla == 1\n", "script.apdu:2: ssse has"),
        ("card v2\neeprom pin.tries_left == six\n", "script.apdu:2: 'six' cannot be compared"),
    ],
)
def test_run_a_script_that_cannot_be_read(tmp_path, text, said):
    sscard("run", script(tmp_path, text), code=2)
    assert said in sscard.errors
    assert sscard.errors.count("\n") == 1


def test_run_without_the_script(tmp_path):
    sscard("run", tmp_path / "nosuch.apdu", code=3)
    assert "nosuch.apdu: no such file" in sscard.errors


def test_run_a_file_that_is_no_text(tmp_path):
    path = tmp_path / "binary.apdu"
    path.write_bytes(b"reset\n\xec\x00")
    sscard("run", path, code=2)
    assert sscard.errors == f"sscard: {path}: not UTF-8 text: invalid continuation byte at byte 6\n"


def test_run_a_script_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "notepad.apdu"
    path.write_bytes(b"\xef\xbb\xbfreset\r\n00A40000023F00 -> * 9000\r\n")
    sscard("run", path)


def test_run_breaks_no_line_in_a_pipe(tmp_path):
    apdu = "80E20000FF" + "AB" * 255
    output = sscard("run", script(tmp_path, f"card v2\na long one  {apdu}  -> ????\n"))
    assert any(line.startswith("ok") and apdu[10:] in line for line in output.splitlines())


# ---- explain -------------------------------------------------------------------------------------


def test_explain_judges_by_the_looks():
    assert "READ RECORD" in sscard("explain", "00", "B2", "05", "28", "00")
    assert "2024-01-15" in sscard("explain", "050420240115")
    assert "5 tries left" in sscard("explain", "63C5")


def test_explain_an_answer_masked_or_not():
    answer = ("080A", "9000")
    assert "SW" in sscard("explain", *answer, "--answer-to", "00B2083000", "--domain", "SSSE")
    name = "091ED5C5B2E2CAD4" + "00" * 24
    assert "张测试" not in sscard("explain", name)
    assert "张测试" in sscard("explain", name, "--reveal")
    assert json.loads(sscard("explain", "6982", "--json"))["value"].startswith("6982")


@pytest.mark.parametrize(
    "words", [("xx",), ("00", "--kind", "x"), ("00", "--domain", "x"), ("00", "--directory", "x")]
)
def test_explain_wrong_usage(words):
    sscard("explain", *words, code=2)


# ---- profiles ------------------------------------------------------------------------------------


def test_profiles_list_show_validate(tmp_path):
    assert "v2 " in sscard("profiles", "list")
    assert {"name": "walk", "title": "The walk of cos 4.5"} in json.loads(
        sscard("profiles", "list", "--json")
    )
    assert sscard("profiles", "show", "v2").startswith("v2: Social security card")
    shown = json.loads(sscard("profiles", "show", "v2", "--set", "record_le=strict", "--json"))
    assert shown["options"] == {"record_le": "strict"}
    assert shown["environments"][0]["fid"] == "DDF1"
    assert sscard("profiles", "validate", "v2", "sample") == "v2: valid\nsample: valid\n"
    wrong = script(tmp_path, "format = 1\ntitle = 'x'\nextends = 'v2'\nbla = 1\n", "wrong.toml")
    sscard("profiles", "validate", wrong, "v2", code=1)
    assert "bla is not known" in sscard.errors
    sscard("profiles", "show", "nosuch", code=2)


# ---- demo ----------------------------------------------------------------------------------------


def test_demo_keeps_its_card(tmp_path):
    path = tmp_path / "demo.img"
    output = sscard("demo", "--fast", "--keep", path)
    assert "✓ TC: the bank can settle  BF0C0717E6D3496C" in output
    assert f"The card is in {path}." in output
    assert stored(path.read_bytes(), "pse.atc") == 1
    assert sscard("fsck", path) == f"{path}: clean\n"
    sscard("demo", "--fast", "--keep", path, code=2)
    sscard("demo", "--fast", "--keep", path, "--force")


def test_demo_json_is_one_document():
    found = json.loads(sscard("demo", "--fast", "--json"))
    assert len(found["chapters"]) == 4


# ---- the program ---------------------------------------------------------------------------------


def program(*words):
    return subprocess.run(
        (sys.executable, "-m", "sscard", *words), capture_output=True, text=True, check=False
    )


def test_version_is_quick_and_loads_nothing_else():
    code = "import sys; sys.argv = ['sscard', '--version']; from sscard.cli import main; main();"
    code += "print(*(name for name in ('typer', 'rich', 'cryptography') if name in sys.modules))"
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    version, loaded = done.stdout.splitlines()
    assert version == f"sscard {package.__version__}"
    assert "typer" not in loaded
    assert "rich" not in loaded
    assert sscard("--version") == f"sscard {package.__version__}\n"


def test_no_command_is_help():
    done = program()
    assert "Usage" in done.stdout + done.stderr
    assert all(name in done.stdout + done.stderr for name in ("demo", "serve", "explain"))


def test_a_terminal_without_chinese_is_no_reason_to_fail():
    done = subprocess.run(
        (sys.executable, "-m", "sscard", "demo", "--fast"),
        capture_output=True,
        env={"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0", "PATH": ""},
        check=False,
    )
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr


def test_an_error_is_one_line_without_traceback():
    done = program("tree", "/nosuch/card.img")
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr == "sscard: /nosuch/card.img: there is no such image file\n"
    done = program("run", "/nosuch/script.apdu")
    assert done.returncode == 3
    assert done.stderr == "sscard: /nosuch/script.apdu: no such file or directory\n"


def test_exit_codes_of_errors():
    assert exit_code(PersonalisationError()) is ExitCode.NO
    assert exit_code(ProfileError()) is exit_code(ScriptError()) is ExitCode.USAGE
    for error in (ImageError(), TransportError(), OSError()):
        assert exit_code(error) is ExitCode.UNUSABLE
