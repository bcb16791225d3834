"""The messages between terminal and bank: strict both ways, and silent about cards."""

import json
from datetime import date, datetime

import pytest

from sscard.spec.banking import (
    AuthorisationRequest,
    BankMessageError,
    ClearingBatch,
    ClearingRefusal,
    ClearingResult,
    Completion,
    Kind,
    Outcome,
    TransactionKey,
    masked,
)

PAN = "6210950000000000017"
AT = datetime(2026, 7, 1, 10, 30, 45)


def request(**over):
    row = {
        "terminal_id": "00000001", "merchant_id": "MERCHANT0000001", "merchant_name": "TEST", "trace": 7,
        "kind": Kind.PURCHASE, "amount_fen": 12345, "at": AT, "pan": PAN, "psn": "01", "expiry": "3012",
        "icc": bytes.fromhex("9F3602 0001"), "track2": PAN + "D30122200000000",
        "pin_block": bytes.fromhex("0011223344556677"),
    }  # fmt: skip
    return AuthorisationRequest(**(row | over))


def completion(**over):
    row = {
        "terminal_id": "00000001", "merchant_id": "MERCHANT0000001", "merchant_name": "TEST", "trace": 7,
        "kind": Kind.PURCHASE, "outcome": Outcome.APPROVED, "amount_fen": 12345, "at": AT, "pan": PAN, "psn": "01",
        "icc": b"\x95\x00", "script_results": (bytes.fromhex("2000000001"),),
    }  # fmt: skip
    return Completion(**(row | over))


@pytest.mark.parametrize(
    "message",
    [
        request(),
        completion(),
        ClearingBatch("00000001", "MERCHANT0000001", 3, AT, (completion(), completion(trace=8))),
        ClearingResult(3, 1, 12345, (ClearingRefusal(8, date(2026, 7, 1), "no such card"),)),
    ],
)
def test_json_round_trip(message):
    text = json.dumps(message.to_json())
    assert type(message).from_json(json.loads(text)) == message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 2}, "format"),
        ({"format": True}, "format"),
        ({"message": "reversal"}, "message"),
        ({"pan": 17}, "'pan' is no str"),
        ({"amount_fen": True}, "'amount_fen' is no int"),
        ({"amount_fen": -1}, "an amount"),
        ({"icc": "9f36"}, "'icc'"),
        ({"icc": "9F3"}, "'icc'"),
        ({"kind": "gift"}, "'kind'"),
        ({"at": "yesterday"}, "'at'"),
        ({"at": "2026-07-01T10:30:45+08:00"}, "without a zone"),
        ({"terminal_id": "1"}, "8 letters"),
        ({"trace": 0}, "trace"),
        ({"track2": "6210950000000000009D3012"}, "track 2"),
        ({"extra": 1}, "has no 'extra'"),
    ],
)
def test_json_that_is_no_request_is_refused(change, words):
    row = request().to_json() | change
    with pytest.raises(BankMessageError, match=words):
        AuthorisationRequest.from_json(row)


def test_json_fields_without_a_default_are_needed():
    row = request().to_json()
    del row["pan"], row["track2"]
    with pytest.raises(BankMessageError, match="lacks 'pan'"):
        AuthorisationRequest.from_json(row)


def test_reprs_show_no_card():
    for message in (request(), completion()):
        assert PAN not in repr(message)
        assert "D3012" not in repr(message)
        assert "001122" not in repr(message)
    assert masked(PAN) == "621095*********0017"


def test_errors_repeat_no_long_text():
    row = request().to_json() | {"icc": PAN}
    with pytest.raises(BankMessageError) as caught:
        AuthorisationRequest.from_json(row)
    assert PAN not in str(caught.value)


def test_the_key_is_terminal_trace_and_day():
    assert request().key == completion().key == TransactionKey("00000001", 7, date(2026, 7, 1))
