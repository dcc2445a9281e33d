"""The command line: help that teaches, and one clear line with exit code 2 on a user's mistake."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from transfer.cli import app
from transfer.verification import Check

COMMANDS = [
    ["score"],
    ["measure"],
    ["correlate"],
    ["import"],
    ["report"],
    ["suite", "prepare"],
    ["suite", "run"],
    ["suite", "status"],
    ["suite", "commit"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_an_example(command):
    result = CliRunner().invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    assert f"transfer {' '.join(command)}" in " ".join(result.output.split())
    assert "Example" in result.output


def refused(*arguments):
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 2, result.output
    lines = result.stderr.strip().splitlines()
    assert lines[0].startswith("error: ")
    assert "Traceback" not in result.output
    return " ".join(lines)


def test_unknown_suite_names_the_known_ones():
    assert "mini" in refused("suite", "status", "nosuch")


def test_unknown_mixture_lists_the_mixtures():
    assert "V1P0" in refused("suite", "run", "mini", "--mixture", "V9")


def test_correlate_on_a_missing_table(tmp_path):
    assert "nosuch.parquet" in refused("correlate", "--measures", str(tmp_path / "nosuch.parquet"))


STRANGE = "bad[/x] :cat:"


@pytest.fixture
def strange(tmp_path):
    """A table of two stages with names that a terminal library could take for its markup."""
    path = tmp_path / "o[/x]" / "strange.csv"
    path.parent.mkdir(parents=True)
    lines = ["mixture,scale,seed,stage,benchmark,accuracy"]
    lines += [
        f"m{at},1B,0,{stage},{STRANGE},{(at * factor) % 7 / 7}"
        for at in range(5)
        for stage, factor in (("base", 3), ("chat", 5))
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_correlate_takes_two_stages_and_prints_names_as_they_are(strange):
    given = ["correlate", "--measures", str(strange), "--before", "base", "--after", "chat"]
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 0, result.output
    assert STRANGE in result.output
    out = strange.with_name("out.csv")
    result = CliRunner().invoke(app, [*given, "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert f"wrote {out}: 1 rows" in result.output
    assert STRANGE in out.read_text()


def test_correlate_says_what_few_mixtures_cannot_give(strange):
    lines = strange.read_text(encoding="utf-8").splitlines()
    strange.write_text("\n".join(lines[:5]) + "\n", encoding="utf-8")
    given = ["correlate", "--measures", str(strange), "--before", "base", "--after", "chat"]
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 0, result.output
    assert "2 mixtures: r needs three or more, an interval 5; what cannot be had" in result.output
    assert "+nan" in result.output


def test_import_prints_names_as_they_are(strange):
    result = CliRunner().invoke(app, ["import", str(strange), "--dry-run"])
    assert result.exit_code == 0, result.output
    assert STRANGE in result.output


def test_verify_prints_what_differs_as_it_is(monkeypatch):
    check = Check(f"table {STRANGE}", 2, [f"row {STRANGE}"], f"note {STRANGE}")
    monkeypatch.setattr("transfer.verification.verify", lambda suite, scoring: [check])
    result = CliRunner().invoke(app, ["suite", "verify"])
    assert result.exit_code == 1
    assert f"differs  table {STRANGE}: 2 (note {STRANGE})" in result.output
    assert f"row {STRANGE}" in result.output


def test_measure_on_an_empty_folder(tmp_path):
    message = refused("measure", str(tmp_path), "--out", str(tmp_path / "out.parquet"))
    assert "score a checkpoint" in message
    assert not (tmp_path / "out.parquet").exists()


def test_score_does_not_overwrite(tmp_path):
    out = tmp_path / "items.parquet"
    out.write_bytes(b"kept")
    assert "--force" in refused("score", str(tmp_path), "--out", str(out))
    assert out.read_bytes() == b"kept"


def test_score_writes_several_checkpoints_into_a_folder(tmp_path):
    first, second = str(tmp_path / "a" / "x"), str(tmp_path / "b" / "x")
    for folder in (first, second):
        Path(folder).mkdir(parents=True)
    message = refused("score", first, second, "--out", str(tmp_path / "items.parquet"))
    assert "one file for 2 checkpoints; give a folder" in message
    assert "two checkpoints have the same name" in refused(
        "score", first, second, "--out", str(tmp_path)
    )
    (tmp_path / "x.parquet").write_bytes(b"kept")
    assert "x.parquet is there already" in refused("score", first, "--out", str(tmp_path))


def test_report_parameter_without_a_value():
    assert "name=value" in refused("report", "-p", "method")


def test_the_right_half_never_imports_torch():
    code = (
        "import sys, transfer, transfer.cli, transfer.charts, transfer.report, transfer.corpus, "
        "transfer.benchmarks, transfer.claims, transfer.uncertainty, transfer.measures\n"
        "assert not {'torch', 'transformers', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
