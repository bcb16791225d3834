"""What it takes to try a card's files, as typed from the reference, on a desk.

The tables are in `sscard.testing.models.ssse_tables`.
"""


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
