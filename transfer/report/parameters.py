"""The parameters of a notebook: which it has, of what type, and what a user may give.

A notebook states its parameters in the one cell tagged `parameters`, one annotated literal a line.
papermill accepts a name that no notebook knows and says nothing, and its own reader of that cell
skips annotations such as `list[str] | None`; so the cell is read here, and every value is checked
before anything runs.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError

from transfer.errors import BadInput

_ANNOTATIONS = {kind.__name__: kind for kind in (str, int, float, bool, list, dict)}
"""What the annotation of a parameter may be made of."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a notebook."""

    name: str
    annotation: str
    default: Any

    def check(self, value: Any) -> Any:
        """Return a value of this parameter's type.

        A string that is not of the type is read as YAML first, so that what is typed on a command
        line (`seeds=[0, 1]`) can be given as it is.

        Raises
        ------
        BadInput
            If the value is of another type.
        """
        expected = TypeAdapter(self._type(), config=ConfigDict(strict=True))
        candidates = [value]
        if isinstance(value, str):
            candidates.append(_from_yaml(value))
        for candidate in candidates:
            try:
                return expected.validate_python(candidate)
            except ValidationError:
                continue
        raise BadInput(
            f"parameter {self.name}: {value!r} is not {self.annotation}; "
            f"give a value such as {self.default!r}"
        )

    def _type(self) -> Any:
        try:
            return eval(self.annotation, {"__builtins__": {}}, dict(_ANNOTATIONS))
        except (NameError, TypeError):
            raise BadInput(
                f"parameter {self.name}: its notebook gives it the type {self.annotation}; "
                f"use {', '.join(_ANNOTATIONS)} and None"
            ) from None


def read_parameters(notebook: nbformat.NotebookNode, path: Path) -> dict[str, Parameter]:
    """Return the parameters of a notebook by name, in its own order.

    Raises
    ------
    BadInput
        If the notebook has two parameter cells, or one holds anything but assignments of
        literals.
    """
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(cells) > 1:
        raise BadInput(f"{path}: {len(cells)} cells are tagged parameters; keep one")
    found = {}
    for statement in ast.parse(cells[0].source).body if cells else []:
        target: ast.expr
        if isinstance(statement, ast.AnnAssign):
            target, annotation = statement.target, ast.unparse(statement.annotation)
        elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target, annotation = statement.targets[0], ""
        else:
            raise BadInput(
                f"{path}: the cell tagged parameters may hold assignments only; "
                f"move {ast.unparse(statement)!r} to another cell"
            )
        try:
            default = ast.literal_eval(statement.value) if statement.value else None
        except ValueError:
            raise BadInput(
                f"{path}: parameter {ast.unparse(target)} must have a literal as its default"
            ) from None
        name = ast.unparse(target)
        found[name] = Parameter(name, annotation or type(default).__name__, default)
    return found


def choose(
    given: Mapping[str, Any], known: Mapping[Path, Mapping[str, Parameter]]
) -> dict[Path, dict[str, Any]]:
    """Return for every notebook the checked values that it takes.

    Raises
    ------
    BadInput
        If a given name is a parameter of no notebook, or a value is of the wrong type.
    """
    names = {name for parameters in known.values() for name in parameters}
    for name in given:
        if name not in names:
            there = ", ".join(sorted(names)) or "none"
            raise BadInput(f"parameter {name}: no notebook has it; they have {there}")
    return {
        path: {name: parameters[name].check(given[name]) for name in parameters if name in given}
        for path, parameters in known.items()
    }


def _from_yaml(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text
