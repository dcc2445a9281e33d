"""The commands from a checkpoint to a book: score, measure, correlate, import and report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from transfer.cli.options import Measures, Scales, console, stdout, user_errors
from transfer.errors import BadInput
from transfer.files import make_folder, refuse_folder, replacing
from transfer.heap import keep_freed_memory
from transfer.suite import load_suite

app = typer.Typer()


@app.command()
@user_errors
def score(
    out: Annotated[
        Path,
        typer.Option(help="The items table to write (.parquet), or a folder for several."),
    ],
    checkpoints: Annotated[
        list[str] | None,
        typer.Argument(help="Folders in Hugging Face format, or hub ids such as org/model@step10."),
    ] = None,
    suite: Annotated[str, typer.Option(help="The suite whose benchmarks are run.")] = "mini",
    benchmark: Annotated[
        list[str] | None, typer.Option(help="Only these benchmarks; repeat the option.")
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(help="A task of lm-evaluation-harness instead; repeat the option."),
    ] = None,
    include: Annotated[
        Path | None, typer.Option(help="A folder with task files of your own.")
    ] = None,
    shots: Annotated[
        int | None, typer.Option(help="With --task: examples before an item.", min=0)
    ] = None,
    limit: Annotated[
        int | None, typer.Option(help="With --task: items of each task.", min=1)
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option(help="With --task: score the runs of this file, then import the results."),
    ] = None,
    chat: Annotated[
        bool, typer.Option(help="Put the context into the chat template, as for SFT models.")
    ] = False,
    dtype: Annotated[str, typer.Option(help="float32, bfloat16 or float16.")] = "float32",
    pickles: Annotated[
        bool, typer.Option(help="Open weights that are a pickle. A pickle can run code.")
    ] = False,
    force: Annotated[bool, typer.Option(help="Overwrite a table that is there.")] = False,
) -> None:
    """Score checkpoints: option log-likelihoods of every item, in nats.

    A killed run goes on where it was when the same command is given again.

    Example: `transfer score data/mini/checkpoints/V1P0-S-s0-sft --chat --out items.parquet`

    Example: `transfer score --mapping runs.csv --task arc_easy --task sciq --out mine`
    """
    keep_freed_memory()
    if task:
        from transfer.tasks import Conditions, score_tasks

        if pickles:
            raise BadInput("--pickles does not go with --task; save the weights as safetensors")
        conditions = Conditions(task, include, shots, limit, dtype)
        score_tasks(checkpoints or [], out, conditions, mapping, chat, force, console)
        return
    from transfer.hub import checkpoint_folder
    from transfer.scoring import score_to_tables

    if not checkpoints or mapping is not None:
        raise BadInput("give checkpoints; --mapping goes with --task")
    single = out.suffix == ".parquet"
    if single and len(checkpoints) > 1:
        raise BadInput(f"{out}: one file for {len(checkpoints)} checkpoints; give a folder")
    outs = {}
    for name in checkpoints:
        folder = checkpoint_folder(name)
        called = folder.resolve().name if Path(name).is_dir() else name.replace("/", "__")
        outs[folder] = out if single else out / f"{called}.parquet"
    if len(set(outs.values())) < len(checkpoints):
        raise BadInput("two checkpoints have the same name; score them into different folders")
    for path in outs.values():
        refuse_folder(path)
        if path.exists() and not force:
            raise BadInput(
                f"{path} is there already; give another --out, or --force to overwrite it"
            )
        make_folder(path.parent)
    for done in score_to_tables(outs, load_suite(suite), benchmark, chat, dtype, pickles):
        cut = f", {done.truncated} requests longer than the model reads" if done.truncated else ""
        console.print(
            f"wrote {done.out}: {done.items} items{cut} (build {done.build:.1f} s, tokenise "
            f"{done.tokenise:.1f} s, forward {done.forward:.1f} s, write {done.write:.1f} s)",
            soft_wrap=True,
        )


@app.command()
@user_errors
def measure(
    items: Annotated[list[Path], typer.Argument(help="Items tables, or folders of them.")],
    out: Annotated[
        Path, typer.Option(help="The measures table to write (.parquet, .csv or .tsv).")
    ],
    suite: Annotated[str, typer.Option(help="The suite that names the categories.")] = "mini",
) -> None:
    """Turn items into accuracy, confidence and calibration, one row per run and benchmark.

    Example: `transfer measure data/mini/items --out measures.parquet`
    """
    from transfer.measures import measure_runs
    from transfer.tables import write_measures

    refuse_folder(out)
    paths = [
        path
        for given in items
        for path in (sorted(given.glob("*.parquet")) if given.is_dir() else [given])
    ]
    if not paths:
        raise BadInput(f"{items[0]}: no .parquet file in it; score a checkpoint first")
    table = measure_runs(paths, load_suite(suite))
    write_measures(out, table)
    console.print(f"wrote {out}: {len(table)} rows from {len(paths)} runs", soft_wrap=True)


@app.command()
@user_errors
def correlate(
    measures: Measures = None,
    metric: Annotated[str, typer.Option(help="accuracy, confidence, or another measure.")] = (
        "accuracy"
    ),
    method: Annotated[str, typer.Option(help="pearson, spearman or kendall.")] = "pearson",
    scale: Scales = None,
    before: Annotated[str, typer.Option(help="The earlier stage.")] = "pretrain",
    after: Annotated[str, typer.Option(help="The later stage.")] = "sft",
    normalization: Annotated[
        str | None,
        typer.Option(help="sum, token, byte or unconditional.  [default: each benchmark's own]"),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(help="The suite file of the table, where it is not in data/suites."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the table as CSV instead of printing it.")
    ] = None,
) -> None:
    """Show the cross-stage correlation of every benchmark over mixtures, with its interval.

    Example: `transfer correlate --metric confidence --method spearman`

    Example: `transfer correlate --measures mine.csv --before base --after chat`
    """
    from transfer.protocols import cross_stage, tidy
    from transfer.tables import read_measures
    from transfer.uncertainty import bootstrap
    from transfer.uncertainty.intervals import FEWEST_MIXTURES

    if out is not None:
        refuse_folder(out)
    grid = read_measures(measures or default_measures(), normalization, suite, scales=scale)
    table = tidy(bootstrap(cross_stage, grid, metric, method=method, before=before, after=after))
    kept = ("scale", "benchmark", "category", "value", "low", "high", "n")
    table = table[[name for name in kept if name in table]]
    if grid.sizes["mixture"] < FEWEST_MIXTURES:
        console.print(
            f"{grid.sizes['mixture']} mixtures: r needs three or more, an interval "
            f"{FEWEST_MIXTURES}; what cannot be had is nan",
            soft_wrap=True,
        )
    if out is not None:
        with replacing(out) as beside:
            table.to_csv(beside, index=False)
        console.print(f"wrote {out}: {len(table)} rows", soft_wrap=True)
        return
    shown = Table(title=f"{metric} at {before} against {after}, {method} r over mixtures")
    for column in table.columns:
        shown.add_column(column)
    for row in table.itertuples(index=False):
        shown.add_row(*(f"{v:+.2f}" if isinstance(v, float) else str(v) for v in row))
    stdout.print(shown)


@app.command("import")
@user_errors
def import_(
    source: Annotated[
        list[Path],
        typer.Argument(help="Folders or files of results, or one table (.csv, .tsv or .parquet)."),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder to write measures.parquet and items/ to.")
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option(help="YAML, or CSV with run, mixture, scale, seed and stage."),
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(help="Regular expression with groups mixture, scale, seed and stage."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="What the pattern does not name, such as seed=0; repeat it."),
    ] = None,
    stages: Annotated[
        str | None,
        typer.Option(help="Stages from earliest to latest, as base,chat, if not pretrain,sft."),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(help="Name of the study; a suite's name or file gives its categories too."),
    ] = None,
    subtasks: Annotated[
        bool, typer.Option("--subtasks", help="Keep the tasks of a group (MMLU's 57) apart.")
    ] = False,
    latest: Annotated[
        bool, typer.Option("--latest", help="Of a task evaluated twice, take the last.")
    ] = False,
    partial: Annotated[
        bool, typer.Option("--partial", help="Write although some results have no place.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would become what.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace tables that are there.")] = False,
) -> None:
    """Turn results of lm-evaluation-harness or OLMES, or a table, into items and measures.

    Example: `transfer import results --pattern '(?P<mixture>.+)-(?P<stage>base|chat)'
    --set scale=1B --set seed=0 --stages base,chat --out mine`, then
    `transfer report --measures mine/measures.parquet`
    """
    from transfer.importers import command

    command.run(
        source,
        out,
        mapping,
        suite,
        {
            "pattern": pattern,
            "set": _assignments(set_ or [], "--set", "seed=0"),
            "stages": tuple(name.strip() for name in (stages or "").split(",") if name.strip()),
        },
        command.Switches(subtasks, latest, partial, dry_run, force),
        console,
    )


@app.command()
@user_errors
def report(
    measures: Measures = None,
    out: Annotated[Path, typer.Option(help="Folder to build in.")] = Path("build"),
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", help="name=value for the notebooks; repeat the option."),
    ] = None,
    before: Annotated[
        str | None, typer.Option(help="The earlier stage to compare.  [default: the first]")
    ] = None,
    after: Annotated[
        str | None, typer.Option(help="The later stage to compare.  [default: the last]")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Notebooks executed at a time.", min=1)] = 2,
    pdf: Annotated[
        bool, typer.Option("--pdf", help="Also print it as report.pdf (needs Chromium).")
    ] = False,
) -> None:
    """Execute the notebooks on a measures table and build the book.

    Example: `transfer report --measures mine.csv --out build/mine -p method=spearman`
    """
    from transfer.report import report as build_report

    build_report(
        measures=measures,
        out=out,
        parameters=_assignments(parameter or []),
        jobs=jobs,
        before=before,
        after=after,
        pdf=pdf,
    )


def default_measures() -> Path:
    """Return the path of the committed measures table."""
    from transfer.suite import repository

    return repository() / "data" / "mini" / "measures.parquet"


def _assignments(
    pairs: list[str], option: str = "-p", example: str = "method=spearman"
) -> dict[str, str]:
    """Return `name=value` pairs as a dict of strings."""
    for pair in pairs:
        if "=" not in pair:
            raise BadInput(
                f"{option} {pair!r}: write it as name=value, for example {option} {example}"
            )
    return dict(pair.split("=", 1) for pair in pairs)
