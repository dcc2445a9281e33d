"""Prints the book: all pages as one, through a headless browser, with no LaTeX.

The browser numbers the pages (paged-media margin boxes, which Chromium has from version 131 on) and
keeps the links between them.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from transfer.errors import BadInput
from transfer.files import replacing
from transfer.report.build import run_jupyter_book
from transfer.report.failure import ReportFailed
from transfer.report.progress import Steps

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer")
SETTLES = 30_000
"""Milliseconds of the page's own clock in which formulas are set."""


def print_book(out: Path, steps: Steps | None = None) -> Path:
    """Return the PDF of a book that was built in a folder.

    Parameters
    ----------
    out : Path
        Where `build` gathered the sources; the PDF is `out/report.pdf`.

    Raises
    ------
    BadInput
        If there is no browser.
    ReportFailed
        If the browser writes no PDF.
    """
    steps = steps or Steps()
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise BadInput(f"no browser to print with; install one of {', '.join(BROWSERS)}")
    gathered = out / "book"
    run_jupyter_book(gathered, out / "print.log", steps, builder="singlehtml")
    page = (gathered / "_build" / "singlehtml" / "index.html").resolve()
    target = out / "report.pdf"
    with replacing(target) as beside:
        # The browser wants an ending that it knows.
        pdf = beside.with_suffix(".pdf")
        command = [browser, *FLAGS, f"--virtual-time-budget={SETTLES}", f"--print-to-pdf={pdf}"]
        done = subprocess.run([*command, page.as_uri()], capture_output=True, check=False)
        if not pdf.exists():
            said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise ReportFailed(f"{browser} wrote no PDF: {' '.join(said)}")
        pdf.replace(beside)
    return target
