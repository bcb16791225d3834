"""The suite's expectations against what was typed by hand from ssse-lb002 2 and 4.

Nothing here is computed from the specification modules, from a profile, or by a card: the
tables below and in `sscard.testing.models.ssse_tables` are all there is.
"""

import re

import pytest

from sscard.testing.conformance import suites
from sscard.testing.conformance.ssse.line import Line
from sscard.testing.conformance.ssse.protected import Update
from sscard.testing.conformance.steps import Send
from sscard.testing.models.ssse_tables import V1 as V1_FILES
from sscard.testing.models.ssse_tables import V2 as V2_FILES
from sscard.testing.models.ssse_tables import matrix

SUITE = suites()["ssse"]
V3_FILES = V2_FILES.replace("EF06 tlv F 04    08", "EF06 tlv 0A 04   08")
FULL = {"v1": matrix(V1_FILES), "v2": matrix(V2_FILES), "v3": matrix(V3_FILES)}

# Generation, file, operation: the states in which the card does it. In all others it refuses.
BY_HAND = """
v1   SSSE EF07 read    *
v1   SSSE EF06 update  K04
v1   DF01 EF07 read    PIN K84
v1   DF02 EF07 read    PIN K85
v1   DF02 EF07 update  K85
v1   DF03 EF05 read    PIN+K84
v1   DF04 EF05 read    PIN
v1   DF04 EF06 update  K86
v1   DF04 EF08 update  -
v2   SSSE EF05 read    *
v2   SSSE EF06 read    *
v3   SSSE EF06 read    K0A
v23  SSSE EF05 update  K04
v23  SSSE EF06 update  K04
v23  SSSE EF07 read    K0A
v23  SSSE EF08 read    K0A
v23  SSSE EF08 update  K04
v23  SSSE EF0D read    *
v23  SSSE EF0D update  K0D
v23  DF01 EF15 read    PIN K88
v23  DF01 EF15 update  K89
v23  DF01 EF16 read    *
v23  DF01 EF16 update  K8A
v23  DF02 EF07 read    PIN K88
v23  DF02 EF07 update  K85
v23  DF03 EF05 read    PIN K85
v23  DF03 EF05 update  K86
v23  DF04 EF06 read    PIN+K84
v23  DF04 EF06 update  K86
v23  DF04 EF08 read    PIN
v23  DF04 EF08 update  -
v23  DF05 EF05 read    PIN
v23  DF05 EF05 update  K83
v23  DF06 EF06 read    PIN
v23  DF06 EF06 update  K86
v23  DF07 EF06 read    K84
v23  DF07 EF06 update  K87
"""
# What an expectation of a state is called in the table: rights that are gone are none.
GONE = re.compile(r"after-.*|wrong-K.*|other-DF")
RECORDS = """
v1   SSSE EF06 08:12 09:1E 0A:01 0B:01 0C:03 0D:04
v23  SSSE EF05 01:10 02:01 03:04 04:0C 05:04 06:04 07:09
v23  SSSE EF06 08:12 09:1E 4E:14 0A:01 0B:01 0C:03 0D:04
v23  SSSE EF0D EA:0C EB:03 EC:01 ED:01
v23  DF01 EF15 2A:01 40:34 40:34 40:34
v23  DF02 EF15 99:10 99:10 99:10 99:10 0F:04 1F:03
v23  DF03 EF19 79:27 79:27 79:27 79:27
v23  DF04 EF06 90:01 92:04 93:02
v23  DF05 EF05 A0:01 A1:01 B9:01 A2:04 A9:01 A3:18 A3:18 A3:18 A3:18 A3:18 A4:17 A4:17 A4:17 A4:17 A4:17 BA:14 BB:64 AA:14 AB:04 AC:01 AD:01 AE:01 AF:01 B0:01 B1:01 B2:01 B3:01 B4:01 B5:01 B6:01 B7:01 BC:01 B8:28
v23  DF06 EF05 C0:46 C2:09 C3:1A C4:1A C5:1A
v23  DF07 EF06 F5:03 F6:04 F7:46
v1   DF03 EF07 6C:04 6D:04 6E:04 6F:04 70:03 71:04 72:04 73:04
"""


def rows(text):
    for line in text.strip().splitlines():
        generations, place, ef, *rest = line.split()
        for digit in generations[1:]:
            yield f"v{digit}", place, ef, rest


def verdict(case):
    """What a SAFETY case expects of its operation: 9000 or 6982, the same of every form of it."""
    instructions = (0xB0, 0xB2) if "/read/" in case.id else (0xD6, 0xDC, 0xE2)
    sends = [s for s in case.steps if isinstance(s, Send) and s.command.ins in instructions]
    found = {send.expect.sw for send in sends}
    assert len(found) == 1, case.id
    ((sw,),) = found
    assert sw in (0x9000, 0x6982)
    return sw


def safety(generation, place, ef, operation):
    """The cases of a file and operation by the name of their state."""
    head = f"{place}_SAFETY/{ef}/{operation}/"
    return {
        case.id.removeprefix(head): case
        for case in SUITE.cases(generation)
        if case.id.startswith(head)
    }


def row_id(row):
    return "-".join([*row[:3], row[3][0]])


@pytest.mark.parametrize("row", list(rows(BY_HAND)), ids=row_id)
def test_ssse_2_3_2_4_who_may_as_typed_by_hand(row):
    generation, place, ef, (operation, *allowed) = row
    cases = safety(generation, place, ef, operation)
    assert {"none", "PIN"} <= set(cases)
    assert allowed in (["*"], ["-"]) or set(allowed) <= set(cases)
    for state, case in cases.items():
        opened = allowed == ["*"] or state in allowed or environment(state, allowed)
        assert verdict(case) == (0x9000 if opened else 0x6982), case.id


def environment(state, allowed):
    """All keys of the environment together: none of an application's files asks for one."""
    return state == "environment-keys" and {"K04", "K0A", "K0D"} & set(allowed)


def holds(state, file, full):
    """What holds in a state, read from its name alone."""
    if state == "none" or GONE.fullmatch(state):
        return set()
    if state == "wrong-PIN":
        return {int(k, 16) for k in re.findall(r"&(\w\w)", file.read)}
    if state == "environment-keys":
        return set(full.directories["SSSE"][1])
    return {part if part == "PIN" else int(part[1:], 16) for part in state.split("+")}


@pytest.mark.parametrize("generation", list(FULL))
def test_ssse_2_3_2_4_every_file_and_state_of_the_typed_tables(generation):
    full, seen = FULL[generation], set()
    for file in full.files:
        for operation in ("read", "update"):
            cases = safety(generation, file.place, file.fid, operation)
            states = set(cases)
            own = {f"K{kid:02X}" for kid in full.directories[file.place][1]}
            missing = own - states - ({"K84"} if file.place == "DF06" else set())
            assert not missing, (file.place, file.fid)
            for state, case in cases.items():
                proofs = holds(state, file, full)
                may = file.may_read(proofs) if operation == "read" else file.update in proofs
                assert verdict(case) == (0x9000 if may else 0x6982), case.id
                seen.add(case.id)
    assert seen == {c.id for c in SUITE.cases(generation) if "_SAFETY/" in c.id}


@pytest.mark.parametrize("row", list(rows(RECORDS)), ids=lambda row: "-".join(row[:3]))
def test_ssse_2_3_2_5_records_as_typed_by_hand(row):
    generation, place, ef, records = row
    case = next(c for c in SUITE.cases(generation) if c.id == f"{place}_RECORD/{ef}/numbers")
    reads = [s for s in case.steps if isinstance(s, Send) and s.command.ins == 0xB2]
    found = [s.expect.form and f"{s.expect.form.tag:02X}:{s.expect.form.length:02X}" for s in reads]
    assert found == [*records, None, None]
    assert [s.command.p1 for s in reads] == [*range(1, len(records) + 2), 0]
    assert [s.expect.sw for s in reads[-2:]] == [(0x6A83,), (0x6A83,)]


def test_ssse_2_3_2_5_every_record_and_size_of_the_typed_tables():
    for generation, full in FULL.items():
        known = {case.id: case for case in SUITE.cases(generation)}
        for file in full.files:
            head = f"{file.place}_RECORD/{file.fid}"
            assert f"{head}/select" in known
            if file.kind == "tlv":
                forms = [
                    (f"{s.expect.form.tag:02X}", s.expect.form.length)
                    for s in known[f"{head}/numbers"].steps
                    if isinstance(s, Send) and s.command.ins == 0xB2 and s.expect.form
                ]
                assert forms == [(tag, length) for tag, length, _ in file.records]
            elif file.kind == "bin":
                last = next(s for s in known[f"{head}/size"].steps if "last" in s.title)
                assert last.command.p1p2 == file.length - 1
            else:
                assert f" {file.count} records of {file.length} " in known[f"{head}/numbers"].title


def test_ssse_2_3_all_differences_of_v3_from_v2():
    """Holder data want RK_SSSE, and the version is 3.00: everything else is the same."""

    def told(case):
        sends = [(s.command, s.expect) for s in case.steps if isinstance(s, Send)]
        return sends, [step.title for step in case.steps]

    older = {case.id: told(case) for case in SUITE.cases("v2")}
    newer = {case.id: told(case) for case in SUITE.cases("v3")}
    changed = {name for name in older if name in newer and older[name] != newer[name]}
    records = {
        f"SSSE_RECORD/EF06/{name}"
        for name in ("numbers", "tags", "forms", "padding", "update", "update-refused")
    }
    states = ("none", "PIN", "K04", "K05", "K06", "K0D")
    reads = {f"SSSE_SAFETY/EF06/read/{state}" for state in states}
    writes = {name for name in older if name.startswith("SSSE_SAFETY/EF06/update/")}
    forms = ("", "/forms", "/replay", "/wrong-key", "/length")
    line = {f"SECURE_MESSAGING/SSSE/EF06{form}" for form in forms}
    assert changed == records | reads | writes | {"CHECKLIST/version"} | line
    lost = {f"SSSE_SAFETY/EF06/read/{s}" for s in ("after-reset", "after-select-SSSE", "wrong-K0A")}
    assert newer.keys() - older.keys() == lost
    assert not older.keys() - newer.keys()


@pytest.mark.parametrize("generation", ["v1", "v2", "v3"])
def test_ssse_4_1_every_key_has_its_version_cases(generation):
    full = FULL[generation]
    typed = {
        f"{place}/K{kid:02X}"
        for place, (_, kids) in full.directories.items()
        for kid in kids
        if (place, kid) != ("DF06", 0x84)  # "RK?" of 4.1, which no file asks for
    }
    found = [c.id.split("/", 1) for c in SUITE.cases(generation) if c.id.startswith("KEY_VER")]
    more = {f"{name}/{form}" for name in typed for form in ("without", "lacking")}
    for title in ("KEY_VER1", "KEY_VER2", "KEY_VER3"):
        expected = typed | more if title == "KEY_VER1" else typed
        assert {name for section, name in found if section == title} == expected


def test_ssse_0_the_titles_of_the_tests_of_2023():
    sections = set(SUITE.sections("v3"))
    titles = "SSSE_RECORD SSSE_SAFETY KEY_VER1 KEY_VER2 KEY_VER3 CHANGE_PIN ATR"
    for number in (1, 2, 3, 4, 5, 7):
        titles += f" DF0{number}_RECORD DF0{number}_SAFETY"
    assert set(titles.split()) <= sections


# Case, then every update it sends under line protection: INS P1 P2 and what the card answers.
# ssse-lb002 3.3 (P2), 3.5, 3.6, 4.6, 4.7: 6988 wrong MAC, 6984 no challenge, 6700 other length.
LINE = """
SSSE/EF05            DC012C:9000 DC012C:6988 DC012C:9000 DC012C:6984
SSSE/EF05/forms      DC012C:9000 DC012C:9000 DC012C:6988 DC012C:9000 DC0128:9000 DC0128:6988 DC0128:9000 DC0104:9000 DC0104:6988 DC0104:9000 DC0100:9000 DC0100:6988 DC0100:9000
SSSE/EF05/length     DC012C:9000 DC012C:6700 DC012C:6700 DC012C:9000
DF01/EF05/forms      DC012C:9000 DC012C:9000 DC012C:6988 DC012C:9000 DC2028:9000 DC2028:6988 DC2028:9000 DC0104:9000 DC0104:6988 DC0104:9000 DC2000:9000 DC2000:6988 DC2000:9000
DF01/EF05/replay     DC012C:9000 DC012C:9000
DF02/EF06/wrong-key  DC0134:9000 DC0134:6988 DC0134:9000
DF01/EF16            D69600:9000 D69600:6988 D69600:9000 D69600:6984
DF01/EF16/forms      D69600:9000 D69600:9000 D69600:6988 D69600:9000 D60000:9000 D60000:6988 D60000:9000
"""
# Case of every directory with a lock key: 1E APPLICATION BLOCK, 18 UNBLOCK (4.7, 4.8).
LOCKS = """
temporary                 1E0000:9000 180000:9000
without-lock-key          1E0000:6982/6988
wrong-mac                 1E0000:6988 1E0000:9000 180000:9000
no-challenge              1E0000:6984
not-blocked               180000:6985
unblock-without-lock-key  1E0000:9000 180000:6982/6988
"""


def typed(text):
    return [(line.split()[0], line.split()[1:]) for line in text.strip().splitlines()]


def sent(case, kind):
    """INS, P1 and P2 of a case's protected commands, and the status words it accepts."""
    return [
        "{:02X}{:02X}{:02X}:{}".format(
            *step.command[1:4], "/".join(f"{sw:04X}" for sw in step.expect.sw)
        )
        for step in case.steps
        if isinstance(step, kind)
    ]


@pytest.mark.parametrize("row", typed(LINE), ids=lambda row: row[0])
def test_ssse_4_7_updates_under_line_protection_as_typed_by_hand(row):
    name, expected = row
    cases = {case.id: case for case in SUITE.cases("v2")}
    assert sent(cases[f"SECURE_MESSAGING/{name}"], Update) == expected


@pytest.mark.parametrize("place", ["SSSE", "DF03", "DF04", "DF06"])
def test_ssse_4_8_blocking_as_typed_by_hand(place):
    found = {
        case.id.split("/")[2]: sent(case, Line)
        for case in SUITE.cases("v2")
        if case.id.startswith(f"APPLICATION_BLOCK/{place}/")
    }
    assert {name: found[name] for name, _ in typed(LOCKS)} == dict(typed(LOCKS))
    assert found.keys() - dict(typed(LOCKS)).keys() == {"below" if place == "SSSE" else "others"}
