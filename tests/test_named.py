"""What messages, docstrings and pages tell a reader to run or to look up is there."""

import ast
import importlib
import re
from functools import cache
from pathlib import Path

import typer.main

from transfer.cli import app

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "transfer").rglob("*.py"))
PAGES = [*ROOT.glob("*.md"), *(ROOT / "notebooks").rglob("*.md"), *(ROOT / "book").rglob("*.md")]

QUOTED = re.compile(r"`transfer ([a-z-]+)(?: ([a-z-]+))?")
DOTTED = re.compile(r"`(transfer(?:\.\w+)+)(?:\(\))?`")


@cache
def text(path: Path) -> str:
    """Return a page, or the strings of a module, without what is put into them."""
    content = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return content
    found = []
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
        if isinstance(node, ast.JoinedStr):
            parts = (getattr(part, "value", "") for part in node.values)
            found.append("".join(part if isinstance(part, str) else "{}" for part in parts))
    return "\n".join(found)


def unknown_commands(text: str) -> list[str]:
    commands = typer.main.get_command(app).commands
    return [
        f"transfer {first} {second}".strip()
        for first, second in QUOTED.findall(text)
        if first not in commands
        or (hasattr(commands[first], "commands") and second not in commands[first].commands)
    ]


def is_there(dotted: str) -> bool:
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for name in parts[count:]:
            # A field of a class is named in its annotations alone.
            if name in getattr(found, "__annotations__", {}):
                return True
            if not hasattr(found, name):
                return False
            found = getattr(found, name)
        return True
    return False


def test_the_checks_see_what_is_not_there():
    assert unknown_commands("run `transfer corpus` or `transfer suite prepare mini`") == [
        "transfer corpus"
    ]
    assert unknown_commands("`transfer suite build`") == ["transfer suite build"]
    assert is_there("transfer.benchmarks.freezing.freeze")
    assert not is_there("transfer.benchmarks.freeze")


def test_commands_that_are_named_are_there():
    unknown = {path.name: unknown_commands(text(path)) for path in [*MODULES, *PAGES]}
    assert {name: found for name, found in unknown.items() if found} == {}


def test_what_is_called_by_its_full_name_is_there():
    named = {one for path in [*MODULES, *PAGES] for one in DOTTED.findall(text(path))}
    assert sorted(one for one in named if not is_there(one)) == []
