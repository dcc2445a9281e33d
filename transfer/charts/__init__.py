"""One Altair figure a function, on one palette, each with its alternative text."""

from transfer.charts.renderer import enable

__all__ = ["enable"]
