"""Results that lm-evaluation-harness really wrote, of four versions, and one made here and now."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_results import COMMITTED, RUNS, evaluate, task_files

from transfer.benchmarks import generate
from transfer.errors import BadInput
from transfer.importers import MappingFile, find, plan, write
from transfer.importers.harness import read_samples
from transfer.measures import benchmark_scores, summarize
from transfer.suite import repository
from transfer.tables import lookup, read_items, read_measures, read_measures_table

PATTERN = r"(?P<mixture>V\dP\d)-(?P<scale>[SML])-s(?P<seed>\d)-(?P<stage>pretrain|sft)"
NAMED = {
    "pattern": PATTERN,
    "benchmarks": {"transitive_free": {"metric": "exact_match,none", "category": "Free"}},
}


def mapping(**more):
    return MappingFile.model_validate({**NAMED, **more})


def samples_of(version, task):
    return next((COMMITTED.parent / version).rglob(f"*{task}*"))


def gap(first, second):
    """Return the largest difference of two items tables' log-likelihoods."""
    one, other = (np.concatenate(table["loglikelihood"].to_list()) for table in (first, second))
    return np.abs(one - other).max()


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    out = tmp_path_factory.mktemp("imported")
    made = plan(find([COMMITTED]), mapping())
    assert made.unmatched == []
    write(made, out, "mine")
    return out


def test_the_numbers_are_those_of_the_committed_suite(imported):
    """The same checkpoints, scored by this project when the suite was made."""
    for run in RUNS:
        ours, _ = read_items(repository() / "data" / "mini" / "items" / f"{run}.parquet")
        theirs, metadata = read_items(imported / "items" / f"{run}.parquet")
        assert metadata["stage"] == run.rsplit("-", 1)[1]
        for name in ("agreement", "polarity", "transitive"):
            there = theirs[theirs["benchmark"] == name].reset_index(drop=True)
            same = lookup(ours[ours["benchmark"] == name], there["item"])
            assert len(there) == 8
            assert (there["gold"] == same["gold"]).all()
            assert there["n_bytes"].map(list).tolist() == same["n_bytes"].map(list).tolist()
            if run.endswith("pretrain"):
                # After SFT the harness puts every task into the chat template, the suite only
                # questions.
                assert gap(there, same) < 1e-4


def test_the_accuracies_are_those_that_the_harness_reports(imported):
    table = read_measures_table(imported / "measures.parquet")
    for run in RUNS:
        path = next((COMMITTED / f"checkpoints__{run}").glob("results_*.json"))
        results = json.loads(path.read_text())["results"]
        mixture, _, _, stage = run.split("-")
        rows = table[(table["mixture"] == mixture) & (table["stage"] == stage)]
        rows = rows.set_index(["benchmark", "normalization"])["accuracy"]
        for task in ("agreement", "polarity", "transitive", "agreement_inside", "polarity_parts"):
            assert rows[task, "sum"] == pytest.approx(results[task]["acc,none"], abs=1e-12)
        assert rows["transitive", "byte"] == pytest.approx(results["transitive"]["acc_bytes,none"])
        told = results["transitive_told"]["acc_mutual_info,none"]
        assert rows["transitive_told", "unconditional"] == pytest.approx(told)
        free = results["transitive_free"]["exact_match,none"]
        assert rows["transitive_free", "sum"] == pytest.approx(free)
        macro = results["agreement_parts"]["acc,none"]
        assert rows["agreement_parts", "sum"] == pytest.approx(macro)


def test_a_group_has_the_items_of_its_tasks(imported):
    items, _ = read_items(imported / "items" / "V1P0-S-s0-pretrain.parquet")
    parts = items[items["benchmark"] == "polarity_parts"]
    whole = items[items["benchmark"] == "polarity"]
    assert len(parts) == len(whole) == 8
    assert sorted(parts["item"].str.split("/").str[1]) == sorted(whole["item"])
    # A group that gives every task the same weight has no items to be measured by.
    assert not (items["benchmark"] == "agreement_parts").any()
    assert "polarity_first" not in set(items["benchmark"])


def test_subtasks_can_be_kept_apart():
    made = plan(find([COMMITTED]), mapping(), subtasks=True)
    names = {cell.benchmark for cell in made.cells}
    assert {"polarity_first", "polarity_second", "agreement_early"} <= names
    assert not names & {"polarity_parts", "agreement_parts"}


def test_tasks_can_be_pooled_by_the_mapping(tmp_path):
    made = plan(find([COMMITTED]), mapping(groups={"both": ["polarity_*", "agreement"]}))
    cell = next(cell for cell in made.cells if cell.benchmark == "both")
    assert len(cell.evaluations) == 3
    write(made, tmp_path, "mine")
    table = read_measures_table(tmp_path / "measures.parquet")
    assert set(table.loc[table["benchmark"] == "both", "n_items"]) == {16}


def test_a_task_without_an_accuracy_is_listed_and_not_guessed():
    made = plan(find([COMMITTED]), MappingFile.model_validate({"pattern": PATTERN}))
    assert len(made.unmatched) == len(RUNS)
    assert all("exact_match,none" in line for line in made.unmatched)
    assert "transitive_free" not in {cell.benchmark for cell in made.cells}


def test_the_table_reads_as_a_grid_with_stages_and_defaults(tmp_path):
    named = mapping(
        names={"stage": {"pretrain": "base", "sft": "chat"}},
        stages=["base", "chat"],
        benchmarks={
            "polarity": {"category": "NLI", "normalization": "byte"},
            **NAMED["benchmarks"],
        },
        mixtures={"V1P0": {"code_share": 0.1}, "V2P2": {"code_share": 0.4}},
    )
    write(plan(find([COMMITTED]), named), tmp_path, "mine")
    grid = read_measures(tmp_path / "measures.parquet")
    assert grid["stage"].to_numpy().tolist() == ["base", "chat"]
    assert grid["normalization"].sel(benchmark="polarity").item() == "byte"
    assert grid["normalization"].sel(benchmark="agreement").item() == "sum"
    assert grid["category"].sel(benchmark="polarity").item() == "NLI"
    assert grid["code_share"].to_numpy().tolist() == [0.1, 0.4]


@pytest.mark.parametrize("version", ["0.4.2", "0.4.3", "0.4.5"])
@pytest.mark.parametrize("task", ["_agreement[_.][2j]", "_agreement_inside"])
def test_earlier_versions_give_the_same_items(version, task):
    """Three earlier versions on the same checkpoint and items, each in its own format."""
    earlier = read_samples(samples_of(version, task))
    now = read_samples(samples_of("0.4.13/checkpoints__V1P0-S-s0-pretrain", task))
    assert earlier["item"].tolist() == now["item"].tolist()
    assert earlier["gold"].tolist() == now["gold"].tolist()
    assert gap(earlier, now) < 1e-4


@pytest.mark.parametrize("version", ["0.4.2", "0.4.3", "0.4.5"])
def test_folders_of_earlier_versions_are_imported_whole(version, tmp_path):
    """With 0.4.5 the harness's own accuracy of a task with mutual information is wrong."""
    folder = tmp_path / version
    shutil.copytree(COMMITTED.parent / version, folder)
    if version == "0.4.5":
        told = next(folder.rglob("*told*"))
        with pytest.raises(BadInput, match="acc does not go with the log-likelihoods"):
            write(plan(find([folder]), mapping()), tmp_path / "refused", "mine")
        assert not (tmp_path / "refused" / "measures.parquet").exists()
        told.unlink()
    write(plan(find([folder]), mapping()), tmp_path / "out", "mine")
    items, metadata = read_items(tmp_path / "out" / "items" / "V1P0-S-s0-pretrain.parquet")
    assert metadata["mixture"] == "V1P0"
    assert {"agreement", "agreement_inside"} <= set(items["benchmark"])
    ours, _ = read_items(repository() / "data/mini/items/V1P0-S-s0-pretrain.parquet")
    theirs = items[items["benchmark"] == "agreement"]
    same = lookup(ours[ours["benchmark"] == "agreement"], theirs["item"])
    assert gap(theirs, same) < 1e-4


def test_options_in_the_context_have_the_right_gold():
    """The harness writes no index there; our own items know it."""
    items = read_samples(samples_of("0.4.13/checkpoints__V1P0-S-s0-pretrain", "inside"))
    known = {row["id"]: row["gold"] for row in generate("agreement", 8)}
    assert items["gold"].tolist() == [known[name] for name in items["item"]]


def changed(tmp_path, change):
    """Return a copy of one file of samples with a change made to each sample."""
    lines = samples_of("0.4.13/checkpoints__V1P0-S-s0-pretrain", "transitive_2").read_text()
    samples = [json.loads(line) for line in lines.splitlines()]
    path = tmp_path / "samples.jsonl"
    path.write_text("".join(json.dumps(change(sample)) + "\n" for sample in samples))
    return path


def numbered(sample):
    """Options that are numbers: the target may be an index or a text."""
    texts = [" 1", " 0", " 2"]
    for text, entry in zip(texts, sample["arguments"].values(), strict=True):
        entry["arg_1"] = text
    return sample


def test_an_index_and_a_text_are_told_apart_by_the_accuracy_of_every_item(tmp_path):
    by_index = read_samples(changed(tmp_path, numbered))

    def by_text(sample):
        sample = numbered(sample)
        sample["target"] = ["1", "0", "2"][int(sample["target"])]
        return sample

    assert read_samples(changed(tmp_path, by_text))["gold"].tolist() == by_index["gold"].tolist()


def test_what_cannot_be_told_apart_is_refused(tmp_path):
    def silent(sample):
        del sample["acc"]
        return numbered(sample)

    with pytest.raises(BadInput, match="acc does not decide"):
        read_samples(changed(tmp_path, silent))
    with pytest.raises(BadInput, match="several right options"):
        read_samples(changed(tmp_path, lambda sample: sample | {"target": "[0, 2]"}))


def test_items_are_numbered_where_documents_have_no_id(tmp_path):
    path = changed(tmp_path, lambda sample: sample | {"doc": {}})
    assert read_samples(path)["item"].tolist() == [str(at) for at in range(8)]


def test_samples_of_another_evaluation_are_refused(tmp_path):
    folder = tmp_path / "checkpoints__V1P0-S-s0-pretrain"
    shutil.copytree(COMMITTED / folder.name, folder)
    path = next(folder.glob("samples_transitive_2*"))
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:5]))
    with pytest.raises(BadInput, match="not of the same evaluation"):
        write(plan(find([folder]), mapping()), tmp_path / "out", "mine")
    assert not (tmp_path / "out" / "measures.parquet").exists()
    assert not (tmp_path / "out" / "items").exists()


def test_a_task_evaluated_twice_needs_a_choice(tmp_path):
    folder = tmp_path / "checkpoints__V1P0-S-s0-pretrain"
    shutil.copytree(COMMITTED / folder.name, folder)
    for path in list(folder.glob("*2026-*")):
        again = path.name.replace("2026-", "2027-")
        shutil.copyfile(path, path.with_name(again))
    made = plan(find([folder]), mapping())
    assert any("--latest" in line for line in made.unmatched)
    made = plan(find([folder]), mapping(), latest=True)
    assert made.unmatched == []
    assert all("2027-" in entry.source.name for cell in made.cells for entry in cell.evaluations)


def mmlu(folder: Path, items: int = 2):
    """Write a group of four groups of 57 tasks in all, as the harness's own MMLU is built."""
    folder.mkdir()
    rows = generate("transitive", 57 * items)
    areas = {"stem": 19, "humanities": 13, "social_sciences": 12, "other": 13}
    number = 0
    means = [{"metric": "acc", "weight_by_size": True}]
    for area, count in areas.items():
        tasks = []
        for place in range(count):
            name = f"mmlu_{area}_{place}"
            data = folder / f"{name}.jsonl"
            own = rows[number * items : (number + 1) * items]
            data.write_text("".join(json.dumps(row) + "\n" for row in own))
            files = {"data_files": {"test": str(data)}, "cache_dir": str(folder / "cache")}
            task = {
                "task": name,
                "dataset_path": "json",
                "dataset_kwargs": files,
                "test_split": "test",
                "output_type": "multiple_choice",
                "doc_to_text": "context",
                "doc_to_choice": "options",
                "doc_to_target": "gold",
                "metric_list": [{"metric": "acc"}],
            }
            (folder / f"{name}.yaml").write_text(json.dumps(task))
            tasks.append(name)
            number += 1
        group = {"group": f"mmlu_{area}", "task": tasks, "aggregate_metric_list": means}
        (folder / f"group_{area}.yaml").write_text(json.dumps(group))
    whole = {
        "group": "mmlu",
        "task": [f"mmlu_{area}" for area in areas],
        "aggregate_metric_list": means,
    }
    (folder / "group.yaml").write_text(json.dumps(whole))


@pytest.mark.slow
def test_mmlu_and_fresh_results_of_the_installed_harness(tmp_path):
    run = "V1P0-S-s0-pretrain"
    checkpoint = repository() / "data" / "mini" / "checkpoints" / run
    mmlu(tmp_path / "mmlu")
    evaluate(checkpoint, tmp_path / "mmlu", ["mmlu"], tmp_path / "results")
    names = task_files(tmp_path / "tasks", 40)
    evaluate(checkpoint, tmp_path / "tasks", names, tmp_path / "results")
    made = plan(find([tmp_path / "results"]), mapping())
    assert made.unmatched == []
    write(made, tmp_path / "out", "mine")
    table = read_measures_table(tmp_path / "out" / "measures.parquet")
    rows = table.set_index(["benchmark", "normalization"])
    assert rows.loc[("mmlu", "sum"), "n_items"] == 114
    assert not any(str(name).startswith("mmlu_") for name in table["benchmark"])
    said = {}
    for path in (tmp_path / "results").rglob("results_*.json"):
        said |= json.loads(path.read_text())["results"]
    assert rows.loc[("mmlu", "sum"), "accuracy"] == pytest.approx(said["mmlu"]["acc,none"])
    ours, _ = read_items(repository() / "data" / "mini" / "items" / f"{run}.parquet")
    for name in ("agreement", "polarity", "transitive"):
        ids = [row["id"] for row in generate(name, 40)]
        part = lookup(ours[ours["benchmark"] == name], ids)
        expected = summarize(benchmark_scores(part)["sum"], part["gold"].to_numpy())
        for measure in ("accuracy", "confidence", "nll", "brier", "ece"):
            assert rows.loc[(name, "sum"), measure] == pytest.approx(expected[measure], abs=1e-4)
    apart = plan(find([tmp_path / "results"]), mapping(), subtasks=True)
    assert sum(cell.benchmark.startswith("mmlu_") for cell in apart.cells) == 57


def test_only_accuracies_give_a_table_without_confidence(tmp_path):
    folder = tmp_path / "checkpoints__V1P0-S-s0-pretrain"
    folder.mkdir()
    source = next((COMMITTED / folder.name).glob("results_*.json"))
    shutil.copyfile(source, folder / source.name)
    frame = write(plan(find([folder]), mapping()), tmp_path / "out", "mine")
    assert isinstance(frame, pd.DataFrame)
    assert "confidence" not in frame
    assert not (tmp_path / "out" / "items").exists()
    assert "confidence" not in read_measures(tmp_path / "out" / "measures.parquet", "sum")


@pytest.fixture
def results(tmp_path):
    """The committed results, to change."""
    shutil.copytree(COMMITTED, tmp_path / "results")
    return tmp_path / "results"


@pytest.mark.parametrize("gone", ["missing", "empty"])
def test_samples_that_are_not_there_are_noted(results, gone):
    assert not any("no items" in line for line in plan(find([results]), mapping()).notes)
    folder = results / "checkpoints__V1P0-S-s0-pretrain"
    for task in ("transitive", "agreement_early"):
        path = next(folder.glob(f"samples_{task}_2*"))
        path.unlink()
        if gone == "empty":
            path.touch()
    said = (
        "V1P0-S-s0-pretrain: no items of agreement_parts, transitive (samples are missing or "
        "empty); taken with accuracies alone"
    )
    for given in ([results], [folder]):
        (note,) = [line for line in plan(find(given), mapping()).notes if "no items" in line]
        assert note == said


def test_half_of_the_samples_are_not_taken_though_the_accuracy_agrees(results, tmp_path):
    folder = results / "checkpoints__V1P0-S-s0-pretrain"
    path = next(folder.glob("samples_transitive_2*"))
    lines = path.read_text().splitlines(keepends=True)
    right = [line for line in lines if json.loads(line)["acc"] == 1]
    wrong = [line for line in lines if json.loads(line)["acc"] != 1]
    content = next(folder.glob("results_*.json"))
    said = json.loads(content.read_text())
    said["results"]["transitive"]["acc,none"] = 0.5
    content.write_text(json.dumps(said))
    path.write_text("".join([right[0], wrong[0]]))
    made = plan(find([folder]), mapping())
    write(made, tmp_path / "out", "mine")
    assert any("has 2 items" in line and "says 8; taken without" in line for line in made.notes)
    items, _ = read_items(tmp_path / "out" / "items" / "V1P0-S-s0-pretrain.parquet")
    assert "transitive" not in set(items["benchmark"])
    table = read_measures_table(tmp_path / "out" / "measures.parquet")
    row = table[(table["benchmark"] == "transitive") & (table["normalization"] == "sum")]
    assert row[["n_items", "accuracy"]].to_numpy().tolist() == [[8, 0.5]]


def test_names_of_the_mapping_that_nothing_has_are_noted():
    more = {
        "benchmarks": {**NAMED["benchmarks"], "transitiv": {"category": "A"}},
        "mixtures": {"V1P0": {"web": "V1"}, "V9": {"web": "V9"}, "V8": {}},
        "scales": {"S": {"parameters": 1e6}, "XL": {"parameters": 1e9}},
    }
    notes = [line for line in plan(find([COMMITTED]), mapping(**more)).notes if "mapping:" in line]
    assert [line.split(" is called ")[1] for line in notes] == [
        "transitiv; check the spelling",
        "V9 or V8; check the spelling",
        "XL; check the spelling",
    ]


@pytest.mark.parametrize("task", ["transitive", "polarity_parts"])
def test_one_bad_number_drops_its_cell_alone(results, task):
    whole = plan(find([results]), mapping())
    content = next((results / "checkpoints__V1P0-S-s0-sft").glob("results_*.json"))
    said = json.loads(content.read_text())
    for section in ("results", "groups"):
        if task in said[section]:
            said[section][task]["acc,none"] = 1.5
    content.write_text(json.dumps(said))
    made = plan(find([results]), mapping())
    assert len(made.unmatched) == 1
    assert f"task '{task}': acc,none is 1.5, not in [0, 1]" in made.unmatched[0]
    gone = {(str(c.run), c.benchmark) for c in whole.cells}
    gone -= {(str(c.run), c.benchmark) for c in made.cells}
    assert gone == {("V1P0-S-s0-sft", task)}


def test_a_bad_number_of_a_named_metric_is_listed(results):
    content = next((results / "checkpoints__V1P0-S-s0-sft").glob("results_*.json"))
    said = json.loads(content.read_text())
    said["results"]["transitive_free"]["exact_match,none"] = 3.0
    content.write_text(json.dumps(said))
    made = plan(find([results]), mapping())
    assert len(made.unmatched) == 1
    assert "exact_match,none is 3, not in [0, 1]" in made.unmatched[0]


def test_a_group_of_the_mapping_needs_items(results):
    next((results / "checkpoints__V1P0-S-s0-sft").glob("samples_transitive_2*")).unlink()
    groups = {"mine": ["transitive", "polarity"]}
    (line,) = plan(find([results]), mapping(groups=groups)).unmatched
    assert "group 'mine' of V1P0-S-s0-sft: transitive has no items" in line
