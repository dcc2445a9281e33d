"""What a person sees while the report is made: each step, what it did, and its seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class Steps:
    """Prints steps and notes on stderr, and remembers how long each step took."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step, and print its seconds when it has ended well."""
        begun = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - begun
        self.note(f"{name}: {self.seconds[name]:.1f} s")

    @contextmanager
    def counting(self, what: str, total: int) -> Iterator[Callable[[], None]]:
        """Show a bar; call what is yielded once for each thing that is done."""
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
            disable=total == 0 or not self.console.is_terminal,
        ) as progress:
            task = progress.add_task(what, total=total)
            yield lambda: progress.advance(task)

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Show that one long thing is under way."""
        with self.console.status(what):
            yield

    def note(self, text: str) -> None:
        """Print one line."""
        self.console.print(f"  {text}", markup=False, soft_wrap=True)
