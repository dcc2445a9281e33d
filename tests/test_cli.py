"""The command line: help that teaches, and one clear line with exit code 2 on a user's mistake."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from transfer.cli import app

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
