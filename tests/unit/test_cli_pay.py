"""`sscard pay`: receipts, exit codes, what goes wrong."""

import json

import pytest
from typer.testing import CliRunner

from sscard import imagefile
from sscard.cli import app
from sscard.sample import new_card, sample_card

AT = ("--at", "2026-07-01T10:30:45")


@pytest.fixture
def run(tmp_path):
    def runs(*words, card=None, name="card.img"):
        path = tmp_path / name
        if not path.exists():
            made = sample_card() if card is None else card
            imagefile.save(path, made.image, made.env)
        result = CliRunner().invoke(app, ["pay", "--image", str(path), *AT, *words])
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        return result

    return runs
