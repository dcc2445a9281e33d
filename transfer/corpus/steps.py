"""Steps of the corpus build: a finished step whose inputs did not change is not run again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from transfer.files import replacing
from transfer.workspace import Workspace


class Step:
    """One step's stamp in the workspace, `corpus/<name>.json`.

    Parameters
    ----------
    workspace
        Where the stamp is kept.
    name
        Name of the step.
    inputs
        Digest of everything that the step's result depends on.

    Attributes
    ----------
    facts
        What the step counted, empty until it is done.
    """

    def __init__(self, workspace: Workspace, name: str, inputs: str) -> None:
        self.path: Path = workspace.root / "corpus" / f"{name}.json"
        self.inputs = inputs
        self.facts: dict[str, Any] = {}
        self.done = False
        if self.path.exists():
            held = json.loads(self.path.read_text(encoding="utf-8"))
            if held["inputs"] == inputs:
                self.done = True
                self.facts = held["facts"]

    def finish(self, facts: dict[str, Any]) -> None:
        """Write down that the step is done, and what it counted."""
        self.facts = facts
        self.done = True
        with replacing(self.path) as beside:
            text = json.dumps({"inputs": self.inputs, "facts": facts}, indent=1, sort_keys=False)
            beside.write_text(text + "\n", encoding="utf-8")


def digest(*parts: Any) -> str:
    """Return the SHA-256 of values, written as JSON with sorted keys."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
