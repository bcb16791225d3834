"""pse-pboc 4.3, 9.3: what of the 2013 edition a profile may not ask for."""

import pytest

from sscard.errors import ProfileError
from sscard.perso.profile import Profile

DF = "pse.df.DF01."


@pytest.mark.parametrize("key", ["AC", "MAC", "ENC"])
@pytest.mark.parametrize("algorithm", ["sm4", "des", "ssf33"])
def test_pse_4_3_card_keys_are_3des(key, algorithm):
    value = "0011223344556677" * (1 if algorithm == "des" else 2)
    settings = {f"{DF}key.{key}.algorithm": algorithm, f"{DF}key.{key}.value": value}
    with pytest.raises(ProfileError, match=rf"key\.{key}\.algorithm.*3des.*pse-pboc 4\.3"):
        Profile.load("pboc", settings)


@pytest.mark.parametrize(
    "dgi", ["8400", "9400", "8501", "8505", "85FF", "9105", "9201", "9204", "9208"]
)
def test_pse_9_3_no_data_groupings_of_sm2_and_sm4(dgi):
    with pytest.raises(ProfileError, match=rf"dgi\.{dgi}.*pse-pboc 4\.3, 9\.3"):
        Profile.load("pboc", {f"{DF}dgi.{dgi}": "00"})


def test_pse_4_6_no_issuer_data_of_algorithm_04():
    with pytest.raises(ProfileError, match=r"dgi\.9200.*04.*pse-pboc 4\.3"):
        Profile.load("pboc", {f"{DF}dgi.9200": "9F10080701010300000004"})
    assert Profile.load("pboc", {f"{DF}dgi.9200": "9F10080701010300000002"})
    assert Profile.load("pboc", {f"{DF}dgi.9200": "9F10"}), "the card refuses what has no form"
