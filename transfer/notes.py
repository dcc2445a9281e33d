"""Warnings of this package as notes on a page, where a notebook shows them."""

from __future__ import annotations

import warnings
from typing import Any

from transfer.findings import plain


def show_warnings() -> None:
    """Have warnings of this package shown as notes in the output of a notebook's cell.

    What a table lacks has to stand on the page; on the error stream it would read as a failure of
    the code. Warnings of others, and those of a program that is no notebook, stay as they are.
    """
    if getattr(warnings.showwarning, "of_transfer", False):
        return
    before = warnings.showwarning

    def show(message: Any, category: Any, *where: Any, **rest: Any) -> None:
        if not (category.__module__.startswith("transfer.") and _in_notebook()):
            before(message, category, *where, **rest)
            return
        from IPython.display import Markdown, display

        display(Markdown(f"```{{admonition}} Note\n:class: note\n{plain(message)}\n```"))

    show.of_transfer = True  # type: ignore[attr-defined]
    warnings.showwarning = show


def _in_notebook() -> bool:
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return get_ipython() is not None
