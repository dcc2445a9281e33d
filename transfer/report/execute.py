"""Runs the notebooks: text to executed notebook, each only when it has to be.

A notebook is run again when its own text, its parameters, a module that it could call, the
committed data or the pinned environment changed; otherwise the executed one of the last time
stands. What is written holds no time stamp and no path of the machine, so two runs can be compared.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import nbformat

from transfer.errors import BadInput
from transfer.files import replacing, sha256
from transfer.report.failure import ReportFailed
from transfer.report.parameters import choose, read_parameters
from transfer.report.progress import Steps
from transfer.suite import repository

NOT_CALLED = ("cli", "corpus", "grid.py", "jobs.py", "report", "trainers.py", "training.py")
"""Parts of the package that no notebook calls: a change there changes no page."""

STARTS = 3
"""How often a kernel is started before a notebook has failed."""

NOT_STARTED = "Kernel died before replying to kernel_info"
"""What jupyter_client says of a kernel that did not start."""


@dataclass(frozen=True)
class Page:
    """One page to execute.

    Attributes
    ----------
    source : Path
        A text notebook.
    name : str
        Of the executed file, without its ending.
    parameters : mapping
        Values for this page alone, over those that every page gets.
    parent : str
        Name of the page that this one stands below; empty for a page of its own.
    title : str
        What sets it apart from its parent.
    folder : Path, optional
        Where it is executed, and what tables it may read there; the repository if not given.
    """

    source: Path
    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    parent: str = ""
    title: str = ""
    folder: Path | None = None


@dataclass(frozen=True)
class _Job:
    """One notebook to run."""

    source: Path
    executed: Path
    parameters: dict[str, Any]
    folder: Path
    key: str


def execute(
    notebooks: Sequence[Path | Page],
    parameters: Mapping[str, Any],
    out: Path,
    jobs: int = 2,
    steps: Steps | None = None,
) -> list[Path]:
    """Run MyST text notebooks and return the executed `.ipynb` files, in the same order.

    Parameters
    ----------
    notebooks : sequence of Path or Page
        Text notebooks in jupytext's MyST format.
    parameters : mapping
        Values for their parameters; each notebook takes those that it has. Strings are read as
        YAML where a parameter is not a string.
    out : Path
        Folder of the executed notebooks.
    jobs : int
        How many run at a time, each with one thread.
    steps : Steps, optional
        Where progress and seconds go.

    Raises
    ------
    BadInput
        Before anything runs: a parameter that no notebook has, or of the wrong type. After that:
        a cell that refused its input.
    ReportFailed
        If a cell raised anything else. The executed notebook is kept, up to and with its error.
    """
    steps = steps or Steps()
    pages = [one if isinstance(one, Page) else Page(one, one.stem) for one in notebooks]
    texts = {page.source: read_text_notebook(page.source) for page in pages}
    known = {path: read_parameters(notebook, path) for path, notebook in texts.items()}
    chosen = choose(parameters, known)
    out.mkdir(parents=True, exist_ok=True)
    surroundings = _surroundings()
    executed = [out / f"{page.name}.ipynb" for page in pages]
    todo = []
    for page, target in zip(pages, executed, strict=True):
        values = {**chosen[page.source], **page.parameters}
        key = _key(page, values, surroundings)
        job = _Job(page.source, target, values, page.folder or repository(), key)
        if target.exists() and _record(target) == job.key:
            steps.note(f"{page.name}: unchanged")
        else:
            todo.append(job)
    _run_all(todo, jobs, steps)
    return executed


def read_text_notebook(path: Path) -> nbformat.NotebookNode:
    """Return a MyST text notebook, with cell ids that depend on nothing but their order."""
    import jupytext
    from jupytext.myst import MystMetadataParsingError

    try:
        notebook = jupytext.read(path)
    except FileNotFoundError:
        raise BadInput(f"{path}: no such notebook; check the path") from None
    except MystMetadataParsingError as error:
        raise BadInput(f"{path}: {' '.join(str(error).split())}; mend the cell's options") from None
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:03d}"
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    return notebook


def _run_all(todo: Sequence[_Job], jobs: int, steps: Steps) -> None:
    """Run notebooks, some at a time; raise for the first that failed once all have ended."""
    failures: list[Exception] = []
    # A fresh interpreter each: a forked one would inherit locks and open event loops.
    with ProcessPoolExecutor(
        max_workers=max(1, min(jobs, len(todo))), mp_context=get_context("spawn")
    ) as pool:
        waiting = {pool.submit(_run, job): job for job in todo}
        with steps.counting("notebooks", len(todo)) as count:
            for future in as_completed(waiting):
                job = waiting[future]
                try:
                    seconds = future.result()
                except (BadInput, ReportFailed) as error:
                    steps.note(f"{job.executed.stem}: failed")
                    failures.append(error)
                else:
                    steps.note(f"{job.executed.stem}: executed in {seconds:.1f} s")
                count()
    if failures:
        raise sorted(failures, key=lambda error: isinstance(error, BadInput))[0] from None


def _run(job: _Job) -> float:
    """Run one notebook in this process, write it, and return the seconds that took."""
    import papermill

    # Its own check of names does not know types such as `str | None`; ours has passed them.
    logging.getLogger("papermill").setLevel(logging.ERROR)
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ.pop("MPLBACKEND", None)
    begun = time.perf_counter()
    _record_path(job.executed).unlink(missing_ok=True)
    unexecuted = job.executed.with_suffix(".input.ipynb")

    def run() -> None:
        papermill.execute_notebook(
            unexecuted,
            job.executed,
            parameters=job.parameters,
            kernel_name="python3",
            cwd=job.folder,
            progress_bar=False,
            log_output=False,
            # It warns that it talks to us over the loopback interface.
            extra_arguments=["--log-level=CRITICAL"],
        )

    try:
        nbformat.write(read_text_notebook(job.source), unexecuted)
        _started(run, job.source.name)
    except papermill.PapermillExecutionError as error:
        _clean(job.executed)
        if error.ename == "BadInput":
            raise BadInput(f"{job.source.name}: {error.evalue}") from None
        raise ReportFailed(
            f"{job.source.name}: {error.ename}: {error.evalue} "
            f"(the executed notebook, with its error, is {job.executed})"
        ) from None
    finally:
        unexecuted.unlink(missing_ok=True)
    _clean(job.executed)
    _record_path(job.executed).write_text(json.dumps({"key": job.key}), encoding="utf-8")
    return time.perf_counter() - begun


def _started(run: Callable[[], None], name: str) -> None:
    """Run a notebook; once more, twice at most, where its kernel does not start.

    Kernels that start at the same time may be given the same port.
    """
    for left in reversed(range(STARTS)):
        try:
            return run()
        except RuntimeError as error:
            if NOT_STARTED not in str(error):
                raise
            if not left:
                raise ReportFailed(
                    f"{name}: its kernel did not start in {STARTS} tries ({error}); give the "
                    "command again, with --jobs 1 if that does not help"
                ) from None


def _clean(path: Path) -> None:
    """Take out what papermill and the kernel say about when and where they ran."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("papermill", None)
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        for name in ("papermill", "execution"):
            cell.metadata.pop(name, None)
    with replacing(path) as beside:
        nbformat.write(notebook, beside)


def _key(page: Page, parameters: Mapping[str, Any], surroundings: str) -> str:
    """Return the hash of everything that a notebook's outputs depend on.

    The notebook's own time counts too: touching it asks for it to be executed again.
    """
    folder = page.folder or repository()
    files = {
        value: _state(folder / value)
        for value in parameters.values()
        if isinstance(value, str) and value
    }
    tables = sorted(page.folder.glob("*.csv")) if page.folder else []
    own = [sha256(page.source), page.source.stat().st_mtime_ns, *map(sha256, tables)]
    content = json.dumps([own, dict(parameters), files, surroundings], sort_keys=True)
    return hashlib.sha256(content.encode("utf-8")).hexdigest()


def _state(path: Path) -> str | list[tuple[str, int, int]]:
    """Return what changes when the file, or a table in the folder, at a path does."""
    if path.is_file():
        return sha256(path)
    # There may be hundreds of items tables: their sizes and times are cheaper than their content.
    tables = [(table, table.stat()) for table in sorted(path.glob("*.parquet"))]
    return [(table.name, facts.st_size, facts.st_mtime_ns) for table, facts in tables]


def _surroundings() -> str:
    """Return the hash of what every notebook may use: package, committed data, environment."""
    root = repository()
    package = root / "transfer"
    files = [
        path
        for path in package.rglob("*.py")
        if path.relative_to(package).parts[0] not in NOT_CALLED
    ]
    files += [path for path in (root / "data").rglob("*") if path.is_file()]
    files += [path for path in [root / "requirements.lock"] if path.exists()]
    total = hashlib.sha256(platform.python_version().encode("ascii"))
    for path in sorted(files):
        total.update(f"{path.relative_to(root).as_posix()} {sha256(path)}\n".encode())
    return total.hexdigest()


def _record_path(executed: Path) -> Path:
    return executed.with_suffix(".key.json")


def _record(executed: Path) -> str | None:
    """Return the key that an executed notebook was made with."""
    try:
        return json.loads(_record_path(executed).read_text(encoding="utf-8"))["key"]
    except (FileNotFoundError, ValueError, KeyError):
        return None
