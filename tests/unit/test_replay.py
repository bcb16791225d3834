"""Replay and compare: a trace, or the same commands, to another card, up to what differs."""

from dataclasses import replace

import pytest
from sessions import pay, port, recorded, visit

from sscard import sample_card
from sscard.errors import TransportError
from sscard.inspect.trace import (
    Apdu,
    Failure,
    Header,
    Octets,
    Power,
    Random,
    Trace,
    TraceError,
    masked_trace,
)
from sscard.sample import new_card
from sscard.testing.capture import capture, to_toml
from sscard.testing.compare import Twins, compare
from sscard.testing.faults import faulty, removed
from sscard.testing.replay import replay
from sscard.transport import MemoryPort


def played(trace, card, link="t0", *, forced=True):
    with port(card, link) as at:
        return replay(trace, at, env=card.env if forced else None, atr=at.atr)


@pytest.mark.parametrize("link", ["t0", "apdu"])
def test_a_trace_replays_on_the_same_card(link):
    trace = recorded(sample_card(), visit, pay, link=link)
    card = sample_card()
    result = played(trace, card, link)
    assert result.difference is None
    assert result.sent == len(trace.apdus) > 80


def test_a_replay_leaves_the_card_as_the_session_did():
    first, second = sample_card(), sample_card()
    assert played(recorded(first, visit, pay), second).difference is None
    assert first.image == second.image


def test_the_random_values_of_the_trace_are_forced():
    """A card with another seed draws other challenges, unless it is told which."""
    trace = recorded(sample_card(), visit)
    other = sample_card()
    other.env.seed = b"another"
    found = played(trace, other, forced=False).difference
    assert found is not None
    assert found.command[2:4] == "84"
    assert "draws its own random numbers" in found.why
    again = sample_card()
    again.env.seed = b"another"
    assert played(trace, again).difference is None


def test_without_random_values_in_the_trace_its_challenges_are_forced():
    trace = recorded(sample_card(), visit)
    told = Trace(trace.header, tuple(e for e in trace.entries if not isinstance(e, Random)))
    other = sample_card()
    other.env.seed = b"another"
    assert played(told, other).difference is None


def test_the_first_difference_is_explained():
    trace = recorded(sample_card(), visit)
    other = new_card("sample", {"ssse.ef.EF06.values.09": "李测试"})
    found = played(trace, other).difference
    assert found is not None
    assert "tag 09 姓名 name" in found.why
    assert found.expected != found.seen


def test_another_status_word_is_named():
    trace = recorded(sample_card(), visit)
    other = new_card("sample", {"pin.digits": "654321"})
    found = played(trace, other).difference
    assert found is not None
    assert found.seen == "63C5"
    assert "63C5" in found.why
    assert "not 9000" in found.why


def test_another_answer_to_reset_is_a_difference():
    trace = recorded(sample_card(), visit)
    first = replace(trace.entries[0], atr=b"\x3b\x00")
    found = played(Trace(trace.header, (first, *trace.entries[1:])), sample_card()).difference
    assert found is not None
    assert found.why == "another answer to reset"


def test_random_values_that_are_not_drawn_are_a_difference():
    trace = recorded(sample_card(), visit)
    more = []
    for entry in trace.entries:
        if isinstance(entry, Apdu) and entry.command.data[1:2] == b"\xb2" and len(more) < 30:
            more.append(Random(1, bytes(8)))
        more.append(entry)
    found = played(Trace(trace.header, tuple(more)), sample_card()).difference
    assert found is not None
    assert "random values less" in found.why


def test_a_masked_command_is_not_sent():
    trace = masked_trace(recorded(sample_card(), visit))
    with pytest.raises(TraceError, match="masked and cannot be sent: record with --show-secrets"):
        played(trace, sample_card())


def test_masked_answers_compare_by_what_is_left():
    trace = recorded(sample_card(), visit)
    hidden = masked_trace(trace)
    mixed = tuple(
        replace(kept, response=gone.response) if isinstance(kept, Apdu) else kept
        for kept, gone in zip(trace.entries, hidden.entries, strict=True)
    )
    other = new_card("sample", {"ssse.ef.EF06.values.09": "李测试"})
    assert played(Trace(trace.header, mixed), other).difference is None


def test_a_replay_ends_where_the_card_never_answered():
    lost = Failure(Octets(bytes.fromhex("0084000008")), "PowerLoss", "torn")
    trace = Trace(Header("card", masked=False), (Power("on"), lost))
    with pytest.raises(TraceError, match="line 3: this command was never answered"):
        played(trace, sample_card())


# --- compare, capture -------------------------------------------------------------------------


def test_two_equal_cards_compare_equal():
    twins = Twins(port(sample_card(), "apdu"), port(sample_card(), "t0"))
    assert compare(twins) == []
    assert twins.sent > 800


def test_compare_changes_neither_card():
    one, other = sample_card(), sample_card()
    images = one.image, other.image
    compare(Twins(port(one), port(other)))
    assert (one.image, other.image) == images


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"ssse.ef.EF06.values.09": "李测试"}, "姓名"),
        ({"ssse.ef.EF06.read": "PIN"}, "6982"),
        ({"record_le": "strict"}, "6C"),
        ({"ssse.df.DF07.present": False}, "6A82"),
    ],
)
def test_what_differs_is_found_and_said(settings, why):
    twins = Twins(port(sample_card(), "apdu"), port(new_card("sample", settings), "apdu"))
    found = compare(twins)
    if why == "6C":  # 6Cxx is corrected by the terminal: nothing else differs
        assert found == []
        return
    assert any(why in difference.why for difference in found)
    shown = "".join(difference.expected + difference.seen for difference in found)
    assert "张测试".encode("gbk").hex().upper() not in shown


@pytest.mark.parametrize(
    ("profile", "settings"),
    [
        ("sample", {}),
        ("v3", {}),
        ("v1", {}),
        ("v2-social-only", {"ssse.df.DF07.present": False, "ssse.ef.EF06.read": "PIN"}),
    ],
)
def test_a_captured_card_looks_like_the_card(tmp_path, profile, settings):
    card = new_card(profile, settings)
    path = tmp_path / "captured.toml"
    path.write_text(to_toml(capture(port(card)), show_personal=True), encoding="utf-8")
    twins = Twins(port(card), port(new_card(str(path))))
    assert compare(twins, conformance=False) == []


def test_a_capture_is_of_a_fictional_citizen_by_default(tmp_path):
    card = new_card("sample", {"ssse.ef.EF06.values.0C": "320100", "region": "320100"})
    text = to_toml(capture(port(card)))
    for personal in ("999901199001011232", "张测试", "P99990100001", "320100", "T0000001X"):
        assert personal not in text
    assert "00000001" not in text
    path = tmp_path / "captured.toml"
    path.write_text(text, encoding="utf-8")
    new_card(str(path))


def test_a_capture_burns_no_try_and_writes_nothing():
    card = sample_card()
    image = card.image
    capture(port(card))
    assert card.image == image


KEYS = "pse.df.DF01.key"
OTHER_KEYS = {
    f"{KEYS}.AC.mdk": "FEDCBA98765432100123456789ABCDEF",
    f"{KEYS}.MAC.mdk": "FEDCBA98765432100123456789ABCDEF",
}
IN_TAGS = {"pse_ac_format": "77"}


@pytest.mark.parametrize("settings", [{}, IN_TAGS])
def test_cryptograms_and_signatures_of_other_keys_are_no_difference(settings):
    one = new_card("pboc", settings)
    other = new_card("pboc", settings | OTHER_KEYS | {"pse.df.DF01.oda.icc": "icc-other"})
    twins = Twins(port(one, "apdu"), port(other, "apdu"))
    compare(twins, conformance=False, transactions=True)
    assert [found.command[:4] for found in twins.differences] == ["00B2"]  # its certificate
    assert twins.sent > 100


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"pse.df.DF01.dgi.9104": "82027C00940C080101011001020018010300"}, "AFL"),
        ({"pse.df.DF01.dgi.9200": "9F100A07010103000000010A01"}, "more"),
        ({"pse_arpc_unsupported": "6985"}, None),
    ],
)
def test_what_differs_in_a_transaction_is_found(settings, why):
    twins = Twins(port(new_card("pboc"), "apdu"), port(new_card("pboc", settings), "apdu"))
    read = len(compare(twins, conformance=False))  # the certificates, where the AFL differs
    found = compare(twins, conformance=False, transactions=True)[read:]
    if why is None:  # no issuer takes part in these transactions
        assert found == []
        return
    assert {difference.command[2:4] for difference in found} <= {"A8", "AE"}
    assert found


def test_a_transaction_is_counted_only_when_asked_for():
    one, other = new_card("pboc"), new_card("pboc")
    before = one.image, other.image
    compare(Twins(port(one), port(other)), conformance=False)
    assert (one.image, other.image) == before
    compare(Twins(port(one), port(other)), conformance=False, transactions=True)
    assert one.image != before[0]


def test_what_was_found_before_a_card_was_gone_is_kept():
    other = new_card("sample", {"ssse.ef.EF06.values.09": "李测试"})
    twins = Twins(port(sample_card()), MemoryPort(faulty(other, removed(when=200))))
    with pytest.raises(TransportError):
        compare(twins)
    assert any("姓名" in found.why for found in twins.differences)
