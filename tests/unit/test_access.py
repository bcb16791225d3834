"""cos 2.3: every AC2 word, against the sentence of the reference spelled out."""

import re

import pytest

from sscard.cos.access import ALWAYS, MASTER_BIT, NEVER, satisfied, single, valid

ALL = 0xFFFF
OPERAND_A = re.compile("1[01]00[01]{4}")
OPERAND_B = re.compile("1[01][01]0[01]{4}")


def described(word):
    """Operands as (of the environment, grant) and the operator, or None: from the bits as text."""
    first, second = f"{word >> 8:08b}", f"{word & 0xFF:08b}"
    if not OPERAND_A.fullmatch(first):
        return None
    one = (first[1] == "1", int(first[4:], 2))
    if word & 0xFF == 0:
        return one, None, ""
    if not OPERAND_B.fullmatch(second):
        return None
    return one, (second[1] == "1", int(second[4:], 2)), "or" if second[2] == "1" else "and"


WORDS = {word: described(word) for word in range(0x10000)}
CONDITIONS = {word: found for word, found in WORDS.items() if found}


def test_cos_2_3_every_word_is_valid_or_not():
    assert {word for word in WORDS if valid(word)} == {*CONDITIONS, ALWAYS, NEVER}
    assert len(CONDITIONS) == 32 * (1 + 64)


def masks(*held):
    """Two masks in which these (of the environment, grant) bits are set."""
    directory = environment = 0
    for of_environment, grant in held:
        if of_environment:
            environment |= 1 << grant
        else:
            directory |= 1 << grant
    return directory, environment


def test_cos_2_3_every_condition_with_every_proof():
    """Only the bits the word names count, whether all others are set or none is."""
    for word, (one, two, operator) in CONDITIONS.items():
        named = [one] if two is None else [one, two]
        for has_one in (False, True):
            for has_two in (False, True):
                if two == one and has_one != has_two:
                    continue
                held = [bit for bit, has in zip(named, (has_one, has_two), strict=False) if has]
                expected = has_one
                if two is not None:
                    expected = has_one or has_two if operator == "or" else has_one and has_two
                few = masks(*held)
                lacking = masks(*(bit for bit in named if bit not in held))
                many = tuple(ALL & ~mask for mask in lacking)
                assert satisfied(word, *few) is expected, f"{word:04X}"
                assert satisfied(word, *many) is expected, f"{word:04X}"


@pytest.mark.parametrize("proofs", [(0, 0), (ALL, 0), (0, ALL), (ALL, ALL)])
def test_cos_2_3_always_and_never(proofs):
    assert satisfied(ALWAYS, *proofs)
    assert not satisfied(NEVER, *proofs)


@pytest.mark.parametrize(
    ("word", "directory", "environment"),
    [
        (0x8F00, MASTER_BIT, 0),  # master key of this directory
        (0xCF00, 0, MASTER_BIT),  # master key of the environment
        (0x8400, 1 << 4, 0),  # key with grant 4
        (0xC100, 0, 1 << 1),  # environment PIN with grant 1
        (0xC184, 1 << 4, 1 << 1),  # PIN AND grant 4
        (0xC1A4, 1 << 4, 0),  # PIN OR grant 4
        (0xC1A4, 0, 1 << 1),
    ],
)
def test_cos_2_3_examples(word, directory, environment):
    assert valid(word)
    assert satisfied(word, directory, environment)
    assert not satisfied(word, 0, 0)
    assert not satisfied(word, ALL & ~directory, ALL & ~environment) or word == 0xC1A4


def test_cos_2_3_single_operands():
    for word, found in WORDS.items():
        expected = found[0] if found and found[1] is None else None
        if valid(word):
            assert single(word) == expected
