"""The secure channel of personalisation: INITIALIZE UPDATE, EXTERNAL AUTHENTICATE (pse-pboc 9.1).

The channel is one way into STORE DATA, the owner's proof is the other
(`sscard.apps.pse.personalise`). It is RAM: a SELECT, a wrong MAC or the power ends it.
"""

from dataclasses import replace
from functools import partial

from sscard.apps.pse.application import DATA_FILE, Application
from sscard.apps.pse.files import write_file
from sscard.apps.pse.transaction import Channel, Greeting, Idle
from sscard.cos.commands import CommandTable
from sscard.cos.domain import Domain
from sscard.cos.layout import DomainState
from sscard.cos.objects import KeyType
from sscard.cos.refusal import Refusal
from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.keys import Algorithm, cps
from sscard.keys.cps import ChannelKeys
from sscard.keys.mac import ZERO8

__all__ = ["CHANNEL", "MAC_LENGTH", "opened"]

CHANNEL = CommandTable("PSE personalisation channel")

MAC_LENGTH = 8
_REF = "pse-pboc 9.1"
_LEVELS = NO_PROTECTION, C_MAC, C_ENC = 0x00, 0x01, 0x03
_SCP = 0x02
_CARD_RANDOM = 6
_CHANNELS_MOST = 0xFFFE
_IDENTIFIER_LENGTH = 6
_KEYS = (KeyType.KENC, KeyType.KMAC, KeyType.KDEK)


@CHANNEL.command(0x80, 0x50, "INITIALIZE UPDATE", p1=None, lc=(8,), ref=_REF)
def initialize_update(domain: Domain, command: Command) -> bytes:
    """Answer KEYDATA, KMC version, 02, sequence counter, card random, card cryptogram: 28 bytes.

    P1 names the KMC version, 00 means the first there is. What STORE DATA had begun is dropped.
    Refuses: 6D00 unless OWNED, 6985 once personalised, 6A88 without keys or EF90.
    """
    _require_owned(domain, SW.INS_UNKNOWN)
    card = Application(domain)
    _require_unfinished(card)
    identifier, version, keys = _card_keys(domain, command.p1)
    card.file(DATA_FILE)
    sequence = card.body.channels + 1
    if sequence > _CHANNELS_MOST:
        raise Refusal(SW.CONDITIONS, "the sequence counter is used up", _REF)
    drawn = domain.rng.take(_CARD_RANDOM)
    session = cps.session_keys(keys, sequence)
    domain.crypto.charge(Algorithm.TDES, 3 * 16 + 24)
    cryptogram = cps.card_cryptogram(session, command.data, sequence, drawn)
    domain.session.app = Idle(channel=Greeting(session, command.data, sequence, drawn))
    key_data = identifier + domain.facts.card_serial
    return key_data + bytes((version, _SCP)) + sequence.to_bytes(2, "big") + drawn + cryptogram


@CHANNEL.command(
    0x84,
    0x82,
    "EXTERNAL AUTHENTICATE (secure channel)",
    p1=_LEVELS,
    lc=(2 * MAC_LENGTH,),
    ref=_REF,
)
def authenticate_host(domain: Domain, command: Command) -> bytes:
    """Check the host's cryptogram, then the C-MAC; open the channel at the level of P1.

    A failure ends the attempt: INITIALIZE UPDATE comes again. Refuses: 6E00 unless OWNED, 6985
    without INITIALIZE UPDATE, 6300 for the cryptogram, then the C-MAC.
    """
    _require_owned(domain, SW.CLA_UNKNOWN)
    card = Application(domain)
    _require_unfinished(card)
    greeting = domain.session.app.channel if isinstance(domain.session.app, Idle) else None
    if not isinstance(greeting, Greeting):
        raise Refusal(SW.CONDITIONS, "INITIALIZE UPDATE comes first", _REF)
    domain.session.app = Idle()
    cryptogram, mac = command.data[:MAC_LENGTH], command.data[MAC_LENGTH:]
    keys, crypto = greeting.keys, domain.crypto
    expected = cps.host_cryptogram(
        keys, greeting.host_random, greeting.sequence, greeting.card_random
    )
    crypto.charge(Algorithm.TDES, 24)
    if not crypto.same(expected, cryptogram):
        raise Refusal(SW.AUTHENTICATION_FAILED, "the host cryptogram is wrong", _REF)
    message = bytes((*command[:4], len(command.data))) + cryptogram
    crypto.charge_retail_mac(len(message))
    if not crypto.same(cps.c_mac(keys, ZERO8, message), mac):
        raise _wrong_mac(domain)
    write_file(card, DATA_FILE, card.body._replace(channels=greeting.sequence).build())
    state = Idle(channel=Channel(keys, command.p1, mac))
    domain.after_commit(partial(setattr, domain.session, "app", state))
    return b""


def opened(domain: Domain, command: Command, state: Idle, channel: Channel) -> bytes:
    """Return the plain data of a command in the channel, its C-MAC checked.

    The chain goes on from a right MAC whatever the command then answers; a wrong one ends the
    channel. Interpretation: at level 03 the MAC is that of the plain command, as in SCP02.
    Refuses: 6982 a class that does not fit the level, else as `cps_mac_error` says.
    """
    protected = bool(command.cla & 0x04)
    if protected is not bool(channel.level & C_MAC):
        raise Refusal(SW.SECURITY_STATUS, "the channel's level wants the other class", _REF)
    if not protected:
        return command.data
    domain.session.app = Idle()
    body, mac = command.data[:-MAC_LENGTH], command.data[-MAC_LENGTH:]
    if channel.level == C_ENC:
        domain.crypto.charge(Algorithm.TDES, len(body))
        try:
            body = cps.decipher_command(channel.keys, body)
        except ValueError:
            raise _wrong_mac(domain) from None
    icv = channel.last_mac
    if domain.options["icv_encryption"] == "on":
        icv = cps.encrypt_icv(channel.keys, icv)
    message = bytes((*command[:4], len(body) + MAC_LENGTH)) + body
    domain.crypto.charge_retail_mac(len(message))
    if not domain.crypto.same(cps.c_mac(channel.keys, icv, message), mac):
        raise _wrong_mac(domain)
    domain.session.app = replace(state, channel=replace(channel, last_mac=mac))
    return body


def _wrong_mac(domain: Domain) -> Refusal:
    wrong = domain.options["cps_mac_error"] == "6988"
    return Refusal(SW.SM_WRONG if wrong else SW.SECURITY_STATUS, "the C-MAC is wrong", _REF)


def _require_owned(domain: Domain, sw: SW) -> None:
    if domain.state != DomainState.OWNED:
        raise Refusal(sw, "the channel exists while the environment is OWNED", "pse-pboc 9")


def _require_unfinished(card: Application) -> None:
    if card.body.personalised:
        raise Refusal(SW.CONDITIONS, "the application is personalised", "pse-pboc 9.2")


def _card_keys(domain: Domain, version: int) -> tuple[bytes, int, ChannelKeys]:
    """Return KMC identifier, version and KENC, KMAC, KDEK: of the application, else the PSE."""
    here = domain.session.directory
    while here is not None:
        for enc in domain.keys.records(here):
            if enc.type != KeyType.KENC or version not in (0, enc.id):
                continue
            found = [domain.keys.find(here, kind, enc.id) for kind in _KEYS]
            data = domain.keys.find(here, KeyType.KMC_DATA, enc.id)
            keys = [
                key.value for key in found if key is not None and key.algorithm == Algorithm.TDES
            ]
            if data is not None and len(keys) == len(_KEYS):
                return data.value[:_IDENTIFIER_LENGTH], enc.id, ChannelKeys(*keys)
        here = here.parent
    raise Refusal(SW.DATA_NOT_FOUND, "there are no keys for a secure channel", "pse-pboc 9")
