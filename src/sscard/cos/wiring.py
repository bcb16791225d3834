"""Wiring: which domains there are, and what each of them may reach right now (F7, F8).

The kernel's set-up of the firewall. It runs at power-on and after the few commands that
change it (CREATE MF and DDF, the EMK's installation, ERASE): from that moment a domain with
an owner holds a window on its own extent and nothing else.
"""

from collections.abc import Mapping, Sequence

from sscard.cos.chip import Chip
from sscard.cos.crypto import Crypto
from sscard.cos.domain import Bootstrap, CardFacts, Domain
from sscard.cos.firewall import BOOTSTRAP
from sscard.cos.layout import CardLifeCycle, DomainState, SuperblockFlag
from sscard.cos.policy import Applet
from sscard.cos.refusal import Refusal
from sscard.cos.rng import Drbg
from sscard.cos.store import Store
from sscard.cos.trace import DetailListener
from sscard.cos.volume import Extent, Volume
from sscard.env import Env
from sscard.iso.atr import Atr
from sscard.iso.sw import SW

__all__ = ["Wiring"]


class Wiring:
    """Builds the domains of one activation and keeps their windows right."""

    def __init__(
        self,
        volume: Volume,
        env: Env,
        applets: Mapping[int, Applet],
        details: Sequence[DetailListener] = (),
        *,
        contactless: bool = False,
    ) -> None:
        self._details = details
        self._volume = volume
        self._env = env
        self._applets = applets
        self._crypto = Crypto(env)
        self._chip = Chip(volume)
        self._facts = _facts(volume, self._chip)._replace(contactless=contactless)
        self._generators: dict[int, Drbg] = {}
        self.domains: dict[int, Domain] = {}
        self._wire()

    def rewire(self) -> None:
        """Read the extents again and give every domain what it may reach now."""
        self._volume.read_extents()
        self._wire()

    def narrow(self, domain: Domain) -> None:
        """Take back what a refused command had opened to the card manager."""
        domain.store.allow(self._card_manager_ranges(), 0)

    def _wire(self) -> None:
        extents = self._volume.extents
        for gone in set(self.domains) - set(extents) - {0}:
            del self.domains[gone]
        manager = extents.get(0) or Extent(self._volume.eeprom.memory, 0, 0, 0, 0)
        self._card_manager(manager)
        for code in self._applets:
            if code and code in extents:
                self._environment(code, extents[code], manager)
        damaged = self._volume.recovery.damaged
        if damaged is not None and damaged & ~BOOTSTRAP in self.domains:
            owner = self.domains[damaged & ~BOOTSTRAP]
            owner.damaged = True
            owner.refresh_restriction()

    def _card_manager(self, extent: Extent) -> None:
        page = self._volume.superblock.card_page
        powers = Bootstrap(None, page, frozenset((page,)))
        domain = self._domain(0, extent, self._card_manager_ranges(), 0, powers)
        domain.chip = self._chip
        self._chip.store = domain.store
        if self._volume.card_state() is None:
            domain.damaged = True
            domain.refresh_restriction()

    def _environment(self, code: int, extent: Extent, manager: Extent) -> None:
        header = extent.header
        if header is not None and header.state == DomainState.CREATED:
            page = self._volume.superblock.card_page
            powers = Bootstrap(manager, page, manager.secret_pages | {page})
            ranges = [extent.page_range, *self._card_manager_ranges()]
            domain = self._domain(code, extent, ranges, BOOTSTRAP | code, powers)
        else:
            domain = self._domain(code, extent, [extent.page_range], code, None)
        if domain.options["card_block_scope"] == "card":
            domain.lock_card = self._lock_card

    def _lock_card(self) -> None:
        """Write card LCS 7F in a transaction of the kernel's own (cos 3.5)."""
        state = self._volume.card_state()
        if state is None:
            raise Refusal(SW.MEMORY_FAILURE, "the card-state page is damaged", "cos 3.5")
        self._chip.write_card_state(state._replace(life_cycle=CardLifeCycle.LOCKED))
        self.domains[0].commit()

    def _domain(
        self, code: int, extent: Extent, ranges: list[range], tag: int, powers: Bootstrap | None
    ) -> Domain:
        """Return the domain of an extent, confined to `ranges`: a new one, or the one known."""
        volume = self._volume
        domain = self.domains.get(code)
        if domain is None:
            domain = self.domains[code] = Domain(
                code=code,
                extent=extent,
                store=Store(volume.eeprom, volume.journal, ranges, tag, (code, self._details)),
                rng=self._generator(code),
                crypto=self._crypto,
                applet=self._applets[code],
                options=volume.options,
                facts=self._facts,
                bootstrap=powers,
            )
        else:
            domain.store.allow(ranges, tag)
            domain.adopt(extent, powers)
        domain.refresh_restriction()
        return domain

    def _generator(self, code: int) -> Drbg:
        """Return a domain's generator: one an activation, even if ERASE drops the domain."""
        known = self._generators.get(code)
        if known is None:
            serial = self._volume.chip.serial
            known = self._generators[code] = Drbg(self._env, serial, code, self._details)
        return known

    def _card_manager_ranges(self) -> list[range]:
        block = self._volume.superblock
        ranges = [
            range(block.card_page, block.card_page + 1),
            range(block.extent_page, block.extent_page + 1),
        ]
        manager = self._volume.extents.get(0)
        return ranges if manager is None else [manager.page_range, *ranges]


def _facts(volume: Volume, chip: Chip) -> CardFacts:
    """Return what every domain may ask about the card."""
    flags = volume.superblock.flags
    return CardFacts(
        chip_serial=volume.chip.serial,
        card_serial=Atr.parse(volume.answer_to_reset).historical[-4:].rjust(4, b"\0"),
        cos_id=volume.chip.cos_id,
        eeprom_size=volume.superblock.size,
        test_card=bool(flags & SuperblockFlag.TEST),
        plain_keys=bool(flags & SuperblockFlag.PLAIN_KEYS),
        card_lcs=chip.card_lcs,
        unallocated=chip.unallocated,
        states=chip.states,
        name_exists=chip.name_exists,
    )
