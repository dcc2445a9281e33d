"""The how-to pages' commands as they stand; the books that they make are tested elsewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("results", "table", "checkpoints", "teaching")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_run_one_after_another(page, tmp_path):
    for name in ("data", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    text = (ROOT / "book" / "howto" / f"{page}.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    # Items of the suite's benchmarks are built from packages, which a test does not fetch.
    kept = [line for line in lines if not re.match(r"transfer report|.*--benchmark ", line)]
    assert any(line.startswith(("transfer", "python")) for line in kept)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-e", "-c", "\n".join(kept)],
        cwd=tmp_path,
        env=os.environ | offline | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
