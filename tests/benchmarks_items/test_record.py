"""What is committed of the benchmarks comes out again of the functions that wrote it."""

import shutil

import pandas as pd

from transfer.benchmarks import CANDIDATES, build, record
from transfer.benchmarks.freezing import freeze
from transfer.suite import load_suite, repository
from transfer.workspace import Workspace

COMMITTED = repository() / "data" / "benchmarks"


def test_the_pilot_gives_the_benchmarks_of_the_suite_file():
    table = pd.read_csv(COMMITTED / "candidates.csv")
    frozen = freeze(table, pd.read_csv(COMMITTED / "pilot.csv"))
    section = record.suite_section(frozen, table)
    suite = (repository() / "data" / "suites" / "mini.yaml").read_text(encoding="utf-8")
    assert section in suite
    assert sorted(one.name for one in frozen) == sorted(p.stem for p in COMMITTED.glob("*.yaml"))


def test_a_generated_benchmark_is_recorded_as_it_is_committed(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TRANSFER_HOME", str(tmp_path / "home"))
    name, folder = "transitive", tmp_path / "benchmarks"
    folder.mkdir()
    shutil.copy(COMMITTED / "pilot.csv", folder)
    build(load_suite("mini"), Workspace("mini"), [name])
    table = pd.read_csv(COMMITTED / "candidates.csv")
    chosen = [
        one for one in freeze(table, pd.read_csv(COMMITTED / "pilot.csv")) if one.name == name
    ]
    monkeypatch.setattr(record, "CANDIDATES", {name: CANDIDATES[name]})
    monkeypatch.setattr(record, "freeze", lambda candidates, pilot: chosen)
    capsys.readouterr()
    record.main(str(folder))
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "benchmarks:"
    suite = (repository() / "data" / "suites" / "mini.yaml").read_text(encoding="utf-8")
    assert f"{said[1]}\n" in suite
    for path in (f"{name}.yaml", f"ids/{name}.txt"):
        assert (folder / path).read_bytes() == (COMMITTED / path).read_bytes()
    again = pd.read_csv(folder / "candidates.csv")
    expected = table[table["name"] == name].reset_index(drop=True)
    pd.testing.assert_frame_equal(again, expected, check_dtype=False)
