from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from transfer.benchmarks.packages import Inputs
from transfer.suite import load_suite
from transfer.workspace import Workspace


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inputs:
    """Inputs over an empty workspace; tests put into it what they read."""
    monkeypatch.setenv("TRANSFER_HOME", str(tmp_path))
    return Inputs(load_suite("mini"), Workspace("mini"))


@pytest.fixture
def put(inputs: Inputs) -> Callable[[str, str, Any], None]:
    """Put a file of a package where it would be taken out of its archive."""

    def write(source: str, path: str, content: Any) -> None:
        folder = inputs.workspace.root / "extracted" / source
        folder.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / ("top/" + path).replace("/", "__")).write_text(text, encoding="utf-8")

    return write
