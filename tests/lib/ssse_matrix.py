"""A card's files as typed from the reference, and what it takes to try them on a desk.

A table has a line for a directory (name, AID or `-`, KIDs of its authentication keys) and below
it one for each file: FID, kind, read condition, update key or `-`, then its contents: of a `tlv`
file the records as "tag type length" with B-TLV in braces and their length behind; of a `cyc`
file number and length of its records; of a `bin` file its size. Numbers are hexadecimal, but for
that of records.
"""

import re

FILL = {"an": "00", "cn": "FF", "b": "00", "dec": "00"}


class File:
    """One line of the table: `records` are (tag, length, fill) of a TLV file."""

    def __init__(self, place, line):
        self.place = place
        self.fid, self.kind, self.read, update, self.text = line.split(None, 4)
        self.update = None if update == "-" else int(update, 16)
        self.sfi = int(self.fid[-2:], 16)
        self.records = list(_records(self.text)) if self.kind == "tlv" else []
        if self.kind == "cyc":
            count, length = self.text.split()
            self.count, self.length = int(count), int(length, 16)
        elif self.kind == "bin":
            self.length = int(self.text, 16)

    def may_read(self, proofs):
        """Whether a set of proofs, KIDs and "PIN", opens the file for reading."""
        if self.read == "F":
            return True
        held = [(o if o == "PIN" else int(o, 16)) in proofs for o in re.split("[|&]", self.read)]
        return all(held) if "&" in self.read else any(held)

    @property
    def reading(self):
        """A READ of the file by SFI that needs nothing but the right."""
        if self.kind == "bin":
            return f"00B0{0x80 | self.sfi:02X}0001"
        return f"00B201{self.sfi << 3 | 4:02X}00"

    @property
    def writing(self):
        """An UPDATE of the file by SFI that needs nothing but the right."""
        if self.kind == "bin":
            return f"00D6{0x80 | self.sfi:02X}0001A5"
        if self.kind == "cyc":
            return f"00DC00{self.sfi << 3 | 3:02X}{self.length:02X}" + "A5" * self.length
        tag, length, _ = self.records[0]
        return f"00DC01{self.sfi << 3 | 4:02X}{length + 2:02X}{tag}{length:02X}" + "A5" * length


def _records(text):
    for entry in re.findall(r"[^,{]+(?:\{[^}]*\} \w\w)?", text):
        constructed = re.fullmatch(r"\s*(\d)x(\w\w) \{(.*)\} (\w\w)", entry)
        if constructed is None:
            tag, kind, length = entry.split()
            yield tag, int(length, 16), FILL[kind] * int(length, 16)
            continue
        times, tag, parts, length = constructed.groups()
        inner = [part.split() for part in parts.split(",")]
        value = "".join(t + size + FILL[kind] * int(size, 16) for t, kind, size in inner)
        assert len(value) == 2 * int(length, 16), entry
        yield from [(tag, int(length, 16), value)] * int(times)


class Matrix:
    """A table read: `directories` gives AID and KIDs by name, `files` are in its order."""

    def __init__(self, directories, files):
        self.directories = directories
        self.files = files

    def reachable(self, place):
        """The KIDs that can be proved in a directory, with the place of their key."""
        own = [(kid, place) for kid in self.directories[place][1]]
        ssse = [(kid, "SSSE") for kid in self.directories["SSSE"][1]]
        return own if place == "SSSE" else own + ssse


def matrix(text):
    """Read a table."""
    directories, files, place = {}, [], None
    for line in text.strip().splitlines():
        if line.startswith(" "):
            files.append(File(place, line))
        else:
            place, aid, *kids = line.split()
            directories[place] = (aid, [int(kid, 16) for kid in kids])
    return Matrix(directories, files)


def key_values(profile):
    """Key values by place and KID; 00 is the master key."""
    ssse = profile.ssse
    places = {"SSSE": ssse} | {f"{df.fid:04X}": df for df in ssse.directories}
    return {
        (place, key.id if key is not directory.master else 0): key.value
        for place, directory in places.items()
        for key in (directory.master, *directory.keys)
        if key.type in (0x00, 0x0D)
    }


def enter(desk, place):
    return desk.ssse("" if place == "SSSE" else place)


def prove(desk, keys, proof, file):
    """Prove the PIN, or a key as seen from the file's directory."""
    if proof == "PIN":
        assert desk.pin() == "9000"
        return
    place = file.place if (file.place, proof) in keys else "SSSE"
    assert desk.prove(proof, keys[place, proof]) == "9000"


def content(desk, file):
    """Everything a file tells whoever may read it."""
    if file.kind != "bin":
        count = len(file.records) or file.count
        return [desk(f"00B2{n:02X}{file.sfi << 3 | 4:02X}00") for n in range(1, count + 1)]
    desk.ok(f"00A4020002{file.fid}")
    return [desk(f"00B0{at:04X}00") for at in range(0, file.length, 256)]


def sufficient(file):
    """The proofs that together open a file for reading."""
    proofs = [] if file.read == "F" else re.split("[|&]", file.read)
    proofs = proofs if "&" in file.read else proofs[:1]
    return [p if p == "PIN" else int(p, 16) for p in proofs]


def expected_listing(files, place):
    """What GET DATA D2 says of a directory's files: FID -> kind of cos 2.2 and bytes of data.

    A TLV record counts 3 + len; EF81 is the medical account of DF04.
    """
    expected = {}
    for file in (f for f in files if f.place == place):
        if file.kind == "tlv":
            expected[file.fid] = ("05", sum(3 + length for _, length, _ in file.records))
        elif file.kind == "cyc":
            expected[file.fid] = ("06", file.count * file.length)
        else:
            expected[file.fid] = ("01", file.length)
    if place == "DF04":
        expected["EF81"] = ("09", 0x1F)
    return expected


def listing(desk):
    """What GET DATA D2 says, in the same form; directories and the key file are listed too."""
    listed = bytes.fromhex(desk.data("80CA00D200"))
    entries = [listed[at : at + 5] for at in range(0, len(listed), 5)]
    return {e[:2].hex().upper(): (e[2:3].hex(), int.from_bytes(e[3:], "big")) for e in entries}
