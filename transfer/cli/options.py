"""What the commands share: options, and how a user's mistake is told."""

from __future__ import annotations

import errno
import functools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from transfer.errors import BadInput
from transfer.report.failure import ReportFailed

console = Console(stderr=True, markup=False, emoji=False)
"""What is said on the way. Names are printed as they are, brackets and colons too."""
stdout = Console(markup=False, emoji=False)
"""What was asked for."""

SuiteName = Annotated[str, typer.Argument(help="A suite's name (mini) or the path of its YAML.")]
Mixtures = Annotated[list[str] | None, typer.Option(help="Only these mixtures; repeat the option.")]
Scales = Annotated[list[str] | None, typer.Option(help="Only these scales; repeat the option.")]
Seeds = Annotated[list[int] | None, typer.Option(help="Only these seeds; repeat the option.")]
Measures = Annotated[
    Path | None,
    typer.Option(
        help="A measures table, Parquet, CSV or TSV.  [default: the committed mini suite's]"
    ),
]

NOT_WRITABLE = {
    *(errno.EACCES, errno.EDQUOT, errno.EEXIST, errno.EISDIR),
    *(errno.ENOSPC, errno.ENOTDIR, errno.EPERM, errno.EROFS),
}
"""What the system says of a path that a user may not write, or where there is no room."""


def user_errors(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a user's mistake into one line and exit code 2, a failed report into one and code 1."""

    @functools.wraps(command)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        warnings.formatwarning = lambda message, *_, **__: f"note: {message}\n"
        try:
            return command(*args, **kwargs)
        except BadInput as error:
            console.print(f"error: {error}", style="red", highlight=False, soft_wrap=True)
            raise typer.Exit(2) from None
        except OSError as error:
            if error.errno not in NOT_WRITABLE or error.filename is None:
                raise
            said = f"error: {error.filename}: {error.strerror}; give another path"
            console.print(said, style="red", highlight=False, soft_wrap=True)
            raise typer.Exit(2) from None
        except ReportFailed as error:
            console.print(f"failed: {error}", style="red", highlight=False, soft_wrap=True)
            raise typer.Exit(1) from None

    return guarded
