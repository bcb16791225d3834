"""Profiles: loading, extending, overlays, and errors that say what to do."""

from pathlib import Path

import pytest

from sscard.errors import ProfileError
from sscard.iso import tlv
from sscard.perso.profile import Profile, names
from sscard.perso.sources import read
from sscard.spec.options import BY_NAME, BY_NUMBER, OPTIONS


def written(tmp_path, text, name="mine.toml"):
    path = tmp_path / name
    path.write_text(f"format = 1\ntitle = 'Mine'\n{text}", "utf-8")
    return str(path)


@pytest.mark.parametrize("name", names())
def test_every_shipped_profile_loads_and_describes_itself(name):
    profile = Profile.load(name)
    assert profile.describe().startswith(f"{name}: {profile.title}")
    cash = ("electronic_cash", "on")
    chosen = {
        "v3": (("fci_alg_marker", "03"),),
        "pboc-ec": (cash,),
        "pboc-contactless": (cash, ("contactless", "on")),
    }
    assert profile.options == chosen.get(name, ())


def test_shipped_names():
    social = {"v1", "v1-ssf33", "v2", "v2-social-only", "v3"}
    assert {"blank", "pboc", "sample", "walk", *social} <= set(names())


def test_the_sample_is_the_social_card_with_the_bank_data():
    sample, social, bank = (Profile.load(name) for name in ("sample", "v2", "pboc"))
    assert sample.ssse == social.ssse
    assert sample.pse == bank.pse
    assert sample.historical.hex() == "0087cf20018649999900000001"
    assert (sample.ssse.quota, sample.pse.quota) == (40 * 1024, 24 * 1024)


def test_bank_keys_and_pin():
    adf = Profile.load("pboc").pse.directories[0]
    assert [(key.type, key.value.hex().upper()) for key in adf.keys] == [
        (0x10, "B92C67C30286B8C739D70B1BF6C7D510"),
        (0x11, "CD7C080F6C836A418F4A33F652409DB2"),
        (0x12, "7C03765B26411C9ADB77DF2EA8C0E832"),
    ]
    assert (adf.pin.tries, adf.pin.value.hex().upper()) == (0x33, "26123456FFFFFFFF")


def test_record_files_of_the_bank_are_as_big_as_their_records():
    adf = Profile.load("pboc").pse.directories[0]
    sizes = {f.fid: (f.capacity, f.record_max, f.record_count) for f in adf.files}
    assert sizes[0xEF01] == (67, 66, 1)
    assert sizes[0xEF03] == (179 + 152 + 134 + 3, 179, 3)
    assert sizes[0xEF0B] == (450, 45, 10)


# ---- overrides ---------------------------------------------------------------------------------


def test_options_and_pin_by_their_short_names():
    profile = Profile.load("v2", {"record_le": "strict", "pin.tries_left": 2})
    assert profile.options == (("record_le", "strict"),)
    assert profile.option("record_le") == "strict"
    assert profile.option("sm_mode") == "session"
    assert profile.ssse.pin.tries == 0x62


def test_settings_from_a_command_line_are_strings():
    settings = {"pin.tries_left": "2", "chip.test": "false", "scrub_keys": "off"}
    profile = Profile.load("v2", settings)
    assert profile.ssse.pin.tries == 0x62
    assert profile.chip.test is False
    assert profile.option("scrub_keys") == "off"


def test_the_pin_of_a_bank_card_is_that_of_its_application():
    assert Profile.load("pboc", {"pin.tries_left": 1}).pse.directories[0].pin.tries == 0x31


def test_a_switch_may_be_a_truth_value():
    assert Profile.load("v2", {"partial_names": True}).options == (("partial_names", "on"),)


def test_single_items_can_be_set():
    profile = Profile.load("v2", {"ssse.ef.EF06.values.09": "李四"})
    assert profile.ssse.files[1].records[1][2:6] == "李四".encode("gbk")


def test_files_keys_and_directories_can_be_left_out():
    settings = {"ssse.df.DF07.present": False, "ssse.ef.EF08.present": "off"}
    profile = Profile.load("v2", settings)
    assert [d.fid for d in profile.ssse.directories][-1] == 0xDF06
    assert 0xEF08 not in [f.fid for f in profile.ssse.files]


def test_protection_of_updates():
    profile = Profile.load("v2", {"ssse.ef.EF05.sm_update": "enc_mac"})
    assert profile.ssse.files[0].sm_update == 0xC2


def test_a_new_source_of_a_key_displaces_the_old():
    """Whatever the profile below gives: value, root with factors, or an issuer's key."""
    value = "00112233445566778899AABBCCDDEEFF"
    given = Profile.load("v1", {"ssse.key.UK.value": value}).ssse.key(0x0D, 4)
    assert given.value.hex().upper() == value
    rooted = Profile.load("v2", {"ssse.df.DF04.key.DPK.root": value}).ssse.directories[3]
    assert rooted.key(0x09, 1).value.hex().upper() != value
    kept = Profile.load("v1", {"ssse.key.UK.root": value}).ssse.key(0x0D, 4)
    led = Profile.load("v1", {"ssse.key.UK.root": value, "ssse.key.UK.factors": "card"}).ssse
    assert kept.value == led.key(0x0D, 4).value


def test_a_card_without_bank_function():
    social = Profile.load("v2-social-only")
    assert social.pse is None
    assert social.ssse.files[0].records[1].hex() == "020131"
    assert Profile.load("sample").ssse.files[0].records[1].hex() == "020133"


# ---- one's own files ---------------------------------------------------------------------------


def test_a_file_extends_a_shipped_profile(tmp_path):
    path = written(
        tmp_path,
        """
        extends = "v2"
        [options]
        record_le = "strict"
        [ssse.ef.EF0C]
        kind = "tlv"
        read = "K04"
        items = "F0 an 10, F1 an 28"
        [ssse.df.DF01.ef.EF15]
        values = { "40" = [{ "57" = "001" }, { "59" = "x" }] }
        """,
    )
    profile = Profile.load(path)
    assert profile.option("record_le") == "strict"
    extension = profile.ssse.files[-1]
    assert (extension.fid, extension.capacity) == (0xEF0C, 0x10 + 0x28 + 6)
    education = profile.ssse.directories[0].files[6].records
    assert education[1][:7] == bytes.fromhex("4034") + bytes.fromhex("5703303031")
    assert education[3][2:5] == bytes.fromhex("570300")


def test_a_file_extends_a_file_beside_it(tmp_path):
    written(tmp_path, "extends = 'v2'\nregion = '320100'", "base.toml")
    path = written(tmp_path, "extends = 'base.toml'")
    assert Profile.load(path).region == "320100"


def test_rows_of_a_cyclic_file(tmp_path):
    path = written(
        tmp_path,
        """
        extends = "v2"
        [ssse.df.DF04.ef.EF15]
        rows = [["0001", "A"], ["0002", "B"]]
        """,
    )
    illnesses = Profile.load(path).ssse.directories[3].files[3]
    assert illnesses.records == (b"\0\1A", b"\0\2B")


# ---- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"record_le": "loose"}, r"options.record_le = 'loose': must be one of ignore, strict"),
        ({"options.record_ne": "x"}, r"options.record_ne is not known; there are: block_mode"),
        ({"colour": "red"}, r"colour is not known"),
        ({"ssse.ef.EF05.colour": 1}, r"ssse.ef.EF05.colour is not known; .*\bread\b"),
        ({"ssse.ef.EF05.read": "K99"}, r"ssse.ef.EF05.read: 'K99' is not an access condition"),
        ({"ssse.ef.EF05.kind": "round"}, r"must be one of transparent, fixed, variable, tlv"),
        ({"ssse.ef.EF05.items": "01 q 10"}, r"ssse.ef.EF05.items: 'q' is not a type"),
        ({"ssse.ef.EF05.values.99": "x"}, r"ssse.ef.EF05.values: tag 99: there are 01, 02"),
        ({"ssse.ef.EF06.values.0D": "1990-01"}, r"tag 0D: .*decimal"),
        ({"ssse.ef.EF06.values.0A": "12"}, r"tag 0A: '12' does not fit 1 bytes"),
        ({"ssse.ef.EF05.sm_update": "mac", "ssse.ef.EF05.sm_key": "03"}, r"needs an STK whose id"),
        ({"ssse.df.DF05.ef.EF05.sm_read": "mac", "ssse.key.STK.present": False}, r"DF05.*needs an"),
        ({"ssse.ef.EF5.kind": "tlv"}, r"ssse.ef.EF5: the name must be 4 hex digits"),
        ({"ssse.key.UK.id": "4"}, r"ssse.key.UK.id = '4': must be 2 hex digits"),
        ({"ssse.key.UK.tries": "37"}, r"ssse.key.UK.tries = '37': must be FF"),
        ({"ssse.key.UK.factors": "town"}, r"must be some of province, city, card"),
        ({"ssse.key.UK.id": "05"}, r"type, id and version occur twice"),
        ({"ssse.df.DF01.quota": 3000}, r"ssse.df.DF01.quota = 3000: must be at least 3256"),
        ({"pin.tries_left": 7}, r"ssse.pin.tries_left = 7: must be a whole number of 1 to 6"),
        ({"pin.digits": "12345"}, r"ssse.pin.digits = '12345': must be an even number"),
        ({"chip.size": 1000}, r"chip.size = 1000: must be one of 32768, 65536"),
        ({"region": "99"}, r"region = '99': must be a region code of 6 digits"),
        ({"atr.historical": "00"}, r"atr.historical = '00': must be 8 to 15 bytes"),
        ({"atr": "A"}, r"atr = 'A': must be a table"),
        ({"format": 2}, r"format = 2: must be"),
        ({"a..b": 1}, r"'a..b' is not a dotted key"),
    ],
)
def test_errors_name_the_key_and_what_may_stand_there(settings, message):
    with pytest.raises(ProfileError, match=message):
        Profile.load("v2", settings)


def test_an_error_does_not_repeat_a_key():
    with pytest.raises(ProfileError, match=r"ssse.key.UK.root must be 16 bytes") as caught:
        Profile.load("v2", {"ssse.key.UK.root": "00112233445566778899AABBCCDDEE"})
    assert "0011" not in str(caught.value)


def test_keys_and_contents_do_not_show_in_a_repr():
    profile = Profile.load("sample")
    shown = repr(profile).upper()
    for secret in ("38E73326E8F40EC5D63492FA9E5BFADA", "B92C67C30286B8C739D70B1BF6C7D510"):
        assert secret not in shown
    assert repr(profile.ssse.key(0x0D, 4).value) not in repr(profile)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ProfileError, match=r"no profile v9; there are: .*sample"):
        Profile.load("v9")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends = ['v2', 'pboc']", "extends must be the name of one profile"),
        ("extends = 'mine.toml'", "extend each other in a circle"),
        ("extends = 'v2'\n[pse]\nextends = 'v2'", r"profile v2 has no \[pse\]"),
        ("x = ", "Invalid value"),
        ("extends = 'blank'\n[pse]\nquota = 24576", "the directory DDF2 has no master key"),
    ],
)
def test_errors_of_files(tmp_path, text, message):
    with pytest.raises(ProfileError, match=message):
        Profile.load(written(tmp_path, text))


def test_another_format_is_refused(tmp_path):
    path = tmp_path / "old.toml"
    path.write_text("format = 2\n")
    with pytest.raises(ProfileError, match=r"format = 2, must be 1"):
        read(str(path))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ProfileError, match="cannot be read"):
        Profile.load(str(tmp_path / "none.toml"))


# ---- options -----------------------------------------------------------------------------------


def test_options_have_unique_names_and_numbers_of_one_byte():
    assert len(BY_NAME) == len(BY_NUMBER) == len(OPTIONS)
    assert all(0 < option.number < 256 and len(option.values) <= 256 for option in OPTIONS)


def test_a_kid_is_its_own_index_in_ext_auth_kid00():
    values = BY_NAME["ext_auth_kid00"].values
    assert values[0] == "mk"
    assert [int(value, 16) for value in values[1:]] == list(range(1, 0x80))


def test_the_example_of_the_docs_loads(tmp_path):
    page = (Path(__file__).resolve().parents[2] / "docs" / "profiles.md").read_text("utf-8")
    path = tmp_path / "city.toml"
    path.write_text(page.split("```toml\n")[1].split("```")[0], "utf-8")
    profile = Profile.load(str(path))
    assert (profile.region, profile.option("record_le")) == ("320100", "strict")
    assert len(profile.environments) == 2
    assert [d.fid for d in profile.ssse.directories] == list(range(0xDF01, 0xDF07))


@pytest.mark.parametrize("name", ["sample", *(name for name in names() if name.startswith("pboc"))])
def test_pse_5_1_the_bank_cards_are_domestic_rmb_debit_cards(name):
    """AUC AB80, service code 620, country and currency 0156 for terminal and card alike."""
    debit = Profile.load(name).pse.directories[0]
    dgis = dict(debit.dgis)
    held = {}
    for dgi, value in dgis.items():
        if dgi >> 8 in range(1, 11):
            held |= dict(tlv.parse(tlv.find(value, 0x70)))
    assert held[0x9F07].hex().upper() == "AB80"
    assert held[0x5F30].hex() == "0620"
    assert held[0x5F28] == held[0x9F42] == b"\x01\x56"
    pan, _, rest = held[0x57].hex().partition("d")
    assert (rest[4:7], pan) == ("620", held[0x5A].hex().rstrip("f"))
    assert len(pan) == (16 if name == "pboc-16" else 19)
    own = dict(tlv.parse(dgis[0x0E01]))
    assert own[0x9F51] == own[0x9F57] == b"\x01\x56"
    limits = dict(tlv.parse(dgis[0x0D01]))
    foreign = None if name in ("sample", "pboc") else b"\0"
    assert (limits.get(0x9F53), limits.get(0x9F72)) == (foreign, foreign)
    assert debit.df_name.hex().upper() == "A000000333010101"
    pdol = tlv.find(dgis[0x9102], 0x9F38)
    assert (pdol is None) == (name not in ("pboc-ec", "pboc-contactless"))
