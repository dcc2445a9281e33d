"""Tables: a bad one is refused with its row and its column, a good one comes back as it was."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import transfer
from transfer.entries import Benchmark
from transfer.errors import BadInput
from transfer.suite import load_suite
from transfer.tables import (
    ITEMS,
    MEASURES,
    MissingCells,
    missing,
    parameters,
    read_items,
    read_measures,
    read_measures_table,
    write_items,
    write_measures,
)

METADATA = {"suite": "mini", "mixture": "V1P0", "scale": "S", "seed": 0, "stage": "sft", "step": 9}


@pytest.fixture
def items():
    return pd.DataFrame(
        {
            "benchmark": ["a", "a", "b"],
            "item": ["1", "2", "1"],
            "gold": [0, 2, 1],
            "loglikelihood": [[-1.0, -2.0], [-1.0, -2.0, -3.0], [-0.5, -0.25]],
            "n_tokens": [[1, 2], [1, 1, 1], [3, 3]],
            "n_bytes": [[4, 5], [3, 3, 3], [9, 8]],
            "unconditional": [[-2.0, -2.5], [-2.0, -2.0, -2.0], None],
        }
    )


@pytest.fixture
def rows():
    """Two mixtures, both stages, two benchmarks, two normalizations."""
    made = []
    for mixture in ("V1P0", "V2P0"):
        for stage in ("pretrain", "sft"):
            for benchmark, category in (("x", "NLI"), ("y", "Science")):
                for normalization in ("sum", "byte"):
                    made.append(
                        {
                            "suite": "mini",
                            "mixture": mixture,
                            "scale": "S",
                            "seed": 0,
                            "stage": stage,
                            "benchmark": benchmark,
                            "category": category,
                            "normalization": normalization,
                            "n_items": 500,
                            "chance": 0.25,
                            "accuracy": (len(made) + 1) / 40,
                            "confidence": 0.5,
                            "gold_probability": 0.4,
                            "nll": 1.2,
                            "brier": 0.6,
                            "ece": 0.1,
                            "aurc": 0.3,
                            "auroc": np.nan,
                        }
                    )
    return pd.DataFrame(made)


def benchmark(name, category, normalization):
    return Benchmark(
        name=name,
        title=name,
        category=category,
        options=4,
        chance=0.25,
        normalization=normalization,
        sources=(),
        licence="none needed",
        in_sft=False,
    )


@pytest.fixture
def suite():
    both = (benchmark("x", "NLI", "sum"), benchmark("y", "Science", "byte"))
    return load_suite("mini").model_copy(update={"benchmarks": both})


def minimal(rows):
    keys = ["mixture", "scale", "seed", "stage", "benchmark", "accuracy"]
    return rows[rows["normalization"] == "sum"][keys].reset_index(drop=True)


# Items


def test_items_come_back(items, tmp_path):
    path = tmp_path / "run.parquet"
    write_items(path, items, METADATA)
    frame, metadata = read_items(path)
    assert metadata == METADATA
    assert frame.columns.tolist() == ITEMS.names
    assert frame["loglikelihood"].map(list).tolist() == items["loglikelihood"].tolist()
    assert frame["unconditional"][2] is None
    assert list(tmp_path.iterdir()) == [path]


def test_items_may_lack_unconditional(items, tmp_path):
    path = tmp_path / "run.parquet"
    write_items(path, items.drop(columns="unconditional"), METADATA)
    assert read_items(path)[0]["unconditional"].isna().all()


def change(frame, row, column, value):
    cells = frame[column].tolist()
    cells[row] = value
    return frame.assign(**{column: pd.Series(cells, dtype=object)})


@pytest.mark.parametrize(
    ("row", "column", "value", "says"),
    [
        (1, "gold", 3, "row 2, column gold: gold 3 is out of range"),
        (0, "gold", -1, "row 1, column gold: gold -1 is out of range"),
        (2, "gold", "one", "row 3, column gold: 'one' is not int32"),
        (1, "gold", None, "row 2, column gold: no value"),
        (1, "loglikelihood", [-1.0], "row 2, column loglikelihood: 1 options"),
        (1, "loglikelihood", [-1.0, np.nan, -2.0], "row 2, column loglikelihood: holds a value"),
        (1, "loglikelihood", [-1.0, -np.inf, -2.0], "row 2, column loglikelihood: holds a value"),
        (0, "loglikelihood", [-1.0, 0.5], "row 1, column loglikelihood: holds a value"),
        (0, "loglikelihood", "text", "row 1, column loglikelihood: 'text' is not"),
        (2, "n_tokens", [1], "row 3, column n_tokens: 1 entries"),
        (2, "n_bytes", [1, 2, 3], "row 3, column n_bytes: 3 entries"),
        (2, "n_tokens", [0, 1], "row 3, column n_tokens: holds a length below 1"),
        (0, "unconditional", [-1.0], "row 1, column unconditional: 1 entries"),
        (1, "item", "1", "row 2, columns benchmark, item: the same key as row 1"),
    ],
)
def test_bad_items_are_refused(items, tmp_path, row, column, value, says):
    path = tmp_path / "run.parquet"
    with pytest.raises(BadInput, match=says.replace("(", r"\(")) as caught:
        write_items(path, change(items, row, column, value), METADATA)
    assert str(path) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_bad_items_in_a_file_are_refused(items, tmp_path):
    path = tmp_path / "run.parquet"
    write_items(path, items, METADATA)
    table = pq.read_table(path)
    gold = pa.array([0, 7, 1], pa.int32())
    pq.write_table(table.set_column(2, table.schema.field("gold"), gold), path)
    with pytest.raises(BadInput, match="row 2, column gold: gold 7 is out of range"):
        read_items(path)
    pq.write_table(table.drop_columns(["n_bytes"]), path)
    with pytest.raises(BadInput, match="column n_bytes is missing; add it"):
        read_items(path)
    pq.write_table(table.replace_schema_metadata(None), path)
    with pytest.raises(BadInput, match="not an items table"):
        read_items(path)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("stage", "SFT", "metadata stage is 'SFT'; write sft"),
        ("seed", "0", "metadata seed is '0'; write a whole number"),
        ("mixture", None, "metadata key mixture is missing"),
    ],
)
def test_bad_metadata_is_refused(items, tmp_path, key, value, says):
    metadata = {k: v for k, v in (METADATA | {key: value}).items() if v is not None}
    with pytest.raises(BadInput, match=says):
        write_items(tmp_path / "run.parquet", items, metadata)


def test_empty_items_are_refused(items, tmp_path):
    with pytest.raises(BadInput, match="the table is empty"):
        write_items(tmp_path / "run.parquet", items.head(0), METADATA)


@pytest.mark.parametrize("read", [read_items, read_measures_table])
def test_a_truncated_parquet_is_refused(items, rows, tmp_path, read):
    path = tmp_path / "cut.parquet"
    if read is read_items:
        write_items(path, items, METADATA)
    else:
        write_measures(path, rows)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BadInput, match=r"cut\.parquet: not a whole Parquet file"):
        read(path)


@pytest.mark.parametrize("name", ["absent.parquet", "absent.csv"])
def test_a_missing_file_is_refused(tmp_path, name):
    with pytest.raises(BadInput, match="no such file; check the path"):
        read_measures_table(tmp_path / name)


# Measures


@pytest.mark.parametrize("name", ["measures.parquet", "measures.csv"])
def test_measures_come_back(rows, tmp_path, name):
    path = tmp_path / name
    write_measures(path, rows)
    back = read_measures_table(path)
    assert back.columns.tolist() == MEASURES.names
    pd.testing.assert_frame_equal(back, rows[MEASURES.names], check_dtype=False)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("row", "column", "value", "says"),
    [
        (2, "accuracy", np.nan, "row 3, column accuracy: NaN or no value"),
        (2, "accuracy", 1.5, "row 3, column accuracy: 1.5 is outside [0, 1]"),
        (0, "accuracy", -0.1, "row 1, column accuracy: -0.1 is outside [0, 1]"),
        (1, "stage", "Pre-train", "row 2, column stage: stage 'Pre-train' is not known; did you"),
        (1, "seed", 0.5, "row 2, column seed: "),
        (1, "mixture", "", "row 2, column mixture: no value"),
        (3, "benchmark", "x", "columns mixture, scale, seed, stage, benchmark: the same key as"),
    ],
)
def test_bad_measures_are_refused(rows, tmp_path, suffix, row, column, value, says):
    table = minimal(rows)
    cells = table[column].tolist()
    cells[row] = value
    table[column] = cells
    path = tmp_path / f"mine.{suffix}"
    table.to_csv(path, index=False) if suffix == "csv" else table.to_parquet(path)
    with pytest.raises(BadInput) as caught:
        read_measures_table(path)
    assert says in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("accuracy", "high", "row 2, column accuracy: 'high' is not a number"),
        ("seed", "zero", "row 2, column seed: 'zero' is not a number"),
    ],
)
def test_a_wrong_type_is_refused(rows, tmp_path, column, value, says):
    table = minimal(rows).astype(object)
    table.loc[1, column] = value
    table.to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(BadInput, match=says):
        read_measures_table(tmp_path / "mine.csv")


def test_a_percentage_is_told_how_to_mend(rows, tmp_path):
    minimal(rows).assign(accuracy=55.0).to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(BadInput, match=r"outside \[0, 1\] \(a percentage\? divide by 100\)"):
        read_measures_table(tmp_path / "mine.csv")


@pytest.mark.parametrize("column", ["mixture", "scale", "seed", "stage", "benchmark", "accuracy"])
def test_a_missing_column_is_refused(rows, tmp_path, column):
    minimal(rows).drop(columns=column).to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(BadInput, match=f"column {column} is missing; add it"):
        read_measures_table(tmp_path / "mine.csv")


def test_an_empty_table_is_refused(rows, tmp_path):
    minimal(rows).head(0).to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(BadInput, match="the table is empty"):
        read_measures_table(tmp_path / "mine.csv")
    (tmp_path / "mine.csv").write_text("")
    with pytest.raises(BadInput, match="the table is empty"):
        read_measures_table(tmp_path / "mine.csv")


def test_a_misspelt_column_is_refused_and_a_strange_one_named(rows, tmp_path):
    minimal(rows).assign(confidance=0.5).to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(BadInput, match="column confidance is not known; did you mean confidence"):
        read_measures_table(tmp_path / "mine.csv")
    minimal(rows).assign(colour="blue").to_csv(tmp_path / "mine.csv", index=False)
    with pytest.warns(UserWarning, match="columns colour are not used"):
        read_measures_table(tmp_path / "mine.csv")


def test_a_bad_table_is_not_written(rows, tmp_path):
    with pytest.raises(BadInput, match="row 1, column nll: -1"):
        write_measures(tmp_path / "measures.parquet", rows.assign(nll=-1.0))
    assert list(tmp_path.iterdir()) == []


# The grid


def test_the_grid_has_the_dimensions_and_coordinates(rows, tmp_path, suite):
    path = tmp_path / "measures.parquet"
    write_measures(path, rows)
    grid = transfer.read_measures(path, suite=suite)
    assert grid["accuracy"].dims == ("scale", "stage", "seed", "mixture", "benchmark")
    assert grid["stage"].to_numpy().tolist() == ["pretrain", "sft"]
    # The order of categories is Commonsense, Science, NLI, Semantic.
    assert grid["benchmark"].to_numpy().tolist() == ["y", "x"]
    assert grid["category"].to_numpy().tolist() == ["Science", "NLI"]
    assert grid["normalization"].to_numpy().tolist() == ["byte", "sum"]
    assert grid["web"].to_numpy().tolist() == ["V1", "V2"]
    assert grid["code_share"].to_numpy().tolist() == [0.25, 0.25]
    assert grid["curated_share"].to_numpy().tolist() == [0.1, 0.1]
    assert grid["chance"].to_numpy().tolist() == [0.25, 0.25]
    assert grid["parameters"].item() > 0


def test_every_cell_is_the_tables(rows, tmp_path, suite):
    path = tmp_path / "measures.parquet"
    write_measures(path, rows.sample(frac=1, random_state=0))
    grid = transfer.read_measures(path, normalization="byte", suite=suite)
    for row in rows[rows["normalization"] == "byte"].itertuples():
        cell = grid["accuracy"].sel(
            scale=row.scale,
            stage=row.stage,
            seed=row.seed,
            mixture=row.mixture,
            benchmark=row.benchmark,
        )
        assert cell == row.accuracy


def test_a_users_table_needs_only_keys_and_accuracy(rows, tmp_path):
    table = minimal(rows).iloc[::-1]
    table.to_csv(tmp_path / "mine.csv", index=False)
    grid = read_measures(tmp_path / "mine.csv")
    assert list(grid.data_vars) == ["accuracy"]
    assert grid["mixture"].to_numpy().tolist() == ["V2P0", "V1P0"]
    assert grid["benchmark"].to_numpy().tolist() == ["y", "x"]
    assert "web" not in grid.coords
    assert "category" not in grid.coords


def test_a_users_categories_are_taken(rows, tmp_path):
    table = rows[rows["normalization"] == "sum"].drop(columns=["suite", "normalization"])
    table.to_csv(tmp_path / "mine.csv", index=False)
    grid = read_measures(tmp_path / "mine.csv")
    assert grid["category"].to_numpy().tolist() == ["NLI", "Science"]


def test_a_missing_cell_is_nan_and_named(rows, tmp_path, suite):
    path = tmp_path / "measures.parquet"
    gone = (rows["mixture"] == "V2P0") & (rows["stage"] == "sft") & (rows["benchmark"] == "x")
    write_measures(path, rows[~gone])
    with pytest.warns(MissingCells, match="1 cells are missing and stay NaN: x of V2P0-S-s0-sft"):
        grid = transfer.read_measures(path, suite=suite)
    table = missing(grid)
    assert table.to_dict("records") == [
        {"scale": "S", "stage": "sft", "seed": 0, "mixture": "V2P0", "benchmark": "x"}
    ]
    assert int(np.isnan(grid["accuracy"]).sum()) == 1


def test_a_seed_that_a_scale_never_had_is_not_missing(rows, tmp_path, suite):
    more = pd.concat([rows, rows.assign(seed=1), rows.assign(scale="L")], ignore_index=True)
    path = tmp_path / "measures.parquet"
    write_measures(path, more)
    grid = transfer.read_measures(path, suite=suite)
    assert missing(grid).empty
    assert np.isnan(grid["accuracy"].sel(scale="L", seed=1)).all()


def test_selections(rows, tmp_path, suite):
    path = tmp_path / "measures.parquet"
    write_measures(path, rows)
    grid = transfer.read_measures(path, suite=suite, mixtures=["V2P0"], benchmarks=["x", "y"])
    assert grid["mixture"].to_numpy().tolist() == ["V2P0"]
    assert grid["benchmark"].to_numpy().tolist() == ["x", "y"]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"scales": ["XL"]}, "scale 'XL' is not in the table; it has S"),
        ({"mixtures": ["V9"]}, "mixture 'V9' is not in the table; it has V1P0, V2P0"),
        ({"benchmarks": ["z"]}, "benchmark 'z' is not in the table; it has x, y"),
        ({"seeds": [4]}, "seed 4 is not in the table; it has 0"),
        ({"scales": "S"}, "scales: give a list of names"),
        ({"normalization": "char"}, "normalization 'char' is not known; give sum, token"),
        ({"normalization": "token"}, "no rows of normalization 'token'; it has sum, byte"),
    ],
)
def test_what_is_not_there_is_refused(rows, tmp_path, suite, asked, says):
    path = tmp_path / "measures.parquet"
    write_measures(path, rows)
    with pytest.raises(BadInput, match=says):
        transfer.read_measures(path, **({"suite": suite} | asked))


def test_two_normalizations_without_a_suite_need_a_choice(rows, tmp_path):
    path = tmp_path / "mine.csv"
    rows.drop(columns="suite").to_csv(path, index=False)
    with pytest.raises(BadInput, match="comes with normalizations sum, byte"):
        read_measures(path)
    assert read_measures(path, normalization="sum")["accuracy"].size == 8


def test_two_suites_in_one_table_are_refused(rows, tmp_path):
    path = tmp_path / "mine.csv"
    both = pd.concat([rows, rows.assign(suite="paper")])
    both.to_csv(path, index=False)
    with pytest.raises(BadInput, match="column suite holds mini, paper; keep the rows of one"):
        read_measures(path)


def test_parameters_are_those_of_transformers():
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    suite = load_suite("mini")
    scale, vocabulary = suite.scales[0], suite.tokenizer.vocabulary
    config = transformers.LlamaConfig(
        hidden_size=scale.hidden_size,
        num_hidden_layers=scale.layers,
        num_attention_heads=scale.heads,
        num_key_value_heads=scale.heads,
        intermediate_size=scale.intermediate_size,
        vocab_size=vocabulary,
        tie_word_embeddings=True,
    )
    with torch.device("meta"):
        model = transformers.LlamaForCausalLM(config)
    counted = parameters(scale, vocabulary)
    assert counted["total"] == model.num_parameters()
    assert counted["non_embedding"] == model.num_parameters(exclude_embeddings=True)
    assert counted["total"] - counted["embedding"] == counted["non_embedding"]


def test_stages_of_any_name_keep_their_order(rows, tmp_path):
    order = {"pretrain": "base", "sft": "dpo"}
    table = rows[rows["normalization"] == "sum"].drop(columns=["suite", "normalization"])
    middle = table[table["stage"] == "sft"].assign(stage="mid")
    table = pd.concat([middle, table.assign(stage=table["stage"].map(order))])
    path = tmp_path / "measures.parquet"
    write_measures(path, table, {"stages": ["base", "mid", "dpo"]})
    assert read_measures(path)["stage"].to_numpy().tolist() == ["base", "mid", "dpo"]
    table.to_csv(tmp_path / "measures.csv", index=False)
    as_found = read_measures(tmp_path / "measures.csv")["stage"].to_numpy().tolist()
    assert as_found == ["mid", "base", "dpo"]


@pytest.mark.parametrize(
    "notes", [b"{", b"[]", b'{"stages": 3}', b'{"normalization": {"x": "char"}}', b'{"scales": []}']
)
def test_notes_that_nobody_wrote_are_refused(rows, tmp_path, notes):
    path = tmp_path / "measures.parquet"
    table = pa.Table.from_pandas(rows, preserve_index=False)
    pq.write_table(table.replace_schema_metadata({b"transfer": notes}), path)
    with pytest.raises(BadInput, match="its `transfer` metadata is not what"):
        read_measures(path)


def test_a_measure_without_any_value_is_not_in_the_grid(rows, tmp_path):
    table = rows[rows["normalization"] == "sum"].drop(columns=["suite", "normalization"])
    path = tmp_path / "measures.csv"
    table.assign(confidence=np.nan, n_items=np.nan).to_csv(path, index=False)
    assert {"confidence", "n_items"}.isdisjoint(read_measures(path).data_vars)


def test_a_suite_name_in_a_table_leads_to_no_other_file(rows, tmp_path):
    (tmp_path / "other.yaml").write_text("not a suite")
    path = tmp_path / "measures.csv"
    one = rows[rows["normalization"] == "sum"].drop(columns="normalization")
    one.assign(suite=str(tmp_path / "other.yaml")).to_csv(path, index=False)
    assert read_measures(path).attrs["suite"] == ""


def test_items_may_lack_the_number_of_tokens(items, tmp_path):
    path = tmp_path / "items.parquet"
    write_items(path, items.assign(n_tokens=None), METADATA)
    assert read_items(path)[0]["n_tokens"].isna().all()


@pytest.mark.parametrize(("name", "sep"), [("mine.CSV", ","), ("mine.tsv", "\t")])
def test_text_tables_by_their_ending(rows, tmp_path, name, sep):
    minimal(rows).to_csv(tmp_path / name, index=False, sep=sep)
    expected = read_measures_table(tmp_path / name)
    assert expected["accuracy"].tolist() == minimal(rows)["accuracy"].tolist()
    write_measures(tmp_path / "again" / name, expected, {})
    assert read_measures_table(tmp_path / "again" / name).equals(expected)
    assert sep in (tmp_path / "again" / name).read_text().splitlines()[0]
    read_measures(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "sep", "says"),
    [
        ("mine.csv", ";", "columns are separated by semicolons; write the table with commas"),
        ("mine.csv", "\t", "columns are separated by tabs; write the table with commas"),
        ("mine.tsv", ",", "columns are separated by commas; write the table with tabs"),
        ("mine.csv.gz", ",", r"give a .csv, .tsv or .parquet file"),
    ],
)
def test_a_table_of_another_form_is_refused(rows, tmp_path, name, sep, says):
    minimal(rows).to_csv(tmp_path / name, index=False, sep=sep, decimal=",")
    with pytest.raises(BadInput, match=says):
        read_measures_table(tmp_path / name)


def test_rows_that_end_with_a_comma_are_not_shifted(rows, tmp_path):
    path = tmp_path / "mine.csv"
    minimal(rows).to_csv(path, index=False)
    expected = read_measures_table(path)
    header, *lines = path.read_text().splitlines()
    path.write_text("\n".join([header, *(f"{line}," for line in lines)]))
    assert read_measures_table(path).equals(expected)
    path.write_text("\n".join([header, *(f"{line},7" for line in lines)]))
    with pytest.raises(BadInput, match=r"rows have 7 cells, the header 6; name every column"):
        read_measures_table(path)


@pytest.mark.parametrize("name", ["acuracy", "Accuracy", " ACCURACY"])
def test_the_spelling_is_checked_before_what_is_missing(rows, tmp_path, name):
    minimal(rows).rename(columns={"accuracy": name}).to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(BadInput, match=r"is not known; did you mean accuracy\?"):
        read_measures_table(tmp_path / "mine.csv")
