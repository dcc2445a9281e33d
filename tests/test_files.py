"""What is written never takes the place of a folder that is someone's own."""

import errno

import pytest
from typer.testing import CliRunner

from transfer.cli import app
from transfer.errors import BadInput
from transfer.files import make_folder, replacing
from transfer.report import report
from transfer.report.place import MARK, check_place, clear
from transfer.suite import repository

ROWS = [
    f"V{mixture},S,0,{stage},a,0.{mixture}{place}\n"
    for mixture in range(1, 6)
    for place, stage in enumerate(("pretrain", "sft"), 4)
]


@pytest.fixture
def precious(tmp_path):
    folder = tmp_path / "precious.parquet"
    folder.mkdir()
    (folder / "thesis.txt").write_text("all of it", encoding="utf-8")
    return folder


def refused(*arguments):
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    return " ".join(result.stderr.split())


def test_a_file_does_not_take_the_place_of_a_folder(precious):
    with (
        pytest.raises(BadInput, match=r"precious.parquet: is a folder; give a file"),
        replacing(precious) as beside,
    ):
        beside.write_text("new", encoding="utf-8")
    assert [path.name for path in precious.iterdir()] == ["thesis.txt"]
    assert list(precious.parent.iterdir()) == [precious]


def test_a_folder_takes_the_place_of_a_folder(precious):
    with replacing(precious) as beside:
        beside.mkdir()
    assert not any(precious.iterdir())


def test_commands_that_write_a_file_refuse_a_folder(precious, tmp_path):
    table = tmp_path / "scores.csv"
    table.write_text("mixture,scale,seed,stage,benchmark,accuracy\n" + "".join(ROWS), "utf-8")
    items = repository() / "data" / "mini" / "items"
    model = repository() / "data" / "mini" / "checkpoints" / "V1P0-S-s0-sft"
    for command in (
        ["correlate", "--measures", table],
        ["measure", items],
        ["score", model, "--force"],
    ):
        assert "is a folder; give a file" in refused(*command, "--out", precious)
    assert (precious / "thesis.txt").exists()


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path):
    (tmp_path / "f").touch()
    with pytest.raises(BadInput, match=r"f/x: cannot be made a folder \(Not a directory\)"):
        make_folder(tmp_path / "f" / "x")
    with pytest.raises(BadInput, match=r"f: cannot be made a folder"):
        make_folder(tmp_path / "f")


def test_what_the_system_says_of_a_path_is_one_line(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", "x.csv")

    monkeypatch.setattr("transfer.tables.read_measures", full)
    assert "x.csv: No space left on device" in refused("correlate", "--measures", "m.csv")
    (tmp_path / "f").touch()
    model = repository() / "data" / "mini" / "checkpoints" / "V1P0-S-s0-sft"
    assert "f: cannot be made a folder" in refused("score", model, "--out", tmp_path / "f")
    said = refused("report", "--out", tmp_path / "f" / "x")
    assert "f/x: cannot be made a folder (Not a directory); give another path" in said


def test_a_report_leaves_a_book_of_someone_else(tmp_path):
    pytest.importorskip("jupyter_book")
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "chapter.md").write_text("mine", encoding="utf-8")
    for refuse in (report, check_place, clear):
        with pytest.raises(BadInput, match=r"book: is not from an earlier report"):
            refuse(out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["book"]


def test_a_report_replaces_what_a_report_wrote(tmp_path):
    gathered = clear(tmp_path)
    (gathered / "page.md").touch()
    check_place(tmp_path)
    assert clear(tmp_path) == gathered
    assert [path.name for path in gathered.iterdir()] == [MARK]
    assert list(tmp_path.iterdir()) == [gathered]


@pytest.mark.parametrize("place", [".", "book", "notebooks/own", "transfer/../data"])
def test_a_report_is_not_built_over_the_sources(place):
    with pytest.raises(BadInput, match="holds the sources; give another --out"):
        check_place(repository() / place)
