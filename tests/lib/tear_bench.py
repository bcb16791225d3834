"""Cards on a bench for the tear sweeps: the walk of cos 4.5, an owner's commands, files.

The commands are made beside the card, from keys and the specification.
"""

from typing import NamedTuple

import cos_walk

from sscard.card import Card, Snapshot
from sscard.cos.layout import ExtentTable
from sscard.cos.tree import FileNode, FileTree, mount
from sscard.iso import tlv
from sscard.iso.apdu import Command
from sscard.keys.line import line_mac, wrap
from sscard.keys.session import direct_cryptogram
from sscard.testing.trial import Step, Trial, record

CHALLENGE_8 = bytes.fromhex("8182838485868788")
CHALLENGE_4 = bytes.fromhex("51525354")
TRANSPARENT, FIXED, VARIABLE, TLV, CYCLIC, KEYS, INTERNAL = 1, 2, 4, 5, 6, 0x0C, 9

SELECT_SSSE = Step(bytes.fromhex(cos_walk.SELECT_SSSE))


def walk() -> list[Step]:
    """The commands of the walk of cos 4.5, named by their rows."""
    return [
        Step(bytes.fromhex(row.command), bytes.fromhex(row.challenge), row.number)
        for row in cos_walk.WALK
    ]


def extents(image: bytes) -> dict[int, range]:
    """The pages of every extent, by domain."""
    return {
        entry.domain: entry.page_range for entry in ExtentTable.parse(image[0x140:0x180]).entries
    }


def domain_state(image: bytes, code: int) -> int:
    """DH.state of an environment."""
    return image[extents(image)[code].start * 64 + 3]


def proves(image: bytes, code: int, key: bytes) -> bool:
    """Whether a key, used as the master key of an environment, is accepted there."""
    card = Card(image)
    activation = card.power_on()
    activation.transmit(
        bytes.fromhex((cos_walk.SELECT_MF, cos_walk.SELECT_SSSE, cos_walk.SELECT_PSE)[code])
    )
    challenge = activation.transmit(bytes.fromhex("0084000008"))[:8]
    data = direct_cryptogram(0, key, challenge)
    return activation.transmit(bytes((0, 0x82, 0, 0, 8)) + data) == b"\x90\x00"


def owned_bench() -> "Bench":
    """The SSSE, OWNED, its master key proved in the session."""
    return Bench(cos_walk.walked("16"), SELECT_SSSE, Owner(cos_walk.EMK_S2).proof())


class Bench:
    """A card and the session in which its next command is sent."""

    def __init__(self, snapshot: Snapshot, *session: Step) -> None:
        self.snapshot = snapshot
        self.session = session

    def given(self, *steps: Step, answers: str = "9000") -> None:
        """Run commands undisturbed in the session; each must answer as said."""
        card = self.snapshot.fork()
        activation = card.power_on()
        for step in self.session:
            step.send(card, activation)
        for step in steps:
            assert step.send(card, activation)[-2:].hex().upper() == answers
        self.snapshot = card.snapshot()

    def when(self, step: Step, answers: str = "9000") -> Trial:
        """Take one command down, in the session; it must answer as said."""
        trial = record(self.snapshot, self.session, step)
        assert trial.response.hex().upper() == answers
        return trial

    @property
    def tree(self) -> FileTree:
        """The SSSE's files."""
        pages = extents(self.snapshot.image)[1]
        return mount(self.snapshot.image, pages.start, len(pages))

    def file(self, fid: int) -> FileNode:
        return next(node for node in self.tree.nodes if node.fid == fid)


class Ef(NamedTuple):
    """A file to create: its FCP and the command that takes it (cos 2.2)."""

    kind: int
    fid: int
    size: int = 0
    record: tuple[int, int] = (0, 0)
    access: str = "0000 0000 0000 0000"

    def create(self) -> Step:
        length, count = self.record
        descriptor = bytes((self.kind,))
        if length:
            descriptor += b"\x21" + length.to_bytes(2) + bytes((count,))
        tags = [(0x82, descriptor), (0x83, self.fid.to_bytes(2))]
        if self.size:
            tags.append((0x80, self.size.to_bytes(2)))
        tags.append((0x86, bytes.fromhex(self.access)))
        return created(b"".join(tlv.encode(tag, value) for tag, value in tags))


def created(fcp: bytes) -> Step:
    return Step(Command(0x80, 0xE0, 0, 0, tlv.encode(0x62, fcp)).build())


def deleted(fid: int) -> Step:
    return Step(Command(0x80, 0xE4, 0, 0, fid.to_bytes(2)).build())


def command(text: str) -> Step:
    return Step(bytes.fromhex(text))


class Owner:
    """Who holds a key: makes the commands that need it, each with its challenge (3DES)."""

    def __init__(self, key: bytes) -> None:
        self.key = key

    def proof(self, identifier: int = 0, *, good: bool = True) -> Step:
        """EXTERNAL AUTHENTICATE, direct form."""
        cryptogram = direct_cryptogram(0, self.key, CHALLENGE_8)
        if not good:
            cryptogram = bytes(8)
        command = Command(0x00, 0x82, 0x00, identifier, cryptogram)
        return Step(command.build(), CHALLENGE_8, f"prove key {identifier:02X}")

    def protected(self, command: Command, *, good: bool = True, name: str = "") -> Step:
        """Put this key's line protection MAC behind a command's data (cos 6.1)."""
        head = bytes((*command[:4], len(command.data) + 4))
        mac = line_mac(0, self.key, CHALLENGE_4, head + command.data)
        if not good:
            mac = bytes(4)
        return Step(command._replace(data=command.data + mac).build(), CHALLENGE_4, name)

    def act(self, ins: int, *, good: bool = True) -> Step:
        """END PERSONALISATION, TERMINATE, ERASE and their like: nothing but a MAC."""
        return self.protected(Command(0x84, ins, 0x00, 0x00), good=good)

    def writes(self, header: str, value: bytes, *, replace: bool = False) -> Step:
        """WRITE KEY under this key (cos 4.3)."""
        data = wrap(0, self.key, bytes.fromhex(header) + value)
        return self.protected(Command(0x84, 0xD4, int(replace), 0x00, data))
