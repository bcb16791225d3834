"""What `explain`, `tree`, `dump` and `diff` print, word for word."""

import json

import pytest

from sscard.card import Card
from sscard.inspect import diff, dump, explain, tree
from sscard.sample import new_card

HOLDER = "0812393939393031313939303031303131323332"
TRACK_2 = (
    "704057136210950000000000017D30126200000012345F5F200F544553542043415244484F4C444552"
    "9F61123131303130313139393030313031313233379F620100"
)
EXPLAINED = {
    "select": ("00A404000F7378312E73682EC9E7BBE1B1A3D5CF", {}),
    "read-by-tag": ("00B2083014", {}),
    "verify": ("0020000003123456", {}),
    "create-file": (
        "80E000001E621C82050521001410 8302EF05 880128 80020080 860800008400FFFF0000",
        {},
    ),
    "write-key-protected": (
        "84D4000024DE4EDDE550D0DAC6068EB4E07C5E61D339FDFCDD0EDA17364F6C78D3E9BBA37582AA3E54",
        {},
    ),
    "write-key-plain": (
        "80D400001C 0D0401003304000 08F000310 B0C3BE8D15CCE35B43AE0D702B4D80CD".replace(" ", ""),
        {},
    ),
    "external-authenticate": ("0082000410FDBD2691886E3EB91122334455667788", {"domain": "SSSE"}),
    "holder-id": (HOLDER, {}),
    "holder-id-revealed": (HOLDER, {"reveal": True}),
    "card-id": ("0110999901D15600000500000001F0E447269000", {"command": "00B2012C00"}),
    "card-report": (
        "E122800853534330303030318101078203014000830300160084035310808604010302039000",
        {"command": "80CA00C000"},
    ),
    "adf-fci": (
        (
            "6F398408A000000333010101A52D500A50424F432044454249548701015F2D027A689F1101019F120A50424F"
            "43204445424954BF0C059F4D020B0A9000"
        ),
        {},
    ),
    "directory-record": (
        "702861264F08A000000333010101500A50424F432044454249548701019F120A50424F432044454249549000",
        {"command": "00B2010C00"},
    ),
    "track-2": (TRACK_2 + "9000", {"command": "00B2010C00"}),
    "card-data": (
        (
            "70505A0A6210950000000000017F5F24033012315F25032001015F280201565F3401009F0702AB809F0D05D8"
            "6004A8009F0E0500100000009F0F05D86004F8008E100000000000000000420341031E031F009000"
        ),
        {"command": "00B2011400"},
    ),
    "gpo-answer": ("800E7C000801010010010201180103009000", {"command": "80A8000002830000"}),
    "first-ac-answer": ("8013800001F126D638723D8BFC07010103A41002019000", {}),
    "qpboc-answer": (
        (
            "7748820278009F3602000157136210950000000000041D30126200000012345F9F101307011103A00000010A01"
            "0000010000A1B2C3D49F2608D893DC54264FC2C55F3401009F6C0280009000"
        ),
        {"domain": "PSE"},
    ),
    "card-processes": ("9F6804881090009000", {"command": "80CA9F6800"}),
    "store-data-cash": ("80E280001592031282027800940C080101001001030118010300", {"domain": "PSE"}),
    "put-data": ("04DA9F580505F58454DC", {}),
    "store-data": ("84E200000D9010020303EBF6763FCB741949", {}),
    "store-data-enciphered": (
        (
            "84E260003B"
            "80003020769008DFC1F7FD299DC1C07C8EC4AFA81F08206E8A0C18DFE827A544B3ABDAC0CE979EA318A8C3E3E8"
            "E89B267ABFC0"
            "0001020304050607"
        ),
        {"domain": "PSE"},
    ),
    "initialize-update": ("8050000008000102030405060700", {"domain": "PSE"}),
    "initialize-update-answer": (
        "621095FFFFFF0000000101020001A0A1A2A3A4A5F547BF7BFC7B1EFF9000",
        {"command": "8050000008000102030405060700", "domain": "PSE"},
    ),
    "authenticate-channel": ("8482010010CBE7E8B47B77751F8B9CDD297C96FD2B", {"domain": "PSE"}),
    "atr": ("3B6D000000FE53108086FE990100000001", {}),
    "status-word": ("63C2", {}),
}


@pytest.mark.parametrize("name", EXPLAINED)
def test_explain_in_words(name, snapshot):
    data, options = EXPLAINED[name]
    snapshot(f"explain-{name}.txt", str(explain(data, **options)))


def test_explain_as_json(snapshot):
    text = json.dumps(explain(HOLDER, reveal=True).to_json(), indent=2, ensure_ascii=False)
    snapshot("explain-holder-id.json", text)


@pytest.fixture(scope="module")
def walk() -> bytes:
    """The image after the walk of cos 4.5, made by commands."""
    return new_card("walk").image


def test_tree_of_the_walk(walk, snapshot):
    snapshot("tree-walk.txt", str(tree(walk)))


def test_dump_of_the_walk(walk, snapshot):
    pages = [0, 2, 3, 4, 5, 0x88, 0x89, 0xA9, 0xAA, 0xAB, 0xB5]
    snapshot("dump-walk.txt", str(dump(walk, pages)))


def test_diff_of_a_failed_authentication(walk, snapshot):
    card = Card.from_image(walk)
    activation = card.power_on()
    activation.transmit(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF00"))
    activation.transmit(bytes.fromhex("0084000008"))
    assert activation.transmit(bytes.fromhex("0082000410" + "00" * 16)) == b"\x63\xc2"
    changes = diff(walk, card.image)
    outside = [page for page in changes.pages if not page.title.startswith("journal")]
    text = "\n".join(line for line in changes.lines() if "journal" not in line)
    assert len(outside) == 1
    snapshot("diff-authentication.txt", text)
