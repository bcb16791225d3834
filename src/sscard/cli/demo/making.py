"""The making of a card: maker, then the two owners, then nobody but them (cos 4.5).

The script is the one every card is personalised by; in between, the card maker tries what he
must not be able to do any more.
"""

from sscard.cli.demo.client import Client, Exchange
from sscard.cli.demo.report import Chapter
from sscard.inspect.names import domain_name
from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.iso.tlv import encode, find
from sscard.keys.session import direct_cryptogram
from sscard.perso import script
from sscard.perso.model import Directory, Key
from sscard.perso.profile import Profile
from sscard.perso.steps import select_name

__all__ = ["blank_chip", "hand_over", "initialise", "personalise"]

_LIFE_CYCLES = {
    0x01: "BLANK",
    0x03: "INITIALISED",
    0x07: "HANDED_OVER",
    0x0F: "ISSUED",
}
_CREATED = {
    1: "the social security environment, SSSE, with an extent of its own",
    2: "the financial environment, PSE, with another",
}
_CARD_DATA = Command(0x80, 0xCA, 0x00, 0xC0, le=256)
_MF = bytes.fromhex("3F00")
_THIRD_DDF = encode(
    0x62,
    encode(0x82, b"\x38")
    + encode(0x83, bytes.fromhex("DDF3"))
    + encode(0x84, b"THIRD.OWNER")
    + encode(0x81, (2048).to_bytes(3, "big"))
    + encode(0x86, bytes.fromhex("8F008F008F00"))
    + encode(0xA5, encode(0xC0, b"\x03") + encode(0xC1, b"\x03")),
)


def blank_chip(client: Client, chapter: Chapter) -> None:
    """Show the chip as its maker delivers it."""
    _life_cycle(client, chapter, "a transport key and nothing else")


def initialise(client: Client, chapter: Chapter, profile: Profile) -> None:
    """The transport key lets the CMK in; the CMK creates both environments."""
    start = len(client.log)
    client.run(script.initialise(profile))
    notes = {
        "write key": "the card master key goes in; the transport key is destroyed",
        **{f"create {ddf.name}": _CREATED[ddf.domain] for ddf in profile.environments},
    }
    for done in client.log[start:]:
        for beginning, remark in notes.items():
            if done.name.startswith(beginning):
                chapter.step(done, remark)
    _life_cycle(client, chapter)


def hand_over(client: Client, chapter: Chapter, profile: Profile) -> None:
    """Each environment gets its own master key from the CMK, which is powerless there after."""
    cmk = profile.cm.master
    assert cmk is not None  # the profile checks it
    for ddf in profile.environments:
        start = len(client.log)
        client.run(script.hand_over(profile, ddf))
        installed = next(done for done in client.log[start:] if done.command[1] == 0xD4)
        chapter.step(installed, f"the first owner's key: the {domain_name(ddf.domain)} is OWNED")
        _try_card_master_key(client, chapter, ddf, cmk)
        _select(client, ddf)
        client.send("get challenge", Command(0x00, 0x84, 0x00, 0x00, le=4))
        client.refused("the same WRITE KEY again", installed.command, SW.SM_WRONG, secret=True)
        chapter.step(client.log[-1], "the CMK's MAC is checked against the owner's key")
    client.send("select MF", Command(0x00, 0xA4, 0x00, 0x00, _MF))
    proved = _authenticate(client, cmk)
    chapter.step(proved, "at home the CMK still opens")
    client.refused(
        "create a third environment", Command(0x80, 0xE0, 0x00, 0x00, _THIRD_DDF), SW.CONDITIONS
    )
    chapter.step(client.log[-1], "but it makes no environment any more")
    _life_cycle(client, chapter)


def personalise(client: Client, chapter: Chapter, ddf: Directory) -> None:
    """The owner replaces his first key by his own, fills the environment and closes it."""
    start = len(client.log)
    client.run(script.take_over(ddf))
    log = client.log[start:]
    _count(chapter, "keys and PIN", sum(done.command[1] == 0xD4 for done in log))
    _count(chapter, "directories and files", sum(done.command[1] == 0xE0 for done in log))
    plain = [done for done in log if done.command[1] == 0xE2]
    _count(chapter, "records", sum(done.command[0] == 0x00 for done in plain))
    _count(chapter, "STORE DATA blocks", sum(done.command[0] == 0x80 for done in plain))
    replaced = next((d for d in log if d.command[1:3] == b"\xd4\x01"), None)
    if replaced is not None:
        chapter.step(replaced, "the owner's own key, which the maker never saw")
    chapter.step(log[-1], f"the {domain_name(ddf.domain)} is OPERATIONAL")
    _life_cycle(client, chapter)


def _count(chapter: Chapter, what: str, number: int) -> None:
    if number:
        chapter.item("", what, str(number))


def _try_card_master_key(client: Client, chapter: Chapter, ddf: Directory, cmk: Key) -> None:
    _select(client, ddf)
    challenge = client.send("get challenge", Command(0x00, 0x84, 0x00, 0x00, le=8))
    proof = direct_cryptogram(cmk.algorithm, cmk.value, challenge)
    assert ddf.master is not None
    tries = (ddf.transport or ddf.master).tries >> 4
    client.refused(
        f"authenticate the CMK in the {domain_name(ddf.domain)}",
        Command(0x00, 0x82, 0x00, 0x00, proof),
        SW.tries_left(tries - 1),
    )
    chapter.step(client.log[-1], "the card maker is locked out")


def _select(client: Client, ddf: Directory) -> None:
    client.run(select_name(ddf.name, ddf.df_name))


def _authenticate(client: Client, key: Key) -> Exchange:
    challenge = client.send("get challenge", Command(0x00, 0x84, 0x00, 0x00, le=8))
    proof = direct_cryptogram(key.algorithm, key.value, challenge)
    client.send("authenticate the CMK in the MF", Command(0x00, 0x82, 0x00, 0x00, proof))
    return client.log[-1]


def _life_cycle(client: Client, chapter: Chapter, note: str = "") -> None:
    answer = client.send("get data: the card", _CARD_DATA)
    state = find(answer, 0x81)
    chapter.step(client.log[-1], note)
    code = state[0] if state else 0
    chapter.item("", "life cycle of the card", _LIFE_CYCLES.get(code, f"{code:02X}"), bytes([code]))
