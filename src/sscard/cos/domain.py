"""A domain: one environment's commands, files and security over its own window (cos 3.1).

It holds no reference to the kernel, to another domain or to the raw EEPROM; what it cannot
name it cannot touch. All session RAM is one object, so that leaving the domain is dropping it.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sscard.cos import access
from sscard.cos.chip import Chip
from sscard.cos.commands import CommandTable, Le, Row, Survives
from sscard.cos.crypto import Crypto
from sscard.cos.keyfile import KeyRing
from sscard.cos.layout import Block, DomainHeader, DomainState
from sscard.cos.objects import KeyRecord, KeyType
from sscard.cos.policy import Applet, Restriction
from sscard.cos.refusal import Refusal
from sscard.cos.rng import Drbg
from sscard.cos.store import Store
from sscard.cos.tree import FileNode
from sscard.cos.volume import Extent
from sscard.iso.sw import SW

__all__ = ["CM", "PSE", "SSSE", "Bootstrap", "CardFacts", "Domain", "Session"]

CM, SSSE, PSE = 0, 1, 2
"""Domain codes of cos 0."""


_RECORD_LE = {"ignore": Le.IGNORED, "strict": Le.EXACT}
"""What an Le that is neither 00 nor right does in READ RECORD (ssse-lb002 3.4)."""
_RESTRICTIONS: dict[int, Restriction] = {
    Block.TEMPORARY: Restriction.BLOCKED,
    Block.PERMANENT: Restriction.BLOCKED_PERMANENTLY,
    Block.CARD: Restriction.CARD_BLOCKED,
}


class CardFacts(NamedTuple):
    """What a domain may know of the card as a whole: read-only, card-level by design (cos 3.6).

    Values and questions, not the object that answers them: through this no domain reaches
    another one's memory. `card_lcs()` is the life cycle, derived states included (cos 3.4);
    `unallocated()` the bytes that belong to no extent; `states()` the (domain, state) of the
    environments that exist; `name_exists(name)` whether any directory bears this DF name;
    `card_serial` the last 4 historical bytes of the ATR; `contactless` whether this activation
    speaks over the contactless interface (pse-pboc 1.5, 6.2).
    """

    chip_serial: bytes
    card_serial: bytes
    cos_id: bytes
    eeprom_size: int
    test_card: bool
    plain_keys: bool
    card_lcs: Callable[[], int]
    unallocated: Callable[[], int]
    states: Callable[[], list[tuple[int, int]]]
    name_exists: Callable[[bytes], bool]
    contactless: bool = False


class Bootstrap(NamedTuple):
    """The powers of a domain that has no owner yet (F7, F8), and always of the card manager.

    `sponsor` is the card manager's extent, whose master key acts here until the EMK is
    written; `card_page` the card-state page, written by the hand-over; `secret_pages` what
    else these powers may write that must not linger in the ring.
    """

    sponsor: Extent | None
    card_page: int
    secret_pages: frozenset[int]


class Session:
    """The session RAM of one domain; a new one is a domain just entered (F5, F6)."""

    __slots__ = (
        "app",
        "challenges",
        "directory",
        "directory_mask",
        "environment_mask",
        "file",
        "outlives_block",
        "restriction",
        "table",
    )

    def __init__(self, directory: FileNode | None, table: CommandTable) -> None:
        self.directory = directory
        self.table = table
        self.file: FileNode | None = None
        self.directory_mask = 0
        self.environment_mask = 0
        self.challenges: tuple[bytes, ...] = ()
        self.restriction: Restriction | None = None
        self.outlives_block = False
        """Whether a CARD BLOCK made in this session waits for its end (pse-pboc 5.6)."""
        self.app: Any = None


class Domain:
    """One environment, from power-on to power-off."""

    def __init__(
        self,
        *,
        code: int,
        extent: Extent,
        store: Store,
        rng: Drbg,
        crypto: Crypto,
        applet: Applet,
        options: Mapping[str, str],
        facts: CardFacts,
        bootstrap: Bootstrap | None,
    ) -> None:
        self.code = code
        self.extent = extent
        self.store = store
        self.rng = rng
        self.crypto = crypto
        self.applet = applet
        self.options = options
        self.facts = facts
        self.bootstrap = bootstrap
        self.chip: Chip | None = None
        self.damaged = False
        self.rewiring_due = False
        self.lock_card: Callable[[], None] | None = None
        """CARD BLOCK of the whole card: given only where `card_block_scope` is card (cos 3.5)."""
        self.record_le = _RECORD_LE[options["record_le"]] if code else Le.HONOURED
        self.challenge_history = (
            applet.challenge_lasts and options["challenge_policy"] == "history:4"
        )
        self.keys = KeyRing(store, extent, self.card_page)
        self._deferred: list[Callable[[], None]] = []
        self.header = DomainHeader(code, DomainState.CREATED, 0, 0, 0, 0)
        self.reload_header()
        self.session = Session(extent.tree.root, applet.table)
        self._expect_secrets()

    # --- life cycle -------------------------------------------------------------------

    @property
    def card_page(self) -> int | None:
        """The page of the card state, for those who may write it."""
        return None if self.bootstrap is None else self.bootstrap.card_page

    def adopt(self, extent: Extent, bootstrap: Bootstrap | None) -> None:
        """Take over a newly mounted extent and the powers that go with it.

        Only the kernel's wiring calls it; the selection follows by address.
        """
        self.bootstrap = bootstrap
        self.rebind(extent)
        self.reload_header()

    @property
    def state(self) -> int:
        """DH.state: 01 CREATED, 03 OWNED, 07 OPERATIONAL, FF TERMINATED."""
        return self.header.state

    def reload_header(self) -> None:
        """Take the domain header as it now stands; a bad one damages the domain."""
        header = self.extent.header
        if header is not None:
            self.header = header
        elif self.extent.pages:
            self.damaged = True

    def _header_written(self) -> None:
        self.extent.read_header()
        self.reload_header()
        self.refresh_restriction()

    def write_header(self, **changes: Any) -> None:
        """Put changed fields of the domain header into the transaction."""
        self.store.write(self.extent.address, self.header._replace(**changes).build())
        self.after_commit(self._header_written)

    def enter(self) -> None:
        """Make the root directory current, with nothing proved (F5)."""
        self.session = Session(self.extent.tree.root, self.applet.table)
        self.refresh_restriction()

    def select(self, node: FileNode) -> None:
        """Make a directory of this domain current (cos 2.3, masks)."""
        if node.parent is None:
            self.enter()
        else:
            session = self.session
            session.directory = node
            session.file = None
            session.directory_mask = 0
            if not self.applet.challenge_lasts:
                session.challenges = ()
            self.refresh_restriction()
        self.applet.on_select(self)

    def refresh_restriction(self) -> None:
        """Work out again what the current directory takes: its restriction (F10), its commands."""
        session = self.session
        session.restriction = self.restriction_of(
            session.directory, card_block=not session.outlives_block
        )
        if self.applet.table_for is not None:
            session.table = self.applet.table_for(self)

    def restriction_of(
        self, node: FileNode | None, *, card_block: bool = True
    ) -> Restriction | None:
        """Return what restricts a directory of this domain, the strongest reason first.

        `card_block` off leaves a CARD BLOCK out: the session that made it may finish.
        """
        if self.damaged:
            return Restriction.DAMAGED
        if self.header.state == DomainState.TERMINATED:
            return Restriction.TERMINATED
        block: int = self.header.block
        if block == Block.CARD and not card_block:
            block = Block.NONE
        if not block and node is not None and node.parent is not None:
            block = self.store.byte(node.body)
        if block == Block.NONE:
            return None
        return _RESTRICTIONS.get(block, Restriction.BLOCKED_PERMANENTLY)

    def gate(self, row: Row) -> None:
        """Refuse a command that a block or the life cycle forbids (cos 5.3, F10)."""
        restriction = self.session.restriction
        if restriction is None:
            return
        if restriction is Restriction.BLOCKED:
            if self.applet.blocked_answers or Survives.BLOCKED in row.survives:
                return
        elif restriction is Restriction.BLOCKED_PERMANENTLY:
            if self.applet.blocked_answers:
                return
        elif restriction is Restriction.TERMINATED and Survives.TERMINATED in row.survives:
            return
        raise Refusal(
            self.applet.refusal_of(restriction),
            f"the {self.applet.name} application is {restriction.name.lower().replace('_', ' ')}",
            "cos 3.3 F10",
        )

    # --- transactions -----------------------------------------------------------------

    def after_commit(self, action: Callable[[], None]) -> None:
        """Run `action` once the command's transaction stands; never if it is refused."""
        self._deferred.append(action)

    def commit(self) -> None:
        """Commit the command's transaction and what was waiting for it."""
        self.store.commit()
        if self._deferred:
            waiting, self._deferred = self._deferred, []
            for action in waiting:
                action()

    def request_rewiring(self) -> None:
        """Ask the kernel to give every domain what it may reach now: ownership changed."""
        self.rewiring_due = True

    def discard(self) -> None:
        """Drop the transaction and what was waiting for it."""
        self.store.discard()
        self._deferred.clear()

    def reload_tree(self) -> None:
        """Mount the extent again after its chain changed, keeping the current selection."""
        self.extent.remount()
        self.rebind(self.extent)

    def rebind(self, extent: Extent) -> None:
        """Take over a newly mounted extent; the selection follows by address."""
        self.extent = extent
        self.keys = KeyRing(self.store, extent, self.card_page)
        self._expect_secrets()
        session = self.session
        if session.directory is not None:
            session.directory = extent.tree.at(session.directory.address)
        if session.directory is None:
            session.directory = extent.tree.root
        if session.file is not None:
            session.file = extent.tree.at(session.file.address)

    def _expect_secrets(self) -> None:
        """Tell the store which pages are scrubbed from the ring (cos 1.4)."""
        secrets = self.extent.secret_pages
        if self.bootstrap is not None:
            secrets |= self.bootstrap.secret_pages
        self.store.secret_pages = secrets

    # --- security status --------------------------------------------------------------

    @property
    def directory(self) -> FileNode:
        """The current directory; a card without MF has none (6A81)."""
        here = self.session.directory
        if here is None:
            raise Refusal(SW.NOT_SUPPORTED, "the card has no MF", "ssse-lb002 3.11")
        return here

    def masks(self) -> tuple[int, int]:
        """Return the masks of the current directory and of the environment (cos 2.3).

        In an ADF without a master key of its own, bit 15 is the environment's.
        """
        session = self.session
        environment = session.environment_mask
        here = session.directory
        if here is None or here.parent is None:
            return environment, environment
        own = session.directory_mask
        if not self.keys.has_master(here):
            own |= environment & access.MASTER_BIT
        return own, environment

    def granted(self, word: int) -> bool:
        """Whether an access condition holds now."""
        if word == access.ALWAYS:
            return True
        own, environment = self.masks()
        return access.satisfied(word, own, environment)

    def require(self, word: int, what: str, ref: str = "cos 2.3") -> None:
        """Refuse with 6982 unless an access condition holds."""
        if not (word == access.ALWAYS or self.granted(word)):
            raise Refusal(SW.SECURITY_STATUS, f"{what} needs access condition {word:04X}", ref)

    def override(self) -> bool:
        """Whether the personalisation override of cos 2.3 is in force."""
        return self.applet.override(self)

    def grant(self, key: KeyRecord, holder: FileNode | None) -> None:
        """Set the right that a proved key gives (cos 2.3)."""
        if key.grant > 15:
            return
        if holder is None or holder.parent is None or holder is not self.session.directory:
            self.session.environment_mask |= 1 << key.grant
        else:
            self.session.directory_mask |= 1 << key.grant

    def revoke(self, key: KeyRecord, holder: FileNode | None) -> None:
        """Take back the right of a key whose proof failed, where the applet wants it."""
        if not self.applet.failure_revokes or key.type == KeyType.MASTER or key.grant > 15:
            return
        if holder is None or holder.parent is None or holder is not self.session.directory:
            self.session.environment_mask &= ~(1 << key.grant)
        else:
            self.session.directory_mask &= ~(1 << key.grant)

    def clear_rights(self) -> None:
        """Forget every proof: a master key was written (cos 2.3)."""
        self.session.environment_mask = 0
        self.session.directory_mask = 0

    # --- keys -------------------------------------------------------------------------

    def find_key(
        self, kind: int, identifier: int, version: int | None = None
    ) -> tuple[KeyRecord, FileNode] | None:
        """Find a key in the current directory, then in its DDF (F8)."""
        return self.keys.climb(self.session.directory, kind, identifier, version)

    def master_key(self) -> tuple[KeyRecord, FileNode | None] | None:
        """Return the master key that acts here (cos 4.3, F8).

        That of the current directory, else of the environment, else, while the domain is
        CREATED, the sponsor's: the CMK for an environment, the TK for the card manager.
        """
        found = self.find_key(KeyType.MASTER, 0)
        if found is not None:
            return found
        if self.header.state != DomainState.CREATED or self.bootstrap is None:
            return None
        if self.bootstrap.sponsor is not None:
            sponsored = KeyRing(self.store, self.bootstrap.sponsor).root_master()
        else:
            sponsored = self.keys.transport_key()
        return None if sponsored is None else (sponsored, None)

    def tries_left(self, key: KeyRecord) -> int:
        """Return the tries a counted key has left now."""
        return self.keys.tries_left(key)

    def prove(self, key: KeyRecord, compare: Callable[[], bool]) -> bool:
        """Spend a try, compare, restore on success. Source: cos 1.3 T2, 4.7.

        The decrement is committed before the comparison, the restore right after it, each in
        its own transaction; the caller has already refused a key without tries.
        """
        if not key.counted:
            return compare()
        self.keys.write_tries(key, self.keys.tries_left(key) - 1)
        self.store.commit()
        if not compare():
            return False
        self.keys.write_tries(key, key.tries_max)
        self.store.commit()
        return True

    def require_tries(self, key: KeyRecord, ref: str) -> None:
        """Refuse with 6983 when a counted key has no try left."""
        if key.counted and self.keys.tries_left(key) == 0:
            raise Refusal(SW.BLOCKED, "the key has no try left", ref)

    def session_messaging(self) -> bool:
        """Whether line protection uses session keys here and now (README rule 4)."""
        return (
            self.applet.session_messaging
            and self.header.state == DomainState.OPERATIONAL
            and self.options["sm_mode"] == "session"
        )

    # --- what lasts until the next command ----------------------------------------------

    def lapse(self, session: Session, challenges: tuple[bytes, ...], begun: Any) -> None:
        """Drop what a command found and left as it was, where it lasts for one command only.

        A challenge (cos 5.1; not in the SSSE), a transaction begun (ssse-lb002 3.10).
        """
        applet = self.applet
        if not applet.challenge_lasts and session.challenges is challenges:
            session.challenges = ()
        if applet.transaction_lapses and session.app is begun:
            session.app = None

    def take_challenge(self, ref: str) -> bytes:
        """Return the current challenge and consume it; 6984 when there is none."""
        challenges = self.session.challenges
        if not challenges:
            raise Refusal(SW.NO_CHALLENGE, "no challenge is valid", ref)
        self.session.challenges = ()
        return challenges[-1]
