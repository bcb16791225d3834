"""Public names resolve and are documented; importing the package is cheap."""

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[2] / "src"
FILES = sorted(path for path in (SRC / "sscard").rglob("*.py"))
NEEDS_PYSCARD = ("sscard.transport.pcsc.", "sscard.transport.pyscard_reader.")
HEAVY = ("click", "construct", "rich", "smartcard", "typer")

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def module_name(path: Path) -> str:
    parts = path.relative_to(SRC).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def public_definitions(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, Definition]]:
    """Public functions, classes and methods, but not the second halves of properties."""
    for node in body:
        if not isinstance(node, Definition) or node.name.startswith("_"):
            continue
        marks = {ast.unparse(mark).rpartition(".")[2] for mark in node.decorator_list}
        if marks & {"overload", "override", "setter", "deleter"}:
            continue
        yield prefix + node.name, node
        if isinstance(node, ast.ClassDef):
            yield from public_definitions(node.body, f"{prefix}{node.name}.")


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_public_names_resolve_once(path, require):
    name = module_name(path)
    if f"{name}.".startswith(NEEDS_PYSCARD):
        require("pyscard")
    if path.name == "__main__.py":
        pytest.skip("running it is what it is for")
    module = importlib.import_module(name)
    listed = list(getattr(module, "__all__", []))
    assert len(listed) == len(set(listed)), "a name is listed twice"
    missing = [public for public in listed if not hasattr(module, public)]
    assert not missing


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_public_names_are_documented(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "the module has no docstring"
    bare = [name for name, node in public_definitions(tree.body) if not ast.get_docstring(node)]
    assert not bare


def test_importing_sscard_loads_nothing_heavy():
    code = f"import sys, sscard; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == []
