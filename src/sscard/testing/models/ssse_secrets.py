"""The model's keys and PIN: what proves what, and what a failure costs.

Source: ssse-lb002 3.7, 3.8, 4.2, 4.3, 4.6, 4.7; cos 6.1.
"""

from collections.abc import Callable, Mapping

from sscard.iso.apdu import Command
from sscard.keys import line, session
from sscard.testing.models.ssse_tables import LOCK_KEYS, TRANSPORT_KEYS, File, Matrix
from sscard.testing.models.ssse_values import (
    KEY_TRIES,
    MAC_TRIES,
    MASTER,
    MASTER_TRIES,
    PIN,
    PIN_TRIES,
    SM4,
    Answer,
    Lasting,
    Policy,
    Refused,
    Session,
)

__all__ = ["Secrets"]


class Secrets:
    """Keys, PIN, their tries and rights; `SsseModel` adds files and selection."""

    def __init__(
        self,
        matrix: Matrix,
        keys: Mapping[tuple[str, int], bytes],
        algorithm: int,
        policy: Policy,
        pin: bytes,
    ) -> None:
        self.matrix = matrix
        self.keys = keys
        self.algorithm = algorithm
        self.policy = policy
        self.pin, self.pin_left = pin, PIN_TRIES
        self.tries = {
            key: MASTER_TRIES if key[1] == MASTER else KEY_TRIES
            for key in keys
            if key[1] == MASTER or key[1] in matrix.directories[key[0]][1]
        }
        self.lasting = {place: Lasting() for place in matrix.directories}
        self.session = Session()

    # --- secure messaging (4.6, 4.7; cos 6.1) ---------------------------

    def _plain(self, command: Command, file: File) -> Callable[[], bytes]:
        """Check the protection an update needs; return what gives its plain data, or 6A80."""
        wanted = self.policy.update_sm.get((file.place, file.fid), "none")
        if not command.cla & 4:
            if wanted != "none":
                raise Refused("6982")
            return lambda: command.data
        if wanted == "none":
            raise Refused("6882")
        kid, place = self._transport_key(file.place)
        challenge = self._check_mac(command, place, kid)
        data = command.data[:-4]
        if wanted == "mac" or not data:
            return lambda: data
        return lambda: self._decipher(place, kid, challenge, data)

    @staticmethod
    def _transport_key(place: str) -> tuple[int, str]:
        return (TRANSPORT_KEYS[place], place) if place in TRANSPORT_KEYS else (2, "SSSE")

    def _check_mac(
        self, command: Command, place: str, kid: int, *, unblocking: bool = False
    ) -> bytes:
        """Check the MAC4 at the end of a command; return the challenge it was made with.

        Refuses: 6987 no MAC, 6984, 6983, 6988, the third in a row 9303.
        """
        if len(command.data) < 4:
            raise Refused("6987")
        challenges, self.session.challenges = self.session.challenges, ()
        if not challenges or not self._usable(challenges[-1]):
            raise Refused("6984")
        if self.tries.get((place, kid)) == 0:
            raise Refused("6983")
        good = command.data[-4:] == self._mac(place, kid, challenges[-1], command)
        self._count(place, kid, good=good)
        here = self.lasting[self.session.place]
        if not good:
            here.mac_left = max(here.mac_left - 1, 0)
            if unblocking:
                here.unblock_left = max(here.unblock_left - 1, 0)
            if not here.mac_left or not (here.unblock_left if unblocking else 1):
                here.block = "permanent"
                raise Refused("9303")
            raise Refused("6988")
        here.mac_left = MAC_TRIES
        return challenges[-1]

    def _usable(self, challenge: bytes) -> bool:
        if self.policy.sm_mode == "session":
            return len(challenge) == 8
        return len(challenge) <= (16 if self.algorithm == SM4 else 8)

    def _mac(self, place: str, kid: int, challenge: bytes, command: Command) -> bytes:
        message = bytes((*command[:4], len(command.data))) + command.data[:-4]
        key = self.keys[place, kid]
        if self.policy.sm_mode == "session":
            return session.sm_mac(
                self.algorithm, session.session_key(self.algorithm, key, challenge), message
            )
        return line.line_mac(self.algorithm, key, challenge, message)

    def _decipher(self, place: str, kid: int, challenge: bytes, data: bytes) -> bytes:
        key = self.keys[place, kid]
        try:
            if self.policy.sm_mode == "session":
                key = session.session_key(self.algorithm, key, challenge)
                return session.sm_decrypt(self.algorithm, key, data)
            return line.unwrap(self.algorithm, key, data)
        except ValueError:
            raise Refused("6A80") from None

    def _count(self, place: str, kid: int, *, good: bool) -> None:
        """A comparison under a counted key: all its tries after a success, one less otherwise."""
        if (place, kid) in self.tries:
            full = MASTER_TRIES if kid == MASTER else KEY_TRIES
            self.tries[place, kid] = full if good else self.tries[place, kid] - 1

    # --- authentication (3.8) ---------------------------

    def _draw(self, command: Command, response: bytes) -> Answer:
        length = 8 if command.le in (None, 256) else command.le
        if length not in (4, 8, 16):
            raise Refused("6700")
        held = self.session.challenges if self.policy.challenge_policy == "history:4" else ()
        self.session.challenges = (*held, response[:-2])[-4:]
        return Answer(data=None if len(response) == (length or 0) + 2 else b"")

    def _internal(self, command: Command) -> Answer:
        if command.p2:
            raise Refused("6A88")
        return Answer(
            data=session.cryptogram(
                self.algorithm, self.keys["SSSE", 0x100], command.data[:8], command.data[8:]
            )
        )

    def _external(self, command: Command) -> Answer:
        place, kid = self._authentication_key(command)
        block = 16 if self.algorithm == SM4 else 8
        if len(command.data) not in ((block,) if kid == MASTER else (16, 17)):
            raise Refused("6700")
        challenges, self.session.challenges = self.session.challenges, ()
        most = range(block + 1) if kid == MASTER else (8,)
        usable = [one for one in challenges if len(one) in most]
        if not usable or (
            self.policy.challenge_policy == "last" and len(usable) != len(challenges)
        ):
            raise Refused("6984")
        if not self.tries[place, kid]:
            raise Refused("6983")
        good = any(self._authentic(place, kid, one, command.data) for one in usable)
        self._count(place, kid, good=good)
        rights = self.session.wide if place == "SSSE" else self.session.local
        if good:
            rights.add(kid)
            return Answer()
        if kid != MASTER:
            rights.discard(kid)
        raise Refused(f"63C{self.tries[place, kid]:X}")

    def _authentication_key(self, command: Command) -> tuple[str, int]:
        """The key P2 names: 01-7F the SSSE's, 80-FF this directory's, 00 its master key."""
        kid, here = command.p2, self.session.place
        version = command.data[16] if len(command.data) == 17 else None
        place = "SSSE" if kid < 0x80 and kid else here
        known = kid == MASTER or kid in self.matrix.directories[place][1]
        own = 2 if (place, kid) == ("SSSE", MASTER) else 1
        if known and version in (None, own):
            return place, kid
        if not known and (TRANSPORT_KEYS.get(place) == kid or (here, kid) == ("DF04", 1)):
            raise Refused("6981")
        raise Refused("6A88")

    def _authentic(self, place: str, kid: int, challenge: bytes, data: bytes) -> bool:
        key = self.keys[place, kid]
        if kid == MASTER:
            return data == session.direct_cryptogram(self.algorithm, key, challenge)
        return data[:8] == session.cryptogram(self.algorithm, key, challenge, data[8:16])

    # --- PIN (3.7) ---------------------------

    def _verify(self, command: Command) -> Answer:
        if command.p2:
            raise Refused("6A88")
        if not self.pin_left:
            raise Refused("6983")
        if not command.data:
            raise Refused(f"63C{self.pin_left}")
        self._compare_pin(command.data)
        self.session.wide.add(PIN)
        return Answer()

    def _compare_pin(self, digits: bytes) -> None:
        if digits == self.pin:
            self.pin_left = PIN_TRIES
            return
        self.pin_left -= 1
        self.session.wide.discard(PIN)
        raise Refused(f"63C{self.pin_left}")

    def _change_pin(self, command: Command) -> Answer:
        if not self.pin_left:
            raise Refused("6983")
        old, separator, new = command.data.partition(b"\xff")
        if not separator or not 2 <= len(new) <= 8:
            raise Refused("6A80")
        self._compare_pin(old)
        self.pin = new
        return Answer()

    def _reload_or_unblock(self, command: Command) -> Answer:
        block = 16 if self.algorithm == SM4 else 8
        if (len(command.data) - 4) % block:
            raise Refused("6700")
        kid = 6 if self.policy.pin_sm_key == "PUK" else 2
        challenge = self._check_mac(command, "SSSE", kid)
        if 6 not in self.session.wide:
            raise Refused("6982")
        if command.p2:
            digits = self._decipher("SSSE", kid, challenge, command.data[:-4])
            if not 2 <= len(digits) <= 8:
                raise Refused("6A80")
            self.pin = digits
        self.pin_left = PIN_TRIES
        return Answer()

    def _authorise(self, command: Command, place: str, *, unblocking: bool = False) -> None:
        lock = LOCK_KEYS.get(place, MASTER)
        if self.policy.block_mode == "mac_with_LK":
            self._check_mac(command, place, lock, unblocking=unblocking)
            return
        kid, holder = self._transport_key(place)
        self._check_mac(command, holder, kid, unblocking=unblocking)
        rights = self.session.wide if place == "SSSE" else self.session.local
        if lock not in rights:
            raise Refused("6982")
