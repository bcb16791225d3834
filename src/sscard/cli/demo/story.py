"""The demo from the beginning to the end, chapter by chapter."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sscard.card import Card
from sscard.cli.demo import debit, making, social
from sscard.cli.demo.client import Client
from sscard.cli.demo.report import Chapter
from sscard.cli.demo.world import Psam
from sscard.inspect import fsck
from sscard.inspect.names import domain_name
from sscard.perso.profile import Profile
from sscard.sample import blank_card, sample_card

__all__ = ["Story", "tell"]

PROFILE = "sample"


class Story:
    """The demo's card and what happened to it; `on_chapter` hears of each chapter at its end."""

    def __init__(self, card: Card, profile: Profile, on_chapter: Callable[[Chapter], None]) -> None:
        self.card = card
        self.profile = profile
        self.chapters: list[Chapter] = []
        self._on_chapter = on_chapter

    @contextmanager
    def chapter(self, client: Client, title: str, lead: str) -> Iterator[Chapter]:
        """Measure a chapter; it is told when it ends well."""
        chapter = Chapter(title, lead)
        sent, clock, operations = client.sent, self.card.env.clock_us, self.card.eeprom.ops
        yield chapter
        chapter.commands = client.sent - sent
        chapter.elapsed_us = self.card.env.clock_us - clock
        chapter.operations = self.card.eeprom.ops - operations
        self.chapters.append(chapter)
        self._on_chapter(chapter)

    def to_json(self) -> dict[str, Any]:
        """Return the whole story as plain data."""
        return {
            "profile": self.profile.name,
            "atr": self.card.atr.hex().upper(),
            "chapters": [chapter.to_json() for chapter in self.chapters],
            "commands": sum(chapter.commands for chapter in self.chapters),
            "virtual_us": self.card.env.clock_us,
            "eeprom_operations": self.card.eeprom.ops,
            "most_worn_page_erases": max(self.card.env.wear, default=0),
            "fsck": [finding.to_json() for finding in fsck(self.card.image)],
        }


def tell(*, fast: bool = False, on_chapter: Callable[[Chapter], None] = lambda _: None) -> Story:
    """Run the demo. `fast` begins with the finished sample card.

    Deterministic: the same bytes every time. Raises UnexpectedAnswer when the card does
    anything else than it should.
    """
    profile = Profile.load(PROFILE)
    card = sample_card() if fast else blank_card(profile)
    story = Story(card, profile, on_chapter)
    if not fast:
        _make(story)
    _use(story)
    return story


def _make(story: Story) -> None:
    activation = story.card.power_on()
    client = Client(activation.transmit)
    with story.chapter(client, "A blank chip", "Straight from its maker.") as chapter:
        making.blank_chip(client, chapter)
    lead = "The transport key lets the card master key (CMK) in, and that creates two environments."
    with story.chapter(client, "The card maker", lead) as chapter:
        making.initialise(client, chapter, story.profile)
    lead = "Each environment gets its own master key, and with it the CMK loses all power there."
    with story.chapter(client, "The hand-over", lead) as chapter:
        making.hand_over(client, chapter, story.profile)
    for ddf in story.profile.environments:
        title = f"The owner of the {domain_name(ddf.domain)}"
        lead = "Replaces the first key by his own, makes keys and files, fills and closes them."
        with story.chapter(client, title, lead) as chapter:
            making.personalise(client, chapter, ddf)
    activation.power_off()


def _use(story: Story) -> None:
    activation = story.card.power_on(link="t0")
    client = Client(activation.transmit)
    psam = Psam(story.profile.region, activation.atr[-8:])
    lead = "Read by record number and by tag, the person is fictional."
    with story.chapter(client, "A social security terminal reads", lead) as chapter:
        social.read(client, chapter)
    lead = "The card is genuine, and its holder is there."
    with story.chapter(client, "Card and holder prove themselves", lead) as chapter:
        social.authenticate(client, chapter, psam)
    lead = "The same update, without and with the right."
    with story.chapter(client, "The terminal proves itself", lead) as chapter:
        social.update(client, chapter, psam)
    lead = "One online transaction; terminal and bank compute their side from keys alone."
    with story.chapter(client, "A debit of the bank", lead) as chapter:
        debit.pay(client, chapter)
    activation.power_off()
