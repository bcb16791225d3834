"""The import contracts of pyproject.toml hold, and each of them can break."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINT_IMPORTS = Path(sys.executable).parent / "lint-imports"

# One forbidden import per contract, in the order of pyproject.toml.
PLANTED = {
    "Layers: imports point downwards": ("iso/planted.py", "import sscard.keys"),
    "The world side, personalisation and transports never import the card side": (
        "terminal/planted.py",
        "import sscard.cos",
    ),
    "Models are independent of what they check": ("testing/models.py", "import sscard.cos"),
    "Conformance suites know the specification, and neither cards nor profiles": (
        "testing/conformance/planted.py",
        "import sscard.perso",
    ),
    "Applications never import each other": (
        "apps/planted/planted.py",
        "import sscard.apps.neighbour",
    ),
    "The core is pure: no operating system, clock, chance, thread, socket or log": (
        "cos/planted.py",
        "import os.path",
    ),
    "Only keys imports cryptography": (
        "spec/planted.py",
        "from cryptography.hazmat.primitives import hashes",
    ),
    "Only keys imports gmpy2": ("terminal/planted2.py", "import gmpy2"),
    "Only inspect imports construct": ("iso/planted2.py", "import construct"),
    "Only the PC/SC port and the reader in process import smartcard": (
        "transport/memory.py",
        "from smartcard.System import readers",
    ),
    "Only the PKCS#11 vault imports pkcs11": ("perso/planted.py", "import pkcs11"),
    "Only the issuer imports sqlalchemy": ("spec/planted2.py", "import sqlalchemy"),
    "Only cli imports typer": ("testing/planted.py", "def late():\n    import typer"),
    "Terminals, the centre and the bank know nothing of how cards are made": (
        "registry/planted.py",
        "import sscard.perso",
    ),
}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT_IMPORTS, "--no-cache"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "src"), "NO_COLOR": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_import_contracts_hold():
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_import_contract_breaks_on_a_planted_import(tmp_path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    package = tmp_path / "src" / "sscard"
    shutil.copytree(
        ROOT / "src" / "sscard", package, ignore=shutil.ignore_patterns("__pycache__", "*.img")
    )
    for path, line in [*PLANTED.values(), ("apps/neighbour/__init__.py", "")]:
        module = package / path
        module.parent.mkdir(parents=True, exist_ok=True)
        (module.parent / "__init__.py").touch()
        module.write_text(line + "\n", encoding="utf-8")
    result = lint_imports(tmp_path)
    assert result.returncode != 0
    kept = [name for name in PLANTED if f"{name} BROKEN" not in result.stdout]
    assert not kept, result.stdout + result.stderr


def test_every_import_contract_has_a_planted_import():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = [row["name"] for row in config["tool"]["importlinter"]["contracts"]]
    assert contracts == list(PLANTED)
