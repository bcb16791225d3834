"""From a profile's tables to values: chip, domains, keys, files (the schema, docs/profiles.md).

Each function reads one kind of table and refuses what it does not know. Only `perso.profile`
imports this.
"""

from sscard.errors import ProfileError
from sscard.perso.edition import require_2010
from sscard.perso.model import Chip, Directory, TransportKey
from sscard.perso.oda import with_oda
from sscard.perso.parse_files import dgi, file
from sscard.perso.parse_keys import CHANNEL_KEYS, channel, master_key, pin, plain_key
from sscard.perso.place import Identity, Place, access, fid
from sscard.perso.table import REQUIRED, Table
from sscard.spec.codes import ALGORITHMS, KEY_TYPES, SUITE_SM4, SUITE_TDES
from sscard.spec.options import OPTIONS

__all__ = ["chip", "directory", "options", "transport_key"]


def chip(table: Table) -> Chip:
    """Read [chip]."""
    sizes = {str(kib * 1024): kib * 1024 for kib in (32, 64, 80, 96, 128)}
    made = Chip(
        size=table.choice("size", sizes),
        uuid=table.hex_bytes("uuid", 16),
        generation=table.number("generation", 0, 0xFFFFFFFF),
        test=table.flag("test"),
        plain_keys=table.flag("plain_keys"),
        ic_id=table.hex_number("ic_id", 4),
        ic_type=table.hex_number("ic_type", 4),
        serial=table.hex_bytes("serial", 8),
        fab_date=table.hex_bytes("fab_date", 4),
        cos_id=table.hex_bytes("cos_id", 3),
    )
    table.finish()
    return made


def transport_key(table: Table) -> TransportKey:
    """Read [transport_key]."""
    public = {word: code for word, code in ALGORITHMS.items() if word != "ssf33"}
    algorithm = table.choice("algorithm", public)
    made = TransportKey(algorithm, table.number("tries", 1, 15), table.secret("value", 16))
    table.finish()
    return made


def options(table: Table) -> tuple[tuple[str, str], ...]:
    """Read [options]: (name, value) of those that differ from their default, in table order."""
    chosen = []
    for option in OPTIONS:
        if option.name in table and isinstance(table.value(option.name), bool):
            value = "on" if table.flag(option.name) else "off"
            if value not in option.values:
                table.wrong(option.name, f"one of {', '.join(option.values)}")
        else:
            values = {value: value for value in option.values}
            value = table.choice(option.name, values, option.values[0])
        if value != option.values[0]:
            chosen.append((option.name, value))
    table.finish()
    return tuple(chosen)


def directory(
    table: Table, identity: Identity, file_id: int, domain: int, *, df_name: bytes | None = None
) -> Directory:
    """Read [cm], [ssse] or [pse] with everything below it; `df_name` is its default name."""
    suites = {"3des": SUITE_TDES, "sm4": SUITE_SM4}
    suite = 0
    for word in table.texts("suite", ("3des", "sm4")):
        if word not in suites:
            table.wrong("suite", f"some of {', '.join(suites)}")
        suite |= suites[word]
    place = Place(identity, domain, True, "3des", suite, "", "00")
    made = _directory(table, place, f"{file_id:04X}", file_id, df_name)
    _check_protection(table, made, made)
    for below in made.directories:
        _check_protection(table.table("df").table(below.name), made, below)
    return made


def _check_protection(table: Table, environment: Directory, here: Directory) -> None:
    """Refuse a file whose line protection no key could give: here or in the environment."""
    for ef in here.files:
        for word, sm in (("sm_read", ef.sm_read), ("sm_update", ef.sm_update)):
            if not sm:
                continue
            where = f"{table.where('ef')}.{ef.name}.{word}"
            key = here.line_key(sm) or environment.line_key(sm)
            if key is None:
                raise ProfileError(
                    f"{where} needs an STK whose id ends in {sm & 0x0F:X},"
                    " in this directory or in its environment"
                )
            filled = word == "sm_update" and (ef.records or ef.content)
            if filled and key.algorithm == ALGORITHMS["ssf33"]:
                raise ProfileError(f"{where}: nobody can write the file's contents with SSF33")


def _directory(
    table: Table, place: Place, name: str, file_id: int, df_name: bytes | None
) -> Directory:
    algorithm = table.text("algorithm", place.algorithm)
    if algorithm not in ALGORITHMS:
        table.wrong("algorithm", f"one of {', '.join(ALGORITHMS)}")
    place = place._replace(
        algorithm=algorithm, pan=table.text("pan", place.pan), psn=table.text("psn", place.psn)
    )
    master = master_key(table, "master", place)
    transport = master_key(table, "transport", place)
    keys = tuple(plain_key(key, inner, place) for key, inner in table.tables("key").items())
    holder = pin(table.table("pin"), place) if "pin" in table else None
    given = table.table("dgi")
    dgis = tuple(dgi(given, word) for word in given.names() if given.value(word) is not False)
    require_2010(table, keys, dgis)
    if "oda" in table:
        dgis = with_oda(table.table("oda"), dgis)
    used = (master is not None) + len(keys) + (holder is not None)
    used += CHANNEL_KEYS if "channel" in table else 0
    irk = next((key for key in keys if key.type == KEY_TYPES["internal"] and not key.id), None)
    place = place._replace(irk=irk)
    # The DGIs of a file's SFI say how much room its records need.
    opening = channel(table.table("channel"), place) if "channel" in table else None
    files = tuple(file(f, inner, place, dgis) for f, inner in table.tables("ef").items())
    below = place._replace(environment=False)
    made = Directory(
        name=name,
        fid=file_id,
        df_name=_df_name(table, df_name),
        domain=place.domain,
        suite=place.suite,
        quota=table.number("quota", 0, 0xFFFFFF, REQUIRED if place.environment else 0),
        dir_sfi=table.number("dir_sfi", 0, 30, 0) if place.environment else 0,
        create=access(table, "create", place, "MK"),
        delete=access(table, "delete", place, "MK"),
        admin=access(table, "admin", place, "MK"),
        key_add=access(table, "key_add", place, "MK"),
        key_slots=table.number("key_slots", used, 64, used),
        transport=transport,
        master=master,
        keys=keys,
        pin=holder,
        files=files,
        dgis=dgis,
        directories=tuple(
            _directory(inner, below, word, fid(inner.path, word), None)
            for word, inner in table.tables("df").items()
        ),
        channel=opening,
    )
    table.finish()
    _check(table, made)
    return made


def _df_name(table: Table, default: bytes | None) -> bytes:
    """Return the DF name, hex under `aid` or text under `name`; GBK, 5 to 16 bytes."""
    if "aid" in table:
        df_name = table.hex_bytes("aid")
    elif default is None or "name" in table:
        df_name = table.text("name").encode("gb18030")
    else:
        df_name = default
    table.value("name")
    if not 5 <= len(df_name) <= 16:
        table.wrong("aid" if "aid" in table else "name", "5 to 16 bytes long")
    return df_name


def _check(table: Table, made: Directory) -> None:
    """Refuse what no card could store: doubled identifiers, keys of one kind, broken quotas."""
    fids = [ef.fid for ef in made.files] + [below.fid for below in made.directories]
    doubled = {fid for fid in fids if fids.count(fid) > 1}
    if doubled:
        raise ProfileError(f"{table.path}: FID {min(doubled):04X} stands for two files")
    seen = [(key.type, key.id, key.version) for key in made.keys]
    for key, reference in zip(made.keys, seen, strict=True):
        if seen.count(reference) > 1:
            raise ProfileError(f"{table.where('key')}.{key.name}: type, id and version occur twice")
    for below in made.directories:
        if below.quota and below.contents_size > below.quota:
            raise ProfileError(
                f"{table.where('df')}.{below.name}.quota = {below.quota}:"
                f" must be at least {below.contents_size}, the size of its contents"
            )
