"""SELECT: finding directories by name and files by FID, and making them current (cos 3.3).

The kernel's own command. What a SELECT may see depends on where one stands (F2, F3); what it
leaves behind, on whether it changes the domain (F5).
"""

from collections.abc import Iterator
from itertools import islice

from sscard.cos import fcp
from sscard.cos.domain import CM, PSE, SSSE, Domain
from sscard.cos.policy import Restriction
from sscard.cos.refusal import Refusal, Reply
from sscard.cos.tree import FileNode
from sscard.cos.volume import Volume
from sscard.iso.apdu import Command
from sscard.iso.sw import SW

__all__ = ["Selector"]

_REF = "cos 3.3"
_MF = 0x3F00
_BY_FID, _CHILD_DF, _CHILD_EF, _PARENT, _BY_NAME = 0, 1, 2, 3, 4
_FIRST, _NEXT, _FCP = 0, 2, 4

Target = tuple[Domain, FileNode]


class Selector:
    """The SELECT command of one activation; `current` is the current domain, or None."""

    def __init__(self, domains: dict[int, Domain], volume: Volume) -> None:
        self._domains = domains
        self._volume = volume
        self.current: Domain | None = domains[CM]
        self._search: tuple[bytes, int] | None = None

    def select(self, domain: Domain | None, command: Command) -> Reply:
        """Execute SELECT in the current domain. Source: cos 3.3, ssse-lb002 3.3, pse-pboc 1.2."""
        self.current = domain
        if domain is not None and domain.applet.transaction_lapses:
            domain.session.app = None
        self._check_form(domain, command)
        self._check_locked()
        if command.p1 == _BY_NAME:
            target = self._by_name(command.data, again=command.p2 == _NEXT)
        else:
            target = self._by_fid(domain, command)
        if target is None:
            if domain is not None:
                domain.applet.on_failed_select(domain)
            raise Refusal(SW.FILE_NOT_FOUND, "no such file or application from here", _REF)
        return self._enter(domain, target, command)

    # --- form ---------------------------------------------------------------------------

    def _check_form(self, domain: Domain | None, command: Command) -> None:
        p1, p2, length = command.p1, command.p2, len(command.data)
        names_only = domain is not None and domain.applet.names_only
        known = p2 in (_FIRST, _NEXT, _FCP) if p1 == _BY_NAME else p2 in (_FIRST, _FCP)
        if names_only:
            to_mf = p1 == _BY_FID and p2 == _FIRST and command.data == b"\x3f\x00"
            known = to_mf or (p1 == _BY_NAME and p2 in (_FIRST, _NEXT))
        if p1 > _BY_NAME or not known:
            raise Refusal(
                SW.WRONG_P1P2, f"SELECT is not defined for P1 P2 = {p1:02X} {p2:02X}", _REF
            )
        if p1 == _BY_NAME:
            allowed = 5 <= length <= 16
        elif p1 == _PARENT:
            allowed = length == 0
        else:
            allowed = length == 2 or (p1 == _BY_FID and length == 0)
        if not allowed:
            raise Refusal(SW.WRONG_LENGTH, f"{length} bytes do not name what P1 says", _REF)

    def _check_locked(self) -> None:
        if self._volume.locked():
            self.current = None
            raise Refusal(SW.NOT_SUPPORTED, "the card is blocked", "cos 3.5")
        if self._domains[CM].extent.tree.root is None:
            raise Refusal(SW.NOT_SUPPORTED, "the card has no MF", "ssse-lb002 3.11")

    # --- by name --------------------------------------------------------------------------

    def _by_name(self, name: bytes, *, again: bool) -> Target | None:
        """Find a directory by full name, else by the beginning of a PSE name (F2)."""
        index = 0
        if again:
            if self._search is not None and self._search[0] == name:
                index = self._search[1] + 1
            elif not self._next_may_begin():
                return None
        self._search = (name, index)
        return next(islice(self._matches(name), index, None), None)

    def _next_may_begin(self) -> bool:
        """Whether the next occurrence without a first is the first (pse-pboc 1.2, 14 #1)."""
        pse = self._domains.get(PSE)
        return pse is None or pse.options["pse_next_name"] == "restart"

    def _matches(self, name: bytes) -> Iterator[Target]:
        """Yield full matches, then, in order of creation, longer names that begin so."""
        for domain in self._in_order():
            node = domain.extent.tree.directories.get(name)
            if node is not None and not domain.applet.hidden(domain, node):
                yield domain, node
        for domain in self._in_order():
            if self._partial_allowed(domain):
                for longer, node in domain.extent.tree.directories.items():
                    if longer == name or not longer.startswith(name):
                        continue
                    if not domain.applet.hidden(domain, node):
                        yield domain, node

    def _in_order(self) -> Iterator[Domain]:
        return (self._domains[code] for code in (CM, SSSE, PSE) if code in self._domains)

    @staticmethod
    def _partial_allowed(domain: Domain) -> bool:
        if domain.code == SSSE:
            return domain.options["partial_names"] == "on"
        return domain.code == PSE

    # --- by FID ---------------------------------------------------------------------------

    def _by_fid(self, domain: Domain | None, command: Command) -> Target | None:
        """Find a file by FID from the current directory (F3; ssse-lb002 3.3)."""
        manager = self._domains[CM]
        fid = int.from_bytes(command.data, "big") if command.data else _MF
        to_mf = command.p1 == _BY_FID and fid == _MF
        if domain is None or to_mf:
            root = manager.extent.tree.root
            return (manager, root) if to_mf and root is not None else None
        here = domain.directory
        if command.p1 == _PARENT:
            return (domain, here.parent) if here.parent is not None else None
        if command.p1 == _CHILD_DF:
            return self._child(domain, here, fid, directories=True)
        if command.p1 == _CHILD_EF:
            found = self._child(domain, here, fid, directories=False) or self._child(
                domain, here, fid, directories=True
            )
            if found is None and domain.applet.reselects and here.fid == fid:
                return domain, here
            return found
        node = here.child(fid)
        if node is not None:
            return domain, node
        return self._environment(domain, fid) or self._relative(domain, here, fid)

    def _child(
        self, domain: Domain, here: FileNode, fid: int, *, directories: bool
    ) -> Target | None:
        for node in here.children:
            if node.fid == fid and node.is_directory == directories:
                return domain, node
        return self._environment(domain, fid) if directories else None

    def _environment(self, domain: Domain, fid: int) -> Target | None:
        """The DDFs count as children of the MF, found through the extent table."""
        if domain.code != CM:
            return None
        for code in (SSSE, PSE):
            other = self._domains.get(code)
            root = None if other is None else other.extent.tree.root
            if other is not None and root is not None and root.fid == fid:
                return other, root
        return None

    def _relative(self, domain: Domain, here: FileNode, fid: int) -> Target | None:
        """Itself, siblings, parent: directories only, inside the domain."""
        if here.fid == fid:
            return domain, here
        parent = here.parent
        if parent is None:
            return None
        for node in parent.children:
            if node.fid == fid and node.is_directory:
                return domain, node
        visible = parent.parent is not None or domain.options["select_ddf1_by_fid"] == "on"
        return (domain, parent) if parent.fid == fid and visible else None

    # --- becoming current -------------------------------------------------------------------

    def _enter(self, domain: Domain | None, target: Target, command: Command) -> Reply:
        goal, node = target
        if not node.is_directory and goal.session.restriction is not Restriction.CARD_BLOCKED:
            return self._select_file(goal, node, command)
        answer = (goal, node)
        if (
            goal.code == CM
            and goal.options["select_3f00_enters_ssse"] == "on"
            and command.p1 == _BY_FID
            and domain is not None
            and not domain.applet.names_only
            and SSSE in self._domains
        ):
            goal = self._domains[SSSE]
            node = goal.extent.tree.root or node
        restriction = goal.restriction_of(node)
        if restriction is Restriction.CARD_BLOCKED:
            if domain is not None:
                domain.enter()
            self.current = None
            raise Refusal(
                goal.applet.refusal_of(restriction), "the environment is blocked", "ssse-lb002 4.8"
            )
        if command.p1 != _BY_NAME:
            self._search = None
        if domain is not None and domain is not goal:
            domain.enter()
        if domain is not goal and node.parent is not None:
            goal.enter()
        goal.select(node)
        self.current = goal
        return self._answer(answer, restriction, command)

    @staticmethod
    def _answer(target: Target, restriction: Restriction | None, command: Command) -> Reply:
        domain, node = target
        if restriction is Restriction.TERMINATED:
            return Reply(b"", SW.FILE_TERMINATED)
        if command.p2 == _FCP:
            data = fcp.describe(domain.code, node)
        else:
            data = domain.applet.fci(domain, node)
        invalid = restriction is not None or node.damaged
        return Reply(data, SW.FILE_INVALIDATED if invalid else SW.OK)

    @staticmethod
    def _select_file(domain: Domain, node: FileNode, command: Command) -> Reply:
        session = domain.session
        session.file = node
        if not domain.applet.challenge_lasts:
            session.challenges = ()
        domain.applet.on_select_file(domain)
        data = fcp.describe(domain.code, node) if command.p2 == _FCP else b""
        return Reply(data, SW.FILE_INVALIDATED if node.damaged else SW.OK)
