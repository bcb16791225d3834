"""Access conditions as text and as AC2 words: ssse-lb002 4.4, cos 2.3."""

import pytest

from sscard.cos.access import valid
from sscard.perso.access_text import access_text, access_word


@pytest.mark.parametrize(
    ("text", "environment", "word"),
    [
        ("F", True, 0x0000),
        ("-", False, 0x0000),
        ("N", True, 0xFFFF),
        ("FF", False, 0xFFFF),
        ("MK", False, 0x8F00),
        ("EMK", False, 0xCF00),
        ("PIN", True, 0xC100),
        ("PIN", False, 0xC100),
        ("K04", True, 0x8400),
        ("K04", False, 0xC400),
        ("K83", False, 0x8300),
        ("PIN|K88", False, 0xC1A8),
        ("PIN&K84", False, 0xC184),
        ("pin | k88", False, 0xC1A8),
    ],
)
def test_ssse_4_4_and_cos_2_3_examples(text, environment, word):
    assert access_word(text, environment=environment) == word


@pytest.mark.parametrize("environment", [True, False])
def test_every_valid_word_comes_back_through_its_text(environment):
    words = [word for word in range(0x10000) if valid(word)]
    assert len(words) > 2000
    for word in words:
        text = access_text(word, environment=environment)
        assert access_word(text, environment=environment) == word, text


def test_other_words_have_no_text():
    for word in range(0x10000):
        if not valid(word):
            with pytest.raises(ValueError, match="not an access condition"):
                access_text(word, environment=False)


@pytest.mark.parametrize(
    "text", ["", "PIN|", "PIN|K88|K83", "K", "K00", "K01", "K0F", "K80", "K8F", "K10", "|", "XX"]
)
def test_what_is_no_condition_is_refused(text):
    with pytest.raises(ValueError, match="not an access condition"):
        access_word(text, environment=False)


def test_ssse_4_4_local_keys_do_not_exist_in_an_environment():
    with pytest.raises(ValueError, match=r"KIDs are 02\.\.0E"):
        access_word("K83", environment=True)
