"""`sscard cert`, and `sscard new --perso cps`."""

import json

import pytest
from cli_bench import Cli

from sscard import imagefile
from sscard.perso.rsa_files import rsa_file
from sscard.sample import new_card
from sscard.spec.ca_keys import parse_ca_keys

sscard = Cli()
ODA = "pse.df.DF01.oda."


@pytest.fixture
def image(tmp_path):
    def make(**settings):
        card = new_card("pboc", {ODA + key: value for key, value in settings.items()})
        path = tmp_path / "card.img"
        imagefile.save(path, card.image, card.env)
        return path

    return make


def test_cert_issuer_and_icc_make_the_certificates_of_11_3():
    made = json.loads(sscard("cert", "issuer", "--json"))
    assert made["8F"] == "80"
    assert made["90"].startswith("158FECF086C73020")
    assert made["92"] == "CAC11365CCF6BFF81542C1BD19EE08C01F9856A3"
    assert made["9F32"] == "03"
    static = (
        "5A0A6210950000000000017F5F24033012315F25032001015F280201565F3401009F0702AB809F0D05D86004A800"
        "9F0E0500100000009F0F05D86004F8008E100000000000000000420341031E031F007C00"
    )
    lines = sscard("cert", "icc", "--static", static).splitlines()
    assert lines[0].startswith("9F46 2A1E5C660450E5AA0A85")
    assert lines[1:] == ["9F48 D7756A81F3790FA2C531", "9F47 03"]
    own = sscard("cert", "icc", "--icc", "pin", "--for-pin").splitlines()
    assert [line.split()[0] for line in own] == ["9F2D", "9F2F", "9F2E"]


def test_cert_open():
    made = json.loads(sscard("cert", "issuer", "--json"))
    outside = made["92"] + made["9F32"]
    text = sscard("cert", "open", made["90"], "--key", "ca-80", "--appended", outside)
    assert "block: issuer certificate" in text
    assert "issuer identifier: 621095" in text
    assert "hash: right" in text
    assert "hash: wrong" in sscard(
        "cert", "open", made["90"], "--key", "ca-80", "--appended", made["92"], code=1
    )
    assert "not recovered with the right key" in sscard(
        "cert", "open", made["90"], "--key", "ca-82", code=1
    )
    sscard("cert", "open", made["90"], "--key", "issuer", code=2)


def test_cert_open_a_combined_signature():
    signature = (
        "5C5A9FCE36B87B6299F503C0E0CB159A00DE4CD94D6C0D2437DF2B3DAA66D0AB711395DD4DD7C45D4CD7C3D34EAEE4"
        "B369FFC7009AFE444CA5A97F7670735515E7A3A882C9B8AFD0C68D915F1397E93DF792464582BD5C80E27A35C215E7"
        "B99E"
    )
    text = sscard("cert", "open", signature, "--key", "icc", "--appended", "A1B2C3D4")
    assert "cryptogram  [C7BEA78F30567A6A]" in text
    assert "CID: 80" in text
    assert "hash: right" in text


def test_cert_show(image):
    path = image()
    text = sscard("cert", "show", "--image", str(path))
    assert "CA key: A000000333 80, 1152 bits, until 2030-12-31" in text
    assert "data authentication code DAC1" in text
    assert "PAN: 10 bytes, not shown" in text
    assert "6210950000000000017" in sscard("cert", "show", "--image", str(path), "--reveal")
    as_card = json.loads(sscard("cert", "show", "--image", str(path), "--link", "t0", "--json"))
    assert as_card["sound"] is True
    before = path.read_bytes()
    sscard("cert", "show", "--image", str(path))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"flaws": "issuer"}, "issuer certificate: wrong"),
        ({"flaws": "ssad"}, "signed static data: wrong"),
        ({"signer": "issuer-other"}, "ICC certificate: wrong"),
        ({"ca_index": "99"}, "A000000333 99 is not in the list"),
        ({"omit": ["90"]}, "issuer certificate: the card has none"),
        ({"omit": ["8F"]}, "the card names none"),
    ],
)
def test_cert_show_says_what_is_wrong(image, settings, said):
    assert said in sscard("cert", "show", "--image", str(image(**settings)), code=1)


def test_cert_key_and_list(tmp_path, image):
    ca, listed = tmp_path / "ca.toml", tmp_path / "list.toml"
    arguments = ("--ca-index", "99", "--expiry", "2031-01-01", "--bits", "1152", "--seed", "mine")
    sscard("cert", "key", str(ca), *arguments)
    made = rsa_file(str(ca))
    assert made.ca.name == "A000000333 99"
    assert made.title == "Test CA, 1152 bits"
    sscard("cert", "key", str(ca), *arguments, code=2)
    first = ca.read_text()
    sscard("cert", "key", str(ca), *arguments, "--force")
    assert ca.read_text() == first
    sscard("cert", "list", str(listed), "ca-80", str(ca))
    assert [key.name for key in parse_ca_keys(listed.read_text())] == [
        "A000000333 80",
        "A000000333 99",
    ]
    assert "p =" not in listed.read_text()
    card = image(ca=str(ca))
    assert "99 is not in the list" in sscard("cert", "show", "--image", str(card), code=1)
    sscard("cert", "show", "--image", str(card), "--ca-keys", str(listed))
    sscard("cert", "list", str(listed), "icc", "--force", code=2)
    for wrong in (
        ["--bits", "777"],
        ["--ca-index", "xy"],
        ["--ca-index", "99", "--expiry", "1230"],
    ):
        sscard("cert", "key", str(tmp_path / "new.toml"), *wrong, code=2)
    sscard("cert", "key", str(tmp_path / "icc.toml"), "--bits", "768")
    assert rsa_file(str(tmp_path / "icc.toml")).key.modulus.bit_length() == 768


def test_cert_keys_are_listed():
    assert "ca-80         Test CA, 1152 bits (pse-pboc 11.7)" in sscard("cert", "keys")
    names = [row["name"] for row in json.loads(sscard("cert", "keys", "--json"))]
    assert {"ca-80", "issuer", "icc", "pin"} <= set(names)


def test_new_by_cps(tmp_path):
    path = tmp_path / "cps.img"
    sscard("new", str(path), "--profile", "pboc", "--perso", "cps")
    assert imagefile.load(path)[0] == new_card("pboc", perso="cps").image
    sscard("new", str(path), "--force", "--perso", "other", code=2)
    sscard("new", str(path), "--force", "--perso", "cps", "--blank", code=2)
    sscard("new", str(path), "--force", "--perso", "cps", "--profile", "walk", code=2)


def test_a_key_file_may_have_any_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sscard("cert", "key", "mine.key", "--bits", "1024", "--seed", "a key", "--ca-index", "99")
    made = json.loads(sscard("cert", "issuer", "--ca", "mine.key", "--json"))
    assert (made["8F"], len(made["90"]) // 2) == ("99", 128)
    sscard("cert", "issuer", "--ca", "ca-99", code=2)
    assert "there is no key or file ca-99; there are: ca-80" in sscard.errors


@pytest.mark.parametrize(
    "words",
    [
        ("issuer", "--id", "12"),
        ("issuer", "--id", "123456789"),
        ("issuer", "--expiry", "1330"),
        ("icc", "--expiry", "0030"),
        ("icc", "--pan", "62109500000"),
        ("icc", "--pan", "62109500000000000171"),
        ("icc", "--pan", "6210950000D"),
    ],
    ids=" ".join,
)
def test_digits_and_months_of_a_certificate_are_looked_at(words):
    sscard("cert", *words, code=2)
