"""`sscard cert`: keys and certificates of offline data authentication (pse-pboc 4.9).

Everything here is for test cards: private keys lie in plain files.
"""

import re
from collections.abc import Callable
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sscard.cli.counter import ImageOption, ReaderOption, card_port
from sscard.cli.exits import ExitCode
from sscard.cli.output import hex_text, note, stdout, table, write_json
from sscard.cli.settings import JsonOption, LinkOption, hex_bytes, link_of, refuse_existing

if TYPE_CHECKING:
    from sscard.inspect.certificates import CardData, Chain
    from sscard.keys.certificates import Certificate
    from sscard.keys.rsa import RsaKey
    from sscard.perso.rsa_files import RsaFile
    from sscard.spec.ca_keys import CaKey
    from sscard.terminal.stack import Channel

__all__ = ["app", "ca_keys_named"]

app = typer.Typer(
    no_args_is_help=True,
    help="Make test keys and certificates, list CA keys, show the certificates of a card.",
    epilog="KEY is a shipped test key (sscard cert keys) or a file made by sscard cert key.",
)

_FCI_TEMPLATES = (0x6F, 0xA5)
_PDOL = 0x9F38

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace an existing file.")]
ExpiryOption = Annotated[str, typer.Option("--expiry", metavar="MMYY", help="Last month.")]
SerialOption = Annotated[str, typer.Option("--serial", metavar="HEX", help="3 bytes.")]


@app.command("keys")
def list_keys(*, json: JsonOption = False) -> None:
    """List the shipped test keys. Everybody has their private halves."""
    from sscard.perso.rsa_files import rsa_file, rsa_file_names

    rows = [(name, rsa_file(name)) for name in rsa_file_names()]
    if json:
        write_json(
            [
                {
                    "name": name,
                    "title": file.title,
                    "bits": file.key.modulus.bit_length(),
                    "exponent": file.key.public.exponent.hex(),
                }
                for name, file in rows
            ]
        )
        return
    stdout().print(table(("key", "what it is"), [(name, file.title) for name, file in rows]))


@app.command("key")
def make_key(
    file: FileArgument,
    bits: Annotated[int, typer.Option("--bits", help="512 to 1984, in whole bytes.")] = 1024,
    exponent: Annotated[int, typer.Option("--exponent", metavar="3|65537")] = 3,
    seed: Annotated[
        str | None,
        typer.Option("--seed", metavar="TEXT", help="The same key for the same text, always."),
    ] = None,
    ca_index: Annotated[
        str | None,
        typer.Option("--ca-index", metavar="HEX", help="It is a CA key: its index, tag 8F."),
    ] = None,
    expiry: Annotated[
        str | None, typer.Option("--expiry", metavar="DATE", help="Of a CA key: 2030-12-31.")
    ] = None,
    title: Annotated[str, typer.Option("--title", metavar="TEXT")] = "",
    *,
    force: ForceOption = False,
) -> None:
    """Make a test key of a CA, an issuer or a card; its private half is in the file, too."""
    import secrets

    from sscard.keys.making import LIBRARY_LEAST, from_seed, generate
    from sscard.perso.rsa_files import RsaFile, build_rsa_file

    refuse_existing(file, force=force)
    material = secrets.token_bytes(48) if seed is None else seed.encode()
    try:
        if seed is None and bits >= LIBRARY_LEAST:
            key = generate(bits, exponent)
        else:
            key = from_seed(bits, exponent, material)
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong)) from None
    kind = "Test key" if ca_index is None else "Test CA"
    made = RsaFile(title or f"{kind}, {bits} bits", key, _ca_key(key, ca_index, expiry))
    file.write_text(build_rsa_file(made), "utf-8")
    stdout().print(f"{file}: {made.title}")


def _ca_key(key: "RsaKey", index: str | None, expiry: str | None) -> "CaKey | None":
    from sscard.spec.ca_keys import CaKey
    from sscard.spec.pboc import RID

    if index is None:
        return None
    number = hex_bytes(index, "--ca-index")
    if len(number) != 1:
        raise typer.BadParameter("one byte in hex", param_hint="--ca-index")
    try:
        last = None if expiry is None else date.fromisoformat(expiry)
    except ValueError:
        raise typer.BadParameter(f"{expiry!r} is no date", param_hint="--expiry") from None
    return CaKey(RID, number[0], key.modulus, key.public.e, last)


@app.command("list")
def write_list(
    file: FileArgument,
    keys: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY...", help="CA keys; default the shipped ones."),
    ] = None,
    *,
    force: ForceOption = False,
) -> None:
    """Write the list of CA keys that a terminal reads; public halves only."""
    from sscard.spec.ca_keys import build_ca_keys

    refuse_existing(file, force=force)
    chosen = ca_keys_named(keys)
    file.write_text(build_ca_keys(chosen, "CA keys for tests"), "utf-8")
    stdout().print(f"{file}: {', '.join(key.name for key in chosen)}")


def ca_keys_named(names: list[str] | None = None) -> list["CaKey"]:
    """Return CA keys by the names of their files, or all shipped ones. Errors: usage errors."""
    from sscard.perso.rsa_files import rsa_file, rsa_file_names

    found = []
    for name in names or rsa_file_names():
        file = rsa_file(name)
        if file.ca is not None:
            found.append(file.ca)
        elif names:
            raise typer.BadParameter(f"{name} is no CA key: it has no [ca] table")
    return found


@app.command("issuer")
def certify_issuer(
    ca: Annotated[str, typer.Option("--ca", metavar="KEY", help="Who signs.")] = "ca-80",
    issuer: Annotated[str, typer.Option("--issuer", metavar="KEY", help="Whom.")] = "issuer",
    identifier: Annotated[
        str, typer.Option("--id", metavar="DIGITS", help="3 to 8 leftmost digits of its PANs.")
    ] = "621095",
    expiry: ExpiryOption = "1230",
    serial: SerialOption = "000001",
    *,
    json: JsonOption = False,
) -> None:
    """Certify an issuer's key: tags 8F, 90, 92, 9F32."""
    from sscard.keys.certificates import issuer_certificate

    signer = _file(ca)
    made = _certified(
        lambda: issuer_certificate(
            signer.key,
            _file(issuer).key.public,
            identifier=_digits(identifier, 3, 8, "--id"),
            expiry=_month(expiry),
            serial=hex_bytes(serial, "--serial"),
        )
    )
    index = bytes((0x80 if signer.ca is None else signer.ca.index,))
    _show_objects({0x8F: index} | _tagged(made, (0x90, 0x92, 0x9F32)), json=json)


@app.command("icc")
def certify_card(
    issuer: Annotated[str, typer.Option("--issuer", metavar="KEY", help="Who signs.")] = "issuer",
    icc: Annotated[str, typer.Option("--icc", metavar="KEY", help="Whom.")] = "icc",
    pan: Annotated[str, typer.Option("--pan", metavar="DIGITS")] = "6210950000000000017",
    expiry: ExpiryOption = "1230",
    serial: SerialOption = "000002",
    static: Annotated[
        str, typer.Option("--static", metavar="HEX", help="Static data to be authenticated.")
    ] = "",
    *,
    for_pin: Annotated[
        bool, typer.Option("--for-pin", help="Of a key that enciphers PINs: 9F2D, 9F2F, 9F2E.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Certify a card's key: tags 9F46, 9F48, 9F47.

    A card of a profile gets its certificates by itself: the table oda (docs/certificates.md).
    """
    from sscard.keys.certificates import icc_certificate, pin_certificate

    signer, key = _file(issuer).key, _file(icc).key.public
    subject, data = _digits(pan, 12, 19, "--pan"), hex_bytes(static, "--static")
    until, number = _month(expiry), hex_bytes(serial, "--serial")
    if for_pin:
        made = _certified(
            lambda: pin_certificate(signer, key, pan=subject, expiry=until, serial=number)
        )
        _show_objects(_tagged(made, (0x9F2D, 0x9F2F, 0x9F2E)), json=json)
        return
    made = _certified(
        lambda: icc_certificate(
            signer, key, pan=subject, expiry=until, serial=number, static_data=data
        )
    )
    _show_objects(_tagged(made, (0x9F46, 0x9F48, 0x9F47)), json=json)


def _file(name: str) -> "RsaFile":
    from sscard.perso.rsa_files import rsa_file

    return rsa_file(name)


def _digits(text: str, least: int, most: int, hint: str) -> bytes:
    """Return `least` to `most` digits as cn, filled up to `most`."""
    from sscard.iso.text import cn

    if not (text.isascii() and text.isdigit() and least <= len(text) <= most):
        raise typer.BadParameter(f"{least} to {most} digits", param_hint=hint)
    return cn(text, most + 1 >> 1)


def _month(text: str) -> bytes:
    if not re.fullmatch(r"(0[1-9]|1[0-2])[0-9]{2}", text):
        raise typer.BadParameter(f"{text!r} is no month MMYY", param_hint="--expiry")
    return bytes.fromhex(text)


def _certified(make: Callable[[], "Certificate"]) -> "Certificate":
    try:
        return make()
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong)) from None


def _tagged(made: "Certificate", tags: tuple[int, int, int]) -> dict[int, bytes]:
    return {tag: value for tag, value in zip(tags, made, strict=True) if value}


def _show_objects(objects: dict[int, bytes], *, json: bool) -> None:
    rows = {f"{tag:02X}": hex_text(value) for tag, value in objects.items()}
    if json:
        write_json(rows)
    else:
        for tag, value in rows.items():
            stdout().print(f"{tag} {value}")


@app.command("open")
def open_certificate(
    certificate: Annotated[str, typer.Argument(metavar="HEX", help="Tag 90, 93, 9F46 or 9F4B.")],
    key: Annotated[str, typer.Option("--key", metavar="KEY", help="Who signed it.")],
    appended: Annotated[
        str | None,
        typer.Option(
            "--appended",
            metavar="HEX",
            help="What the hash covers outside: remainder, exponent, static data, DDOL data.",
        ),
    ] = None,
    *,
    json: JsonOption = False,
) -> None:
    """Recover one certificate or signature with a key and say what is in it."""
    from sscard.inspect.certificates import explain_block

    public = _file(key).key.public
    try:
        block = public.recover(hex_bytes(certificate, "HEX"))
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong)) from None
    outside = None if appended is None else hex_bytes(appended, "--appended")
    _show(explain_block(block, outside), reveal=True, json=json)


@app.command("show")
def show_card(
    image: ImageOption = None,
    reader: ReaderOption = None,
    ca_keys: Annotated[
        Path | None,
        typer.Option("--ca-keys", metavar="FILE", help="A list of CA keys; default the shipped."),
    ] = None,
    aid: Annotated[str, typer.Option("--aid", metavar="HEX")] = "A000000333010101",
    link: LinkOption = "apdu",
    *,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show the PAN.")] = False,
    json: JsonOption = False,
) -> None:
    """Read the certificates of a card and check them from the CA key on.

    GET PROCESSING OPTIONS counts a transaction on a card in a reader; an image file stays as it
    is. Exit code 1 when something does not hold.
    """
    from sscard.inspect.certificates import explain_chain
    from sscard.spec.ca_keys import parse_ca_keys
    from sscard.terminal.stack import channel

    if (image is None) == (reader is None):
        raise typer.BadParameter("exactly one of --image FILE and --reader NAME says which card")
    keys = ca_keys_named() if ca_keys is None else parse_ca_keys(ca_keys.read_text("utf-8"))
    with ExitStack() as stack:
        port = card_port(stack, image, reader, link_of(link), save=False)
        data = _read(channel(port), hex_bytes(aid, "--aid"))
    _show(explain_chain(data, keys), reveal=reveal, json=json)


def _read(card: "Channel", aid: bytes) -> "CardData":
    """SELECT, GET PROCESSING OPTIONS with zeros for a PDOL, READ RECORD along the AFL."""
    from sscard.inspect.certificates import CardData
    from sscard.iso import tlv
    from sscard.iso.apdu import Command
    from sscard.iso.sw import SW

    fci = card.send(Command(0x00, 0xA4, 0x04, 0x00, aid, 256), SW.OK, SW.FILE_INVALIDATED)
    for template in _FCI_TEMPLATES:
        fci = tlv.find(fci, template) or b""
    wanted = sum(length for _, length in tlv.parse_dol(tlv.find(fci, _PDOL) or b""))
    options = card.send(Command(0x80, 0xA8, 0, 0, tlv.encode(0x83, bytes(wanted)), 256))
    values = tlv.find(options, 0x80)
    if values is None:
        held = dict(tlv.parse(tlv.find(options, 0x77) or b""))
        values = held.get(0x82, b"") + held.get(0x94, b"")
    aip, afl = values[:2], values[2:]
    records = {}
    for at in range(0, len(afl) - 3, 4):
        sfi, first, last = afl[at] >> 3, afl[at + 1], afl[at + 2]
        for number in range(first, last + 1):
            command = Command(0x00, 0xB2, number, sfi << 3 | 4, le=256)
            reply = card.exchange(command)
            if reply.sw == SW.OK:
                records[sfi, number] = reply.data
            else:
                note(f"record {number} of SFI {sfi:02X}: {reply.sw} {reply.sw.meaning}")
    return CardData(aid[:5], aip, afl, records)


def _show(chain: "Chain", *, reveal: bool, json: bool) -> None:
    from sscard.inspect.explanation import masked

    tree = chain.tree if reveal else masked(chain.tree)
    if json:
        write_json({**tree.to_json(), "sound": chain.sound})
    else:
        stdout().print(str(tree))
    if not chain.sound:
        raise typer.Exit(ExitCode.NO)
