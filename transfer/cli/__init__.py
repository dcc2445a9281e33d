"""The `transfer` command: a thin layer that parses, calls one function and prints.

A user's mistake ends with exit code 2 and one line; nothing here computes.
"""

import typer

from transfer.cli import results, suite

app = typer.Typer(
    name="transfer",
    help="Does what a language model shows after pretraining tell what it will do after SFT?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.add_typer(results.app)
app.add_typer(suite.app, name="suite")

__all__ = ["app"]
