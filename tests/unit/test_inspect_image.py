"""`tree`, `dump`, `diff` and `clone` on card images (cos 2.5; issue text on image tools)."""

import json

import pytest

from sscard.card import Card
from sscard.cos.layout import AtrPage, ChipPage
from sscard.errors import ImageError
from sscard.inspect import CLONE_WARNING, clone, diff, dump, fsck, tree
from sscard.inspect.contents import Contents, key_slots
from sscard.sample import new_card

SELECT_SSSE = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF00"


@pytest.fixture(scope="module")
def walk() -> bytes:
    return new_card("walk").image


@pytest.fixture(scope="module")
def v2() -> bytes:
    return new_card("v2").image


def secrets_of(image: bytes) -> list[bytes]:
    contents = Contents.read(image)
    return [
        key.value
        for environment in contents.environments
        for node in environment.tree.nodes
        for key in (key_slots(contents.memory, node) if node.kind == 0x0C else ())
    ]


# --- tree -----------------------------------------------------------------------------------


def test_tree_names_domains_files_and_keys(walk):
    view = tree(walk)
    assert [domain.domain for domain in view.domains] == ["CM", "SSSE", "PSE"]
    assert [domain.state for domain in view.domains] == ["OWNED", "OPERATIONAL", "OPERATIONAL"]
    ssse = view.domains[1].root
    assert ssse is not None
    assert [child.fid for child in ssse.children] == [0xEF80, 0xEF05, 0xDF01]
    key = ssse.children[0].keys[1]
    assert (key.id, key.tries_left, key.tries_max, key.kcv) == (4, 3, 3, "3CB3DE")
    assert dict(ssse.children[1].rules)["update"] == "key 04 of the directory"
    assert ssse.children[1].records == 1
    assert view.domains[1].free == 0x9BC8


def test_ssse_2_4_tree_shows_chinese_and_english_titles(v2):
    shown = str(tree(v2))
    assert "照片 photo" in shown
    assert "holder PIN or key 08 of the directory" in shown


@pytest.mark.parametrize("view", [tree, dump])
def test_no_view_shows_a_key(v2, view):
    shown = str(view(v2)).replace(" ", "").replace("\n", "").upper()
    told = json.dumps(view(v2).to_json()).replace(" ", "").upper()
    for value in secrets_of(v2):
        if len(value) >= 8:
            assert value.hex().upper() not in shown
            assert value.hex().upper() not in told


def test_tree_of_an_unapplied_transaction_says_so(walk):
    image = bytearray(walk)
    newest = Contents.read(walk).ring.newest
    assert newest is not None
    image[(8 + newest.slot) * 64 + 3] = 0xFF
    assert "not applied" in str(tree(image))


# --- dump -----------------------------------------------------------------------------------


def test_dump_names_every_field_of_a_page(walk):
    (page,) = dump(walk, 0xAB).pages
    assert page.title == "heap"
    fields = {(field.owner, field.name): field for field in page.fields}
    value = fields["SSSE DDF1/EF80 slot 1", "value"]
    assert value.secret
    assert page.bytes[value.offset] == "**"
    assert fields["SSSE DDF1/EF80 slot 1", "tries_left"].value == "3 (03)"


def test_dump_shows_secrets_on_demand(walk):
    shown = str(dump(walk, 0xAB, reveal=True))
    assert "B0 C3 BE 8D 15 CC E3 5B 43 AE 0D 70 2B 4D 80 CD" in shown
    assert "**" not in shown


def test_dump_hides_what_lies_in_unused_heap(walk):
    image = bytearray(walk)
    image[0x9000:0x9010] = b"an old key value"
    (page,) = dump(image, 0x9000 // 64).pages
    assert page.bytes[:16] == ("**",) * 16
    assert page.fields[0].name == "not in use"


def test_dump_leaves_erased_pages_out_unless_asked(walk):
    assert len(dump(walk).pages) < 200
    assert len(dump(walk, blank=True).pages) == 1280
    with pytest.raises(ImageError, match="0 to 1279"):
        dump(walk, 1280)


# --- diff -----------------------------------------------------------------------------------


def test_diff_of_equal_images_is_empty(walk):
    assert not diff(walk, walk)
    assert str(diff(walk, walk)) == "no difference"


def test_diff_tells_a_file_added_and_its_counter_changed(walk):
    card = Card.from_image(walk)
    activation = card.power_on()
    activation.transmit(bytes.fromhex(SELECT_SSSE))
    for _ in range(2):
        activation.transmit(bytes.fromhex("0084000008"))
        activation.transmit(bytes.fromhex("0082000410" + "00" * 16))
    changes = diff(walk, card.image)
    assert [found.path for found in changes.objects] == ["SSSE DDF1/EF80"]
    ((field),) = changes.fields
    assert (field.field, field.before, field.after) == ("tries_left", "3 (03)", "1 (01)")
    assert json.dumps(changes.to_json())


def test_diff_of_a_written_key_does_not_show_it(walk):
    image = bytearray(walk)
    image[0x2AF0:0x2B00] = bytes(16)
    (field,) = (field for field in diff(walk, image).fields if field.field == "value")
    assert field.before == "not shown"
    assert "B0C3" in str(diff(walk, image, reveal=True))


def test_diff_of_blank_and_finished_lists_what_is_new(walk):
    changes = diff(Card.blank().image, walk)
    added = {found.path for found in changes.objects if found.change == "added"}
    assert {"CM 3F00", "SSSE DDF1/EF05", "PSE DDF2/EF80"} <= added
    assert any(field.owner == "CS" and field.field == "card_lcs" for field in changes.fields)


# --- clone ----------------------------------------------------------------------------------


def test_clone_rewrites_the_chip_and_atr_pages_only(walk):
    copy = clone(walk, new_serial=b"SSC00002", csn=bytes.fromhex("86FE990100000002"))
    assert {page.number for page in diff(walk, copy).pages} == {2, 3}
    assert ChipPage.parse(copy[128:192]).serial == b"SSC00002"
    assert AtrPage.parse(copy[192:256]).historical.hex().endswith("86fe990100000002")
    assert fsck(copy) == []
    activation = Card.from_image(copy).power_on()
    assert activation.atr.hex().endswith("86fe990100000002")
    assert b"SSC00002" in activation.transmit(bytes.fromhex("80CA00C000"))
    assert "old card number" in CLONE_WARNING


def test_clone_refuses_what_it_cannot_do(walk):
    with pytest.raises(ImageError, match="needs a new"):
        clone(walk)
    with pytest.raises(ImageError, match="8 bytes"):
        clone(walk, new_serial=b"short")
    with pytest.raises(ImageError, match="8 bytes"):
        clone(walk, csn=b"short")
    damaged = bytearray(walk)
    damaged[3 * 64 + 9] ^= 1
    with pytest.raises(ImageError, match="ATR page"):
        clone(damaged, csn=bytes(8))
