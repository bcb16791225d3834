"""Card and model in lockstep over random commands, legal and illegal, as a Hypothesis machine.

`SsseMachine` drives a finished card through whatever Hypothesis thinks of; each response is
compared with the model's (`sscard.testing.models.ssse`). Whoever plays holds every key, so that
sequences come past authentication, and makes the mistakes that are nearly right: another
directory's key, a used challenge, one bit of a MAC. A failure is told as an APDU script that can
be pasted into tests/spec.

    class MyCard(SsseMachine):
        profile, settings = "v2", {"challenge_policy": "history:4"}

    TestMyCard = MyCard.TestCase

`PseMachine`, which plays terminal and issuer to the debit application, and `CardMachine`, the
base of both and of your own, can be imported from here too. Only the machines and
`sscard.testing.strategies` import `hypothesis`: install `sscard[test-kit]`.
"""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from sscard.keys import session
from sscard.testing.card_machine import CardMachine
from sscard.testing.line_protection import LineProtection
from sscard.testing.lockstep import OUTSIDE, SELECT_SSSE, SsseBench
from sscard.testing.models.ssse_tables import LOCK_KEYS, TRANSPORT_KEYS
from sscard.testing.models.ssse_values import MASTER, PIN, Contents
from sscard.testing.pse_machine import PseMachine
from sscard.testing.subjects import Subject, subject

__all__ = ["CardMachine", "PseMachine", "SsseMachine", "Subject", "subject"]

_SPOILS = st.sampled_from(("", "", "", "key", "sibling", "stale", "bit"))
_MACS = st.sampled_from(("", "", "", "", "bit", "padding", "stale"))
_BYTES = st.binary(min_size=1, max_size=4)
_AWAY_MOST = 3
"""Commands to the MF or the PSE before the sequence goes back to the SSSE."""


def _at_home(machine: SsseBench) -> bool:
    """Whether commands are worth sending here: in the SSSE, or a few elsewhere."""
    return machine.model.session.place in machine.model.lasting or machine.away < _AWAY_MOST


at_home = precondition(_at_home)


class SsseMachine(SsseBench):
    """A card of `profile` with `settings`, and the model of what it must do.

    Subclass it to try another card or to add rules; `send` is the one way to the card.
    """

    # --- selecting ---------------------------

    @rule()
    @precondition(lambda self: self.steps > 5)
    def reset(self) -> None:
        """The power fails."""
        self.restart()

    @rule(number=st.integers(0, 7), form=st.sampled_from(("name", "0000", "0000", "0100", "0200")))
    def select(self, number: int, form: str) -> None:
        """SELECT the SSSE or one of its DFxx, by name or FID."""
        self.steps += 1
        places = sorted(self.model.lasting, key=lambda place: place != "SSSE")
        place = places[number % len(places)]
        if form == "name":
            name = next(n for n, at in self.model.names.items() if at == place)
            self.command("00A40400", name, name="SELECT")
        else:
            fid = "DDF1" if place == "SSSE" else place
            self.command(f"00A4{form}", bytes.fromhex(fid), name="SELECT")

    @rule(form=st.sampled_from((*OUTSIDE, "00A4030000", "00A40000", "00A4040005D156000005")))
    @at_home
    def leave(self, form: str) -> None:
        """SELECT the MF, the PSE, the parent, or what is not there."""
        self.send(form, "SELECT")

    @rule(
        low=st.sampled_from((5, 6, 7, 8, 9, 0x0A, 0x0D, 0x15, 0x16, 0x80, 0x81)),
        p1=st.sampled_from((0, 2)),
    )
    @at_home
    def select_file(self, low: int, p1: int) -> None:
        """SELECT an EF."""
        self.command(f"00A4{p1:02X}00", bytes((0xEF, low)), name="SELECT")

    # --- proofs ---------------------------

    @rule(length=st.sampled_from((8, 8, 8, 0, 4, 16, 7)))
    @at_home
    def draw(self, length: int) -> None:
        """GET CHALLENGE, to be used by whatever comes."""
        answer = self.send(bytes((0, 0x84, 0, 0, length)), "GET CHALLENGE")[:-2]
        self.used = (answer + bytes(8))[:8]

    @rule(
        number=st.integers(0, 15),
        wide=st.booleans(),
        spoil=_SPOILS,
        tail=st.sampled_from(("", "", "01", "02")),
    )
    @at_home
    def prove(self, number: int, wide: bool, spoil: str, tail: str) -> None:
        """EXTERNAL AUTHENTICATE of a key that can be named here."""
        place = "SSSE" if wide else self.place
        kids = self.model.matrix.directories[place][1]
        self.authenticate(place, kids[number % len(kids)], spoil, tail)

    @rule(kid=st.sampled_from((0x00, 0x00, 0x01, 0x02, 0x82, 0x83, 0x8F)), spoil=_SPOILS)
    @at_home
    def prove_something_else(self, kid: int, spoil: str) -> None:
        """EXTERNAL AUTHENTICATE of a master key, a key of another type, or none at all."""
        self.authenticate(self.place if kid >= 0x80 or not kid else "SSSE", kid, spoil)

    def authenticate(self, place: str, kid: int, spoil: str = "", tail: str = "") -> str:
        """EXTERNAL AUTHENTICATE; return the status word."""
        key, challenge = self.key(place, kid, spoil), self.challenge(spoil)
        if kid == MASTER:
            data = session.direct_cryptogram(self.subject.algorithm, key, challenge)
        else:
            data = session.cryptogram(self.subject.algorithm, key, challenge, challenge)
            data += challenge + bytes.fromhex(tail)
        if spoil == "bit":
            data = bytes((data[0] ^ 1, *data[1:]))
        return self.command(f"008200{kid:02X}", data, name="EXTERNAL AUTHENTICATE")

    @rule(spoil=st.sampled_from(("", "", "", "wrong", "longer", "empty", "P2", "Lc")))
    @at_home
    def verify(self, spoil: str) -> None:
        """VERIFY."""
        pin = {"wrong": b"\x99\x99\x99", "longer": self.model.pin[:7] + b"\0", "Lc": bytes(9)}
        data = b"" if spoil == "empty" else pin.get(spoil, self.model.pin)
        self.command("00200001" if spoil == "P2" else "00200000", data, name="VERIFY")

    @rule(data=st.binary(min_size=16, max_size=16), kid=st.sampled_from((0, 0, 1)))
    @at_home
    def internal(self, data: bytes, kid: int) -> None:
        """INTERNAL AUTHENTICATE."""
        self.command(f"008800{kid:02X}", data, name="INTERNAL AUTHENTICATE")

    # --- files ---------------------------

    @rule(
        number=st.integers(0, 15),
        at=st.integers(0, 17),
        form=st.sampled_from("stnwbx"),
        le=st.sampled_from((0, 0, 1, 4)),
    )
    @at_home
    def read(self, number: int, at: int, form: str, le: int) -> None:
        """READ RECORD or BINARY: by SFI and number, by tag, of the current EF, in wrong forms."""
        held = self.here(number)
        sfi, records = held.file.sfi, held.records
        binary = (held.file.kind == "bin") != (form == "x")
        if binary:
            header = (
                f"00B0{at * 61 >> 8:02X}{at * 61 & 255:02X}"
                if form == "n"
                else f"00B0{0x80 | sfi:02X}{at * 15:02X}"
            )
            self.command(header, le=le or 256, name="READ BINARY")
            return
        tag = records[at % len(records)][0] if records else 1
        p1, p2 = {
            "s": (at, sfi << 3 | 4), "t": (tag, sfi << 3), "n": (at, 4), "w": (at, sfi << 3 | 1),
        }.get(form, (at, sfi << 3 | 4))  # fmt: skip
        self.command(f"00B2{p1:02X}{p2:02X}", le=le or 256, name="READ RECORD")

    @rule()
    @at_home
    def tour(self) -> None:
        """READ one piece of every file of this directory: what the rights open, and only that."""
        for (place, _), held in self.model.contents.items():
            if place == self.place:
                self.send(held.file.reading, f"READ {held.file.fid}")

    @rule(
        number=st.integers(0, 15),
        at=st.integers(0, 6),
        fill=_BYTES,
        form=st.sampled_from("nnntcae"),
        spoil=_MACS,
        secure=st.booleans(),
    )
    @at_home
    def update(
        self, number: int, at: int, fill: bytes, form: str, spoil: str, secure: bool
    ) -> None:
        """UPDATE RECORD or BINARY, APPEND RECORD; plain or protected as the file wants, or not."""
        held = self.here(number)
        header, content = self.change_of(held, at, fill, form)
        wanted = self.model.policy.update_sm.get((held.file.place, held.file.fid), "none")
        if secure and wanted == "none":
            secure = fill[0] % 4 == 0
        if secure:
            place = self.place if self.place in TRANSPORT_KEYS else "SSSE"
            self.protected(
                f"04{header[2:]}",
                place,
                TRANSPORT_KEYS[place],
                content,
                spoil,
                encipher=wanted == "enc_mac",
            )
        else:
            self.command(header, content, name="UPDATE")
        self.changed[held.file.place, held.file.fid] = held

    def change_of(self, held: Contents, at: int, fill: bytes, form: str) -> tuple[str, bytes]:
        """Return header and data of an update of a file; forms `a`, `e` and `c` are mistaken."""
        sfi = held.file.sfi
        if held.file.kind == "bin":
            offset = (len(held.body) if form == "e" else at * 40) & 0x7FFF
            if form == "c" or offset > 255:
                return f"00D6{offset >> 8:02X}{offset & 255:02X}", fill * 40
            return f"00D6{0x80 | sfi:02X}{offset:02X}", fill * 40
        if held.file.kind == "cyc":
            content = (fill * held.file.length)[: held.file.length + (form == "e")]
            if form == "a":
                return f"00E200{sfi << 3:02X}", content
            return f"00DC{int(form == 'c'):02X}{sfi << 3 | (4 if form == 't' else 3):02X}", content
        index = at % len(held.records)
        old = held.records[index]
        content = old[:2] + (fill * len(old))[: len(old) - 2]
        if form == "a":
            return f"00E200{sfi << 3:02X}", content
        if form == "e":
            return f"00DC{index + 1:02X}{sfi << 3 | 4:02X}", content + b"\0"
        if form == "c":
            return f"00DC{index + 1:02X}{sfi << 3 | 4:02X}", bytes((old[0] ^ 1,)) + content[1:]
        if form == "t":
            return f"00DC{old[0]:02X}{sfi << 3:02X}", content
        return f"00DC{index + 1:02X}{sfi << 3 | 4:02X}", content

    @rule(
        number=st.integers(0, 60),
        at=st.integers(0, 6),
        fill=_BYTES,
        form=st.sampled_from("nnntcae"),
        spoil=_MACS,
    )
    def rightful_update(self, number: int, at: int, fill: bytes, form: str, spoil: str) -> None:
        """Go to a file, prove its key, update it as it wants, read it back."""
        files = [held for held in self.model.contents.values() if held.file.update is not None]
        protected = [
            held
            for held in files
            if (held.file.place, held.file.fid) in self.model.policy.update_sm
        ]
        held = (files + protected * 6)[number % len(files + protected * 6)]
        self.go_to(held)
        kid = held.file.update or 0
        self.authenticate(held.file.place if kid >= 0x80 else "SSSE", kid)
        if self.model.session.place == held.file.place:
            self.update(self._number_of(held), at, fill, form, spoil, secure=True)
        self.open(held)
        self.send(held.file.reading, "READ")

    @rule(
        number=st.integers(0, 60),
        way=st.sampled_from(("again", "other", "parent", "reset", "failed", "stay")),
    )
    def right_and_gone(self, number: int, way: str) -> None:
        """Prove a key, move as `way` says, and try what it opened."""
        files = [held for held in self.model.contents.values() if held.file.update is not None]
        held = files[number % len(files)]
        self.go_to(held)
        kid = held.file.update or 0
        place = held.file.place if kid >= 0x80 else "SSSE"
        self.authenticate(place, kid)
        self.open(held)
        if way == "reset":
            self.reset()
            self.go_to(held)
        elif way == "failed":
            self.authenticate(place, kid, "bit")
            self.verify("wrong")
        elif way != "stay":
            here = held.file.place
            other = {"again": here, "parent": "DDF1"}.get(way, "DF02" if here == "DF01" else "DF01")
            self.command(
                "00A40000", bytes.fromhex("DDF1" if other == "SSSE" else other), name="SELECT"
            )
            if way == "other":
                self.tour()
                self.send(held.file.writing, "UPDATE")
            if here != "SSSE":
                self.command("00A40000", bytes.fromhex(here), name="SELECT")
        self.send(held.file.reading, "READ")
        self.send(held.file.writing, "UPDATE")

    def go_to(self, held: Contents) -> None:
        """Select the SSSE, then the directory of a file."""
        self.send(SELECT_SSSE, "SELECT SSSE")
        if held.file.place != "SSSE":
            self.command("00A40000", bytes.fromhex(held.file.place), name="SELECT")

    def open(self, held: Contents) -> None:
        """Prove what reading a file needs."""
        for proof in held.file.sufficient:
            if proof == PIN:
                self.verify("")
            else:
                kid = int(proof)
                self.authenticate(held.file.place if kid >= 0x80 else "SSSE", kid)

    def _number_of(self, held: Contents) -> int:
        files = [one for (place, _), one in self.model.contents.items() if place == self.place]
        return files.index(held) if held in files else 0

    # --- secure messaging ---------------------------

    def protected(
        self,
        header: str,
        place: str,
        kid: int,
        data: bytes = b"",
        spoil: str = "",
        *,
        encipher: bool = False,
    ) -> str:
        """Send a command with a MAC under a key, in the form `sm_mode` asks for."""
        protection = LineProtection(
            self.subject.algorithm,
            self.key(place, kid, spoil),
            self.challenge(spoil),
            self.model.policy.sm_mode == "pboc_iv",
        )
        if encipher:
            data = protection.encipher(data)
        if spoil == "padding" and encipher:
            data = data[::-1]
        message = protection.message(bytes.fromhex(header), data)
        mac = protection.mac(message)
        if spoil == "bit":
            mac = bytes((mac[0] ^ 0x80, *mac[1:]))
        return self.send(message + mac, "protected")[-2:].hex().upper()

    @rule(times=st.integers(1, 3))
    @at_home
    def wrong_macs(self, times: int) -> None:
        """So many wrong MACs in a row; three block (cos 6.1)."""
        for _ in range(times):
            self.protected("84240000", "SSSE", 2, b"", "bit")
        self.tour()

    # --- PIN services ---------------------------

    @rule(
        new=st.sampled_from(("654321", "1234", "12345678", "01")),
        spoil=st.sampled_from(("", "", "old", "bare")),
    )
    @at_home
    def change_pin(self, new: str, spoil: str) -> None:
        """CHANGE PIN."""
        old = b"\x98" if spoil == "old" else self.model.pin
        separator = b"" if spoil == "bare" else b"\xff"
        self.command("805E0100", old + separator + bytes.fromhex(new), name="CHANGE PIN")
        self.tour()

    @rule(
        p2=st.sampled_from((0, 1)),
        new=st.sampled_from(("123456", "99", "01")),
        spoil=_SPOILS,
        puk=st.booleans(),
    )
    @at_home
    def reload(self, p2: int, new: str, spoil: str, puk: bool) -> None:
        """UNBLOCK PIN and RELOAD PIN, often with the PUK proved just before."""
        if puk:
            self.authenticate("SSSE", 6)
        kid = 6 if self.model.policy.pin_sm_key == "PUK" else 2
        data = bytes.fromhex(new) if p2 else b""
        self.protected(f"842400{p2:02X}", "SSSE", kid, data, spoil, encipher=True)

    # --- blocking ---------------------------

    @rule(
        ins=st.sampled_from((0x1E, 0x18, 0x18)),
        dice=st.integers(0, 15),
        spoil=_SPOILS,
        proved=st.booleans(),
    )
    @at_home
    def block(self, ins: int, dice: int, spoil: str, proved: bool) -> None:
        """APPLICATION BLOCK and UNBLOCK; one in many blocks for good."""
        place = self.place
        lock = LOCK_KEYS.get(place, MASTER)
        if proved:
            self.authenticate(place, lock)
        p2 = int(ins == 0x1E and dice == 15)
        self.protected(f"84{ins:02X}00{p2:02X}", *self._blocking_key(place, lock), b"", spoil)
        self.tour()

    @rule(dice=st.integers(0, 7), spoil=_SPOILS)
    @precondition(lambda self: self.steps > 12)
    def block_card(self, dice: int, spoil: str) -> None:
        """CARD BLOCK, mostly without BK."""
        if dice == 7:
            self.authenticate("SSSE", 5)
        spoil = spoil or ("" if dice >= 6 else "stale")
        self.protected("84160000", *self._blocking_key("SSSE", 5), b"", spoil)

    def _blocking_key(self, place: str, lock: int) -> tuple[str, int]:
        if self.model.policy.block_mode == "mac_with_LK":
            return place, lock
        holder = place if place in TRANSPORT_KEYS else "SSSE"
        return holder, TRANSPORT_KEYS[holder]

    # --- what is no command ---------------------------

    @rule(
        apdu=st.sampled_from(
            (
                "00B2010C",
                "10B2010C00",
                "01B2010C00",
                "08B2010C00",
                "80B2010C00",
                "04B2010C00",
                "84B2010C00",
                "00AE000000",
                "0020000003",
                "00",
                "00B2010C0500",
                "80CA00C000",
                "805C000104",
                "805000010B0100000001999901000001",
                "805001010B0100000001999901000001",
                "805401000F00000007202401200930000000000000",
                "80CA00D100",
                "00B0A00001",
                "00D6050000",
                "04D6850005A500000000",
                "04DC012C0400000000",
                "8424000108FFFFFFFF00000000",
            )
        )
    )
    @at_home
    def odd(self, apdu: str) -> None:
        """Forms that no row takes, and commands whose answers the model leaves open."""
        self.send(apdu)

    def finish(self) -> None:
        """Read back what was written, after a reset, with the rights it takes."""
        if not self.changed or self.model.card_blocked:
            return
        self.reset()
        for held in list(self.changed.values())[:4]:
            self.go_to(held)
            self.open(held)
            for number in range(1, len(held.records) + 1):
                self.command(
                    f"00B2{number:02X}{held.file.sfi << 3 | 4:02X}", le=256, name="READ RECORD"
                )
            if held.body:
                self.command(f"00B0{0x80 | held.file.sfi:02X}00", le=256, name="READ BINARY")
