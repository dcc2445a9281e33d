"""The pages to look things up in, written from the code itself when the book is built.

Functions and classes come from their docstrings, commands from the command line's own options, and
tables from `transfer.tables.columns`; so none of them can say something else than the code does.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

MODULES = (
    "transfer",
    "transfer.tables",
    "transfer.measures",
    "transfer.protocols",
    "transfer.uncertainty",
    "transfer.uncertainty.ceilings",
    "transfer.uncertainty.planning",
    "transfer.calibration",
    "transfer.reliability",
    "transfer.shift",
    "transfer.itemwise",
    "transfer.claims",
    "transfer.charts",
    "transfer.findings",
    "transfer.persistence",
    "transfer.guidance",
    "transfer.tiers",
    "transfer.sortable",
    "transfer.suite",
    "transfer.report",
)
"""What works from tables, without torch: a module a page."""

_CODE = re.compile(r"(:[\w-]+:`[^`]*`|``.*?``)|`([^`]+)`", re.DOTALL)
_FOOTNOTE = re.compile(r"\s*\[(\d+)\]_")
_NOTE = re.compile(r"^\.\. \[(\d+)\]", re.MULTILINE)


def write_reference(folder: Path) -> None:
    """Write `api/<module>.md`, `api.md`, `commands.md` and `tables.md` into a folder."""
    (folder / "api").mkdir(parents=True, exist_ok=True)
    modules = [importlib.import_module(name) for name in MODULES]
    for module in modules:
        page = folder / "api" / f"{module.__name__}.md"
        page.write_text(_module_page(module), encoding="utf-8")
    rows = [
        f"| [`{module.__name__}`](api/{module.__name__}.md) | {_first_line(module)} |"
        for module in modules
    ]
    api = "\n".join(
        ["(api)=", "# Functions", "", API, "", "| module | what it holds |", "|---|---|", *rows, ""]
    )
    (folder / "api.md").write_text(api, encoding="utf-8")
    (folder / "commands.md").write_text(_commands_page(), encoding="utf-8")
    (folder / "tables.md").write_text(_tables_page(), encoding="utf-8")


API = (
    "What the pages of this book call, from their docstrings. The short names stand in `transfer` "
    "itself; the other modules hold the rest. Training and scoring, which need torch, are reached "
    "by {doc}`commands`."
)


def members(module: Any) -> list[tuple[str, Any]]:
    """Return the public functions and classes of a module, by name, in its own order."""
    names = getattr(module, "__all__", None)
    if names is None:
        names = [
            name
            for name, value in vars(module).items()
            if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
        ]
    found = [(name, getattr(module, name)) for name in names]
    return [
        (name, value) for name, value in found if inspect.isroutine(value) or inspect.isclass(value)
    ]


def _module_page(module: Any) -> str:
    parts = [f"# {module.__name__}", _rst(inspect.getdoc(module) or "")]
    for name, value in members(module):
        parts += [f"## {name}", _signature(name, value), _rst(_documented(value))]
    return "\n\n".join(part for part in parts if part) + "\n"


def _documented(value: Any) -> str:
    """Return an object's own docstring; empty where it has none but that of a base class."""
    own = value.__dict__.get("__doc__") if inspect.isclass(value) else value.__doc__
    return inspect.cleandoc(own) if own else ""


def _signature(name: str, value: Any) -> str:
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return ""
    if inspect.isclass(value) and not signature.parameters:
        return ""
    plain = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in signature.parameters.values()
    ]
    arguments = [str(parameter) for parameter in plain]
    if any("<" in argument and " at 0x" in argument for argument in arguments):
        arguments = [argument.split("=")[0] for argument in arguments]
    names = [p.kind for p in plain]
    star = inspect.Parameter.KEYWORD_ONLY
    if star in names and inspect.Parameter.VAR_POSITIONAL not in names:
        arguments.insert(names.index(star), "*")
    call = f"{name}({', '.join(arguments)})"
    if len(call) > 80:
        call = f"{name}(\n    " + ",\n    ".join(arguments) + ",\n)"
    return f"```python\n{call}\n```"


def _rst(docstring: str) -> str:
    """Return a numpydoc docstring as a block that MyST reads as reStructuredText."""
    from sphinx.ext.napoleon import Config, NumpyDocstring

    if not docstring:
        return ""
    # Its own annotation asks for the configuration of a whole project.
    config: Any = Config(
        napoleon_use_param=False,
        napoleon_use_rtype=False,
        napoleon_custom_sections=[("Attributes", "params_style")],
    )
    text = str(NumpyDocstring(docstring, config))
    text = _NOTE.sub(r"\1.", _FOOTNOTE.sub(r" (\1)", text))
    text = _CODE.sub(lambda found: found[1] or f"``{found[2]}``", text)
    text = re.sub(r"^:(returns|raises|yields|warns)", _capital, text, flags=re.MULTILINE)
    return f"`````{{eval-rst}}\n{text.strip()}\n`````"


def _capital(match: re.Match[str]) -> str:
    return f":{match[1].capitalize()}"


def _first_line(module: Any) -> str:
    return (inspect.getdoc(module) or "").split("\n\n")[0].replace("\n", " ").replace("|", "\\|")


def _commands_page() -> str:
    from transfer.cli import app

    parts = [
        "(commands)=",
        "# Commands",
        "Every command says the same with `--help`. A mistake in what is asked for ends with one "
        "line and exit code 2.",
    ]
    for path, command in commands("transfer", app):
        parts.append(f"## {path}\n\n{inspect.getdoc(command)}")
        hints = get_type_hints(command, include_extras=True)
        rows = [
            _option(one, hints[name]) for name, one in inspect.signature(command).parameters.items()
        ]
        if rows:
            parts.append(
                "\n".join(
                    ["| option | type | default | what it does |", "|---|---|---|---|", *rows]
                )
            )
    return "\n\n".join(parts) + "\n"


def commands(path: str, app: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield every command of a typer application: the words that call it, and its function.

    Hidden commands are left out: other commands call them.
    """
    for one in app.registered_commands:
        if one.callback is not None and not one.hidden:
            yield f"{path} {one.name or one.callback.__name__}", one.callback
    for group in app.registered_groups:
        below = f"{path} {group.name}" if group.name else path
        yield from commands(below, group.typer_instance)


def _option(one: inspect.Parameter, hint: Any) -> str:
    """Return a row of the table of a command's options and arguments."""
    annotation, info = get_args(hint)[:2]
    kinds = [kind for kind in get_args(annotation) or [annotation] if kind is not type(None)]
    kind = kinds[0] if get_origin(annotation) is not list else annotation
    many = get_origin(kind) is list
    if many:
        kind = get_args(kind)[0]
    names = f"--{one.name.strip('_').replace('_', '-')}"
    if type(info).__name__ == "ArgumentInfo":
        names = one.name.upper()
    # typer keeps the first of several names where another signature has the default.
    first = [info.default] if str(info.default).startswith("-") else []
    names = ", ".join([*first, *(info.param_decls or [])] or [names])
    said, default = info.help or "", "" if one.default in (None, False) else f"`{one.default}`"
    if one.default is inspect.Parameter.empty:
        default = "required"
    if match := re.search(r"\s*\[default: (.+?)\]$", said):
        said, default = said[: match.start()], match[1]
    shown = {"bool": "switch", "str": "text", "Path": "path"}.get(kind.__name__, kind.__name__)
    said = said.replace("|", "\\|")
    return f"| `{names}` | {shown}{', repeatable' if many else ''} | {default} | {said} |"


def _tables_page() -> str:
    from transfer.tables.columns import TABLES

    parts = [
        "(tables)=",
        "# Tables",
        "Every file of data, its columns and their units. Files of a suite lie in its own folder, "
        "`data/mini` for the committed one. Tables are checked when they are written and when they "
        "are read; a table of your own needs `mixture`, `scale`, `seed`, `stage`, `benchmark` and "
        "`accuracy` ({doc}`/howto/table`).",
    ]
    for table in TABLES:
        rows = [
            f"| `{c.name}` | {c.kind} | {c.unit.replace('-1', '−1')} | "
            f"{c.meaning.replace('<', '&lt;')} |"
            for c in table.columns
        ]
        parts.append(f"## `{table.file}`\n\nA row is {table.row}.")
        parts.append(
            "\n".join(["| column | type | unit | what it holds |", "|---|---|---|---|", *rows])
        )
    return "\n\n".join(parts) + "\n"
