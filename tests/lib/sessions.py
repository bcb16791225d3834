"""Sessions worth recording: a visit at a counter and a payment, at an emulated card."""

from datetime import date, datetime

from sscard.card import Card
from sscard.cli.demo.host import bank_keys, demo_host
from sscard.inspect.trace import CardRecorder, Recorder, Trace
from sscard.perso.roots import demo_vault
from sscard.perso.rsa_files import rsa_file
from sscard.terminal import Policy, SocialTerminal, VaultSource
from sscard.terminal.bank import POS, BankTerminal, KeyedPad, VaultPinKey
from sscard.transport import MemoryPort, PoweredSlot

AT = datetime(2026, 7, 1, 10, 30, 45)


def port(card, link="t0"):
    return MemoryPort(PoweredSlot(card, link=link, atr=card.atr))


def pay(at):
    """A payment that the bank approves on line."""
    bank = demo_host(day=AT.date())
    pin_key = VaultPinKey(bank_keys(), POS.identifier)
    keys = (rsa_file("ca-80").ca,)
    with BankTerminal(
        at, POS, keys, host=bank, pad=KeyedPad.of("123456"), online_pin=pin_key
    ) as desk:
        assert desk.pay(12345, AT).verdict == "APPROVED online"


def visit(at, *, write=True):
    """A visit at the counter: checks, holder data, PIN, files behind rights, an update."""
    policy = Policy(today=date(2026, 7, 1), regions={"999901"})
    desk = SocialTerminal(at, VaultSource(demo_vault()), policy, region="999901")
    desk.accept()
    assert desk.holder().name == "张测试"
    desk.verify_pin("123456")
    desk.read("DF01/EF06")
    desk.read("DF04/EF06")
    desk.read("SSSE/EF08")
    if write:
        desk.update("SSSE/EF05", {0x05: date(2026, 7, 1)})


def recorded(card: Card, *sessions, show_secrets=True, link="t0") -> Trace:
    """The trace of sessions with a card, each from its own power-on."""
    recorder = Recorder("card", show_secrets=show_secrets)
    with CardRecorder(card, recorder):
        for session in sessions:
            with port(card, link) as at:
                session(at)
    return recorder.trace
