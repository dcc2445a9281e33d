"""`python -m transfer.cli` is the command itself."""

from transfer.cli import app

app()
