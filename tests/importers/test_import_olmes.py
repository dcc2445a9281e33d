"""OLMES metrics and predictions, written out here in that tool's form."""

import json
import math

import pytest

from transfer.errors import BadInput
from transfer.importers import MappingFile, find, plan, write
from transfer.importers.olmes import read_predictions
from transfer.tables import read_items, read_measures_table

MAPPING = MappingFile.model_validate(
    {"pattern": r"(?P<mixture>\w+)-(?P<scale>\d+M)@(?P<stage>base|chat)", "set": {"seed": "3"}}
)
SUMS = [[-4.0, -3.0], [-2.0, -2.5], [-6.0, -1.0], [-3.0, -9.0]]
CHARACTERS = [[20, 6], [4, 5], [6, 2], [3, 9]]
GOLD = [1, 0, 0, 0]


def predictions():
    return [
        {
            "doc_id": at,
            "native_id": f"q{at}",
            "label": gold,
            "metrics": {"acc_raw": int((sums.index(max(sums))) == gold), "correct_choice": gold},
            "model_output": [
                {
                    "sum_logits": value,
                    "num_tokens": 2,
                    "num_chars": count,
                    "sum_logits_uncond": -5.0,
                    "logits_per_byte": -value / (math.log(2) * count),
                }
                for value, count in zip(sums, counts, strict=True)
            ],
        }
        for at, (sums, counts, gold) in enumerate(zip(SUMS, CHARACTERS, GOLD, strict=True))
    ]


def folder_of(tmp_path, lines, **changes):
    metrics = {
        "task_name": "arc_easy",
        "task_config": {"task_name": "arc_easy", "primary_metric": "acc_per_char"},
        "model_config": {"model": "org/mixA-10M", "revision": "base"},
        "num_instances": 4,
        "metrics": {
            "acc_raw": 0.75,
            "acc_per_char": 0.75,
            "acc_uncond": 0.75,
            "primary_score": 0.75,
        },
    }
    stem = tmp_path / "results" / "task-000-arc_easy"
    stem.parent.mkdir(exist_ok=True)
    stem.with_name(f"{stem.name}-metrics.json").write_text(json.dumps(metrics | changes))
    if lines is not None:
        text = "".join(json.dumps(line) + "\n" for line in lines)
        stem.with_name(f"{stem.name}-predictions.jsonl").write_text(text)
    return stem.parent


def test_predictions_become_items_and_measures(tmp_path):
    made = plan(find([folder_of(tmp_path, predictions())]), MAPPING)
    assert made.unmatched == []
    write(made, tmp_path / "out", "mine")
    items, metadata = read_items(tmp_path / "out" / "items" / "mixA-10M-s3-base.parquet")
    assert (metadata["mixture"], metadata["scale"], metadata["seed"]) == ("mixA", "10M", 3)
    assert items["item"].tolist() == ["q0", "q1", "q2", "q3"]
    assert items["gold"].tolist() == GOLD
    assert items["loglikelihood"].map(list).tolist() == SUMS
    assert items["n_bytes"].map(list).tolist() == CHARACTERS
    table = read_measures_table(tmp_path / "out" / "measures.parquet").set_index("normalization")
    assert set(table["category"]) == {"Science"}
    assert set(table.index) == {"sum", "token", "byte", "unconditional"}
    assert table.loc["sum", "accuracy"] == 0.75


def test_without_predictions_there_are_accuracies(tmp_path):
    write(plan(find([folder_of(tmp_path, None)]), MAPPING), tmp_path / "out", "mine")
    table = read_measures_table(tmp_path / "out" / "measures.parquet")
    assert dict(zip(table["normalization"], table["accuracy"], strict=True)) == {
        "sum": 0.75,
        "byte": 0.75,
        "unconditional": 0.75,
    }
    assert "confidence" not in table


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"label": 7}, "label 7 is no option"),
        ({"label": 0}, "acc_raw is 1, its options say otherwise"),
        ({"model_output": [{"sum_logits": -1.0}] * 2}, "model_output lacks"),
        (
            {"model_output": [{"sum_logits": math.nan, "num_tokens": 1, "num_chars": 1}] * 2},
            "finite",
        ),
        ({"model_output": [{"sum_logits": -1.0, "num_tokens": 0, "num_chars": 1}] * 2}, "below 1"),
        ({"native_id": "q1", "doc_id": 1}, "item '1' is there twice"),
    ],
)
def test_a_bad_prediction_is_refused_with_its_entry(tmp_path, change, says):
    lines = predictions()
    lines[0] |= change
    folder = folder_of(tmp_path, lines)
    with pytest.raises(BadInput, match=says):
        read_predictions(next(folder.glob("*predictions.jsonl")))


def test_files_besides_the_results_are_one_note_and_the_last(tmp_path):
    folder = folder_of(tmp_path, predictions())
    for name in ("asked.json", "metrics.json"):
        (folder / name).write_text("{}")
    for number in range(6):
        (folder / f"task-{number:03d}-arc_easy-requests.jsonl").write_text("{}\n")
    made = plan(find([folder]), MAPPING.model_copy(update={"scales": {"11M": None}}))
    assert len(made.notes) == 2
    assert "'11M'" in made.notes[0] or "called 11M" in made.notes[0]
    assert made.notes[1].startswith("left out, not files of results (8): asked.json, metrics.json")
    assert made.notes[1].endswith("and 3 more")


def test_predictions_of_fewer_items_are_not_taken(tmp_path):
    folder = folder_of(tmp_path, predictions(), num_instances=8)
    made = plan(find([folder]), MAPPING)
    frame = write(made, tmp_path / "out", "mine")
    assert "has 4 items, task-000-arc_easy-metrics.json says 8; taken without" in made.notes[-1]
    assert set(frame["n_items"]) == {8}
    assert not (tmp_path / "out" / "items").exists()
