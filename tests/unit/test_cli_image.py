"""The commands on image files: new, tree, dump, diff, fsck, clone."""

import json

import pytest
from cli_bench import Cli
from typer.testing import CliRunner

from sscard import imagefile
from sscard.cli.app import app
from sscard.inspect.values import stored

sscard = Cli()


@pytest.fixture(scope="module")
def social(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli") / "social.img"
    sscard("new", path, "--profile", "v2")
    return path


# ---- new -----------------------------------------------------------------------------------------


def test_new_is_deterministic_and_has_an_environment(social, tmp_path):
    output = sscard("new", tmp_path / "again.img", "--profile", "v2")
    assert "80 KiB, ATR 3B6D00000087CF20018649999900000001" in output
    assert (tmp_path / "again.img").read_bytes() == social.read_bytes()
    first, second = (imagefile.load(path)[1] for path in (social, tmp_path / "again.img"))
    assert first == second
    assert first.seed == b"sscard"


def test_new_with_settings_seed_and_json(tmp_path):
    path = tmp_path / "card.img"
    settings = ("--set", "pin.tries_left=2", "--set", "record_le=strict")
    output = sscard("new", path, "--profile", "v2", *settings, "--seed", "0102", "--json")
    assert json.loads(output) == {
        "file": str(path),
        "profile": "v2",
        "blank": False,
        "state": None,
        "bytes": 81920,
        "atr": "3B6D00000087CF20018649999900000001",
    }
    image, env = imagefile.load(path)
    assert env.seed == b"\x01\x02"
    assert stored(image, "pin.tries_left") == 2
    read = ("00A404000F7378312E73682EC9E7BBE1B1A3D5CF", "00B2052801")
    assert "< 6C06" in sscard("apdu", path, *read, code=1)


def test_new_blank_and_random_seed(tmp_path):
    sscard("new", tmp_path / "a.img", "--blank", "--random-seed")
    sscard("new", tmp_path / "b.img", "--blank", "--random-seed")
    (image, one), (_, other) = (imagefile.load(tmp_path / name) for name in ("a.img", "b.img"))
    assert stored(image, "card.lcs") == "BLANK"
    assert len(one.seed) == 32
    assert one.seed != other.seed


def test_new_overwrites_only_when_told(social, tmp_path):
    path = tmp_path / "card.img"
    path.write_bytes(b"mine")
    sscard("new", path, "--blank", code=2)
    assert path.read_bytes() == b"mine"
    sscard("new", path, "--blank", "--force")
    assert path.read_bytes() != b"mine"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--profile", "nosuch"), "there is no profile nosuch"),
        (("--set", "nothing"), "is not KEY=VALUE"),
        (("--set", "pin.limit=99"), "pin.limit"),
        (("--seed", "xyz"), "is not hex"),
    ],
)
def test_new_says_what_is_wrong(tmp_path, words, said):
    sscard("new", tmp_path / "card.img", *words, code=2)
    assert said in sscard.errors
    assert not (tmp_path / "card.img").exists()


def test_new_in_a_state(tmp_path):
    path = tmp_path / "card.img"
    words = ("--profile", "v2", "--state", "pin-blocked", "--set", "pin.digits=8888")
    output = sscard("new", path, *words)
    assert "a card of profile v2, pin-blocked, 80 KiB" in output
    verify = ("00A404000F7378312E73682EC9E7BBE1B1A3D5CF", "00200000028888")
    assert "< 6983" in sscard("apdu", path, *verify, code=1)
    made = json.loads(sscard("new", path, *words, "--force", "--json"))
    assert made["state"] == "pin-blocked"
    sscard("new", tmp_path / "b.img", "--state", "nosuch", code=2)
    assert "there is no state nosuch; there are: pin-blocked" in sscard.errors
    sscard("new", tmp_path / "b.img", "--state", "expired", "--blank", code=2)
    assert not (tmp_path / "b.img").exists()


def test_states_are_listed():
    rows = json.loads(sscard("states", "--json"))
    assert {"name": "missing-photo", "meaning": "there is no photo file EF08"} in rows
    assert len(rows) == 28
    listed = sscard("states")
    assert all(row["name"] in listed for row in rows)


# ---- looking -------------------------------------------------------------------------------------


def test_tree(social):
    assert "DDF1 directory, sx1.sh.社会保障" in sscard("tree", social)
    found = json.loads(sscard("tree", social, "--json"))
    assert [domain["domain"] for domain in found["domains"]] == ["CM", "SSSE"]


def test_dump_pages_in_hex_and_secrets_out(social):
    output = sscard("dump", social, "--page", "0-1", "--page", "4")
    assert [line[:9] for line in output.splitlines() if line.startswith("page")] == [
        *("page 0000", "page 0001", "page 0004"),
    ]
    assert "53 53 43 41 52 44" in output
    assert "** ** **" in output
    assert "** ** **" not in sscard("dump", social, "--page", "4", "--reveal")


def test_dump_of_the_ring_and_of_an_extent(social):
    ring = json.loads(sscard("dump", social, "--ring", "--json"))["pages"]
    assert ring
    assert all("journal" in page["title"] for page in ring)
    extent = json.loads(sscard("dump", social, "--domain", "cm", "--json"))["pages"]
    assert {page["page"] for page in extent} <= set(range(136, 168))
    assert extent[0]["page"] == 136
    sscard("dump", social, "--domain", "PSE", code=2)
    sscard("dump", social, "--page", "zz", code=2)
    sscard("dump", social, "--page", "FFFF", code=3)


def test_diff_says_what_changed(social, tmp_path):
    assert "no difference" in sscard("diff", social, social)
    path = tmp_path / "other.img"
    sscard("new", path, "--profile", "v2", "--set", "pin.tries_left=2")
    assert "tries_left: 6 (06) -> 2 (02)" in sscard("diff", social, path, code=1)
    found = json.loads(sscard("diff", social, path, "--json", code=1))
    assert [page["title"] for page in found["pages"]] == ["heap", "heap"]


def test_fsck(social, tmp_path):
    assert sscard("fsck", social) == f"{social}: clean\n"
    assert json.loads(sscard("fsck", social, "--json")) == []
    image = bytearray(social.read_bytes())
    image[64 * 168 + 10] ^= 0xFF
    broken = tmp_path / "broken.img"
    broken.write_bytes(image)
    assert "error" in sscard("fsck", broken, code=1)
    assert json.loads(sscard("fsck", broken, "--json", code=1))[0]["severity"] == "error"


def test_clone(social, tmp_path):
    out = tmp_path / "clone.img"
    sscard("clone", social, out, "--new-serial", "0102030405060708")
    answer = sscard("apdu", out, "80CA00C300")
    assert "< 0102030405060708 9000" in answer
    sscard("clone", social, out, "--new-serial", "0102030405060709", code=2)
    words = ("--card-number", "8649999900000002", "--force")
    sscard("clone", social, out, *words)
    assert "warning: the keys of the copy" in sscard.errors
    sscard("clone", social, tmp_path / "x.img", "--new-serial", "01", code=3)
    sscard("clone", social, tmp_path / "x.img", code=3)


# ---- files that are not there, or not images -------------------------------------------------


@pytest.mark.parametrize("command", ["tree", "dump", "fsck", "apdu"])
def test_a_missing_file_is_one_line_and_3(tmp_path, command):
    sscard(command, tmp_path / "nosuch.img", *(["00"] if command == "apdu" else []), code=3)
    assert sscard.errors.count("\n") == 1
    assert "there is no such image file" in sscard.errors


def test_debug_shows_the_traceback(tmp_path):
    result = CliRunner().invoke(app, ["--debug", "tree", str(tmp_path / "nosuch.img")])
    assert type(result.exception).__name__ == "ImageError"


@pytest.mark.parametrize(
    "words",
    ["tree {}", "dump {}", "diff {card} {}", "diff {} {card}", "clone {} {new}", "apdu {} 00",
     "serve {}", "conformance --image {}", "read --image {}"],
)  # fmt: skip
def test_a_file_that_is_no_image_is_named(social, tmp_path, words):
    path = tmp_path / "text.img"
    path.write_text("hello " * 200)
    told = [word.format(path, card=social, new=tmp_path / "new.img") for word in words.split()]
    sscard(*told, code=3)
    assert sscard.errors.startswith(f"sscard: {path}: ")
    assert "not a card image" in sscard.errors
