"""The finished SSSE and a finished PSAM under power loss, and which sweep tears which command.

`SWEPT` names for every row of both command tables that may write the tests that tear it; a new
row without one fails, and so does a name that is no test. Source: cos 1.3, 3.6 NI-9.
"""

import ast
from functools import cache
from pathlib import Path

import pytest
from sam_desk import SELECT as SELECT_PSAM
from tear_bench import CHALLENGE_8, Bench, Owner, command

from sscard.apps.psam.applet import PSAM_APPLET
from sscard.apps.ssse.applet import SSSE_APPLET
from sscard.cos.layout import ExtentTable
from sscard.cos.tree import mount
from sscard.iso.apdu import Command
from sscard.keys import session
from sscard.keys.line import line_mac, wrap
from sscard.perso.psam import PsamProfile
from sscard.sample import sample_psam
from sscard.testing.machines import subject
from sscard.testing.trial import Step

pytestmark = pytest.mark.tear

SELECT = command("00A404000F7378312E73682EC9E7BBE1B1A3D5CF")
PROTECTED = (
    ("ssse.df.DF01.ef.EF05.sm_update", "mac"),
    ("ssse.df.DF02.ef.EF07.sm_update", "enc_mac"),
    ("ssse.df.DF01.ef.EF16.sm_update", "enc_mac"),
)


def df(fid):
    return command(f"00A4000002{fid}")


class Card:
    """A finished card of these settings, and who holds its keys."""

    def __init__(self, *settings):
        found = subject("v2", settings)
        self.keys, self.snapshot = found.keys, found.snapshot

    def bench(self, place="SSSE", *kids):
        """A bench in `place`, these keys proved."""
        holders = [(kid, place if kid >= 0x80 else "SSSE") for kid in kids]
        proofs = [self.proof(holder, kid) for kid, holder in holders]
        return Bench(self.snapshot, SELECT, *([df(place)] if place != "SSSE" else []), *proofs)

    def proof(self, place, kid, *, good=True):
        data = session.cryptogram(0, self.keys[place, kid], CHALLENGE_8, CHALLENGE_8)
        data = (data if good else bytes(8)) + CHALLENGE_8
        return Step(Command(0, 0x82, 0, kid, data).build(), CHALLENGE_8)

    def protected(self, header, place, data=b"", *, good=True, encipher=False):
        """A command with its MAC under the STK of a place, flavour A."""
        sk = session.session_key(0, self.keys[place, 2 if place == "SSSE" else 0x82], CHALLENGE_8)
        data = session.sm_encrypt(0, sk, data) if encipher else data
        message = bytes.fromhex(header) + bytes((len(data) + 4,)) + data
        mac = session.sm_mac(0, sk, message) if good else bytes(4)
        return Step(message + mac, CHALLENGE_8)


def ssse(image):
    entry = next(e for e in ExtentTable.parse(image[0x140:0x180]).entries if e.domain == 1)
    return entry.start * 64, mount(image, entry.start, entry.pages)


def at(image, path):
    """A node of the SSSE: "DF01/EF05"."""
    node = ssse(image)[1].root
    for fid in path.split("/"):
        node = node.child(int(fid, 16))
    return node


def tries(kid, place=""):
    """What the counter of a key is in a state."""

    def show(state):
        root = ssse(state.image)[1].root
        body = (root.child(int(place, 16)) if place else root).key_file.body
        slots = (state.image[body + n : body + n + 40] for n in range(0, 40 * 24, 40))
        return next(slot[13] for slot in slots if slot[:3] == bytes((0xA5, 0x0D, kid)))

    return show


def block(place=""):
    """(block, wrong MACs left, wrong UNBLOCKs left) of the SSSE or of a DFxx in a state."""

    def show(state):
        start, _ = ssse(state.image)
        if place:
            body = at(state.image, place).body
            return tuple(state.image[body : body + 3])
        return tuple(state.image[start + offset] for offset in (10, 11, 12))

    return show


def bytes_of(path, length):
    def show(state):
        body = at(state.image, path).body
        return state.image[body : body + length].hex().upper()

    return show


@pytest.fixture
def shown(tears):
    """Sweep a trial; return what `show` says of each state it goes through."""

    def run(trial, show, **options):
        return [show(state) for state in tears(trial, seeds=1, **options).states]

    return run


# --- proofs --------------------------------------------------------------------------------------


def test_ssse_3_8_external_authenticate(shown):
    card = Card()
    bench = card.bench("DF01")
    right, wrong = card.proof("DF01", 0x83), card.proof("DF01", 0x83, good=False)
    assert shown(bench.when(right), tries(0x83, "DF01")) == [14, 13, 14]
    assert shown(bench.when(wrong, "63CD"), tries(0x83, "DF01")) == [14, 13]
    assert shown(card.bench().when(card.proof("SSSE", 4)), tries(4)) == [14, 13, 14]


# --- updates of a finished card ------------------------------------------------------------------


def test_ssse_3_5_update_record_of_a_tlv_and_of_a_cyclic_file(shown):
    card = Card()
    tlv = card.bench("SSSE", 4).when(command("00DC052806050420240116"))
    date = bytes.fromhex("050420240116")
    assert shown(tlv, lambda state: date in state.image) == [False, True]
    for form in ("00DC00B312", "00E200B012"):
        bench = card.bench("DF02", 0x89)
        newest = bench.when(command(form + "A5" * 0x12))
        counts = shown(newest, bytes_of("DF02/EF16", 3), retry=False)
        assert counts == ["000000", "0001A5"], "index, number of records, the first record"


def test_ssse_4_7_protected_updates(shown):
    """The right is proved; a wrong MAC is counted and writes nothing else."""
    card = Card(*PROTECTED)
    record = bytes.fromhex("0E03111111")
    bench = card.bench("DF01", 0x83)
    right = card.protected("04DC032C", "DF01", record)
    assert shown(bench.when(right), lambda s: record in s.image) == [False, True]
    wrong = bench.when(card.protected("04DC032C", "DF01", record, good=False), "6988")
    assert shown(wrong, block("DF01")) == [(0, 3, 3), (0, 2, 3)]

    cyclic = card.bench("DF02", 0x85)
    newest = card.protected("04E20038", "DF02", b"\xa5" * 0x55, encipher=True)
    assert shown(cyclic.when(newest), bytes_of("DF02/EF07", 2), retry=False)[-1] == "0001"

    binary = card.bench("DF01", 0x8A)
    pages = card.protected("04D69600", "DF01", b"\xa5" * 200, encipher=True)
    assert shown(binary.when(pages), bytes_of("DF01/EF16", 1)) == ["00", "A5"]


# --- blocks ----------------------------------------------------------------------------------------


def test_ssse_4_8_application_block_and_unblock(shown):
    card = Card()
    bench = card.bench("DF03", 0x83)
    for_good = bench.when(card.protected("841E0001", "DF03"))
    assert shown(for_good, block("DF03")) == [(0, 3, 3), (2, 3, 3)]
    temporary = card.protected("841E0000", "DF03")
    assert shown(bench.when(temporary), block("DF03")) == [(0, 3, 3), (1, 3, 3)]
    bench.given(temporary)
    wrong = card.protected("84180000", "DF03", good=False)
    assert shown(bench.when(wrong, "6988"), block("DF03")) == [(1, 3, 3), (1, 2, 2)]
    bench.given(wrong, answers="6988")
    right = card.protected("84180000", "DF03")
    assert shown(bench.when(right), block("DF03")) == [(1, 2, 2), (1, 3, 2), (0, 3, 3)]
    bench.given(wrong, answers="6988")
    assert shown(bench.when(wrong, "9303"), block("DF03")) == [(1, 1, 1), (2, 0, 0)]


def test_ssse_4_8_a_block_of_the_whole_ssse(shown):
    card = Card()
    bench = card.bench("SSSE", 5)
    assert shown(bench.when(card.protected("841E0000", "SSSE")), block())[-1][0] == 1
    wrong = card.protected("841E0000", "SSSE", good=False)
    bench.given(wrong, answers="6988")
    bench.given(wrong, answers="6988")
    third = shown(bench.when(wrong, "9303"), block())
    assert [(state[0], state[1]) for state in third] == [(0, 1), (2, 0)]


@pytest.mark.parametrize("scope", ["domain", "card"])
def test_ssse_4_8_card_block(scope, shown):
    card = Card(("card_block_scope", scope))
    trial = card.bench("SSSE", 5).when(card.protected("84160000", "SSSE"))
    blocked = shown(trial, lambda s: (block()(s)[0], s.image[0x102]))
    before, after = blocked[0], blocked[-1]
    assert len(blocked) == 2
    assert before[0] == 0
    assert (after[0] == 3) == (scope == "domain")
    assert (after[1] != before[1]) == (scope == "card")


# --- a finished PSAM -------------------------------------------------------------------------------

MF_KEY, AMK = (key.value for key in PsamProfile.load().masters)
PSAM_MASTER = Owner(AMK)


def psam_bench():
    return Bench(sample_psam().snapshot(), Step(bytes.fromhex(SELECT_PSAM)))


def psam_key(value, *, good=True):
    """WRITE KEY that replaces the maintenance key 48/12 of the PSAM."""
    data = wrap(0, AMK, bytes.fromhex("481200") + value)
    message = bytes.fromhex("84D40100") + bytes((len(data) + 4,)) + data
    mac = line_mac(0, AMK, CHALLENGE_8, message) if good else bytes(4)
    return Step(message + mac, CHALLENGE_8)


def test_cos_7_2_a_psam_replaces_a_key(shown):
    value = b"TEST-PSAM-NEWKEY"
    bench = psam_bench()
    proof = PSAM_MASTER.proof()
    held = len(shown(bench.when(proof), lambda s: 0))
    assert held == 3, "the try is spent, and given back"
    assert len(shown(bench.when(PSAM_MASTER.proof(good=False), "63C7"), lambda s: 0)) == 2
    bench.session = (*bench.session, proof)
    replaced = shown(bench.when(psam_key(value)), lambda s: value in s.image, secrets=(value,))
    assert replaced == [False, False, False, True]
    refused = bench.when(psam_key(value, good=False), "6988")
    assert shown(refused, lambda s: value in s.image) == [False, False]


# --- every row has its sweep -------------------------------------------------------------------------

COMMANDS, ROWS, SOCIAL, SAM = "test_commands", "test_ssse_rows", "test_ssse", "test_psam"
FILES = (
    (COMMANDS, "test_cos_2_2_records_of_every_kind"),
    (COMMANDS, "test_cos_2_2_a_cyclic_file_goes_round"),
)
ISSUE = ((SAM, "test_cos_9_3_every_operation_of_the_issue"),)
WROTE = ((ROWS, "test_ssse_4_7_protected_updates"),)
ACCOUNT = ((SOCIAL, "test_ssse_3_10_load_and_debit_are_all_or_nothing"),)
CREATE = (
    (COMMANDS, "test_cos_5_2_create_file"),
    (COMMANDS, "test_cos_5_2_create_directory_and_its_key_file"),
)
BLOCKS = ((ROWS, "test_ssse_4_8_application_block_and_unblock"),)
WITH_MAC = ((COMMANDS, "test_cos_5_1_create_and_delete_with_a_mac"),)
READ_ONLY = "reads: NI-12"
SWEPT = {
    "SSSE": {
        0x0082: ((ROWS, "test_ssse_3_8_external_authenticate"), (COMMANDS, "test_cos_4_7_external_authenticate")),
        0x0020: ((COMMANDS, "test_ssse_3_7_verify"),),
        0x805E: ((SOCIAL, "test_ssse_3_7_change_pin"),),
        0x8424: ((SOCIAL, "test_ssse_3_7_reload_and_unblock"),),
        0x8050: ((SOCIAL, "test_ssse_3_10_beginning_and_asking_write_nothing"),),
        0x8052: ACCOUNT,
        0x8054: (*ACCOUNT, (SOCIAL, "test_ssse_3_10_a_debit_when_the_log_goes_round")),
        0x841E: (*BLOCKS, (ROWS, "test_ssse_4_8_a_block_of_the_whole_ssse")),
        0x8418: BLOCKS,
        0x8416: ((ROWS, "test_ssse_4_8_card_block"),),
        0x00D6: ((COMMANDS, "test_cos_2_2_update_binary_over_five_pages"),),
        0x04D6: (*WROTE, (COMMANDS, "test_cos_6_1_the_mac_of_a_protected_update")),
        0x00DC: (*FILES, (ROWS, "test_ssse_3_5_update_record_of_a_tlv_and_of_a_cyclic_file")),
        0x04DC: WROTE,
        0x00E2: FILES,
        0x04E2: WROTE,
        0x80E0: CREATE,
        0x84E0: WITH_MAC,
        0x80E4: ((COMMANDS, "test_cos_2_4_delete_file"),),
        0x84E4: WITH_MAC,
        0x840E: ((COMMANDS, "test_cos_5_1_erase_an_environment"),),
        0x841C: ((COMMANDS, "test_cos_5_1_end_personalisation_and_terminate"),),
        0x84E6: ((COMMANDS, "test_cos_5_1_end_personalisation_and_terminate"),),
        0x84D4: (
            (COMMANDS, "test_cos_4_3_install_and_replace_a_key"),
            (COMMANDS, "test_cos_4_1_replace_a_master_key"),
            (SOCIAL, "test_ssse_3_2_reload_by_key_load"),
        ),
        0x80D4: (("test_walk", "test_cos_9_3_every_operation_of_the_walk"),),
        # a MAC under a key that counts spends its try, whatever it guards: as 04 D6
        0x04B0: ((COMMANDS, "test_cos_6_1_the_mac_of_a_protected_update"),),
        0x04B2: ((COMMANDS, "test_cos_6_1_the_mac_of_a_protected_update"),),
        **dict.fromkeys((0x0084, 0x0088, 0x00B0, 0x00B2, 0x80CA, 0x805C, 0x805A), READ_ONLY),
    },
    "PSAM": {
        0x0082: ((ROWS, "test_cos_7_2_a_psam_replaces_a_key"),),
        0x84D4: (*ISSUE, (ROWS, "test_cos_7_2_a_psam_replaces_a_key")),
        0x808A: ISSUE,
        0x8080: ISSUE,
        0x841C: ISSUE,
        0x8070: ((SAM, "test_cos_7_3_the_number_rises_or_does_not"),),
        0x8072: (
            (SAM, "test_cos_1_3_a_wrong_mac2_costs_its_try"),
            (SAM, "test_cos_1_3_a_right_mac2_spends_and_restores"),
        ),
        0x00D6: ISSUE,
        0x00E2: ISSUE,
        # the same rows as the SSSE's; a PSAM's own files have no protection and no records
        0x04D6: ((COMMANDS, "test_cos_6_1_the_mac_of_a_protected_update"),),
        0x00DC: FILES,
        0x04DC: WROTE,
        0x04E2: WROTE,
        0x04B0: ((COMMANDS, "test_cos_6_1_the_mac_of_a_protected_update"),),
        0x04B2: ((COMMANDS, "test_cos_6_1_the_mac_of_a_protected_update"),),
        **dict.fromkeys((0x0084, 0x00B0, 0x00B2, 0xBFDE, 0x801A, 0x80FA), READ_ONLY),
    },
}  # fmt: skip


@cache
def named_in(module):
    tree = ast.parse((Path(__file__).parent / f"{module}.py").read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("applet", [SSSE_APPLET, PSAM_APPLET], ids=lambda applet: applet.name)
def test_ni_9_every_command_that_writes_is_torn(applet):
    rows = {row.cla << 8 | row.ins: row.name for row in applet.table}
    swept = SWEPT[applet.name]
    assert swept.keys() == rows.keys(), "a row without a sweep, or a sweep without a row"
    for key, tests in swept.items():
        if tests is not READ_ONLY:
            for module, name in tests:
                assert name in named_in(module), f"{key:04X} {rows[key]}: there is no {name}"
