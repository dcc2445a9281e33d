"""The suite file: every mistake is refused with the file, the key and the mend."""

import copy
from collections import Counter

import pytest
import yaml

from transfer.errors import BadInput
from transfer.files import sha256
from transfer.grid import prepare
from transfer.suite import Run, known_suite, load_suite, suite_path
from transfer.tables import parameters


@pytest.fixture
def content():
    """A small suite that is right."""
    return {
        "name": "tiny",
        "title": "A suite for tests",
        "sources": [
            {
                "name": "stories",
                "registry": "pypi",
                "package": "stories",
                "version": "1.0",
                "file": "stories-1.0.tar.gz",
                "sha256": "0" * 64,
                "licence": "CC0 1.0",
            }
        ],
        "texts": [{"name": "tales", "source": "stories", "kind": "curated", "group": "books"}],
        "curated_groups": {"books": 1.0},
        "mixtures": [
            {
                "name": "V1P0",
                "web": "V1",
                "web_share": 0.65,
                "code_share": 0.25,
                "curated_share": 0.1,
            }
        ],
        "scales": [
            {
                "name": "S",
                "hidden_size": 16,
                "layers": 2,
                "heads": 2,
                "intermediate_size": 32,
                "tokens": 1000,
                "learning_rate": 0.001,
                "sft_learning_rate": 0.001,
                "seeds": [0, 1],
            }
        ],
        "tokenizer": {"vocabulary": 512, "lowercase": True, "training_mb": 1},
        "pretrain": {
            "sequence_length": 64,
            "batch_sequences": 4,
            "warmup_fraction": 0.1,
            "weight_decay": 0.1,
            "min_learning_rate_fraction": 0.1,
            "precision": "float32",
        },
        "sft": {
            "examples": 10,
            "epochs": 1,
            "batch_examples": 2,
            "max_length": 64,
            "warmup_fraction": 0.1,
            "weight_decay": 0,
            "precision": "float32",
        },
        "benchmarks": [
            {
                "name": "cloze",
                "title": "Fill the gap",
                "category": "Semantic",
                "options": 4,
                "chance": 0.25,
                "normalization": "sum",
                "sources": ["stories"],
                "licence": "CC0 1.0",
                "in_sft": False,
            }
        ],
    }


@pytest.fixture
def refused(tmp_path):
    """Return a function that loads a suite and gives the one line it is refused with."""

    def load(content):
        path = tmp_path / "mine.yaml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        with pytest.raises(BadInput) as caught:
            load_suite(path)
        message = str(caught.value)
        assert str(path) in message
        assert "\n" not in message
        return message

    return load


def test_the_committed_suite_is_the_papers_design():
    suite = load_suite("mini")
    assert len(suite.mixtures) == 9
    assert {m.web for m in suite.mixtures} == {"V1", "V2", "V3"}
    shares = {(m.web_share, m.code_share, m.curated_share) for m in suite.mixtures}
    assert shares == {(0.65, 0.25, 0.10), (0.45, 0.35, 0.20), (0.25, 0.45, 0.30)}
    assert [scale.name for scale in suite.scales] == ["S", "M", "L"]


def test_a_right_suite_loads(content, tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(content))
    suite = load_suite(path)
    assert [run.name for run in suite.runs()] == [
        "V1P0-S-s0-pretrain",
        "V1P0-S-s0-sft",
        "V1P0-S-s1-pretrain",
        "V1P0-S-s1-sft",
    ]
    assert load_suite(path).sha256 == sha256(path)


def test_unknown_key_names_the_entry(content, refused):
    content["mixtures"][0]["cod_share"] = 0.1
    message = refused(content)
    assert "mixtures.V1P0.cod_share" in message
    assert "unknown key" in message


def test_unknown_key_at_the_top(content, refused):
    content["scale"] = []
    assert "scale: unknown key; remove it or check its spelling" in refused(content)


def test_missing_key(content, refused):
    del content["scales"][0]["heads"]
    assert "scales.S.heads: missing; add it" in refused(content)


def test_shares_must_sum_to_one(content, refused):
    content["mixtures"][0]["web_share"] = 0.6
    message = refused(content)
    assert "mixtures.V1P0" in message
    assert "is 0.95; make them sum to 1" in message


def test_curated_groups_must_sum_to_one(content, refused):
    content["curated_groups"] = {"books": 0.7}
    assert "curated_groups: shares sum to 0.7; make them sum to 1" in refused(content)


@pytest.mark.parametrize("field", ["sources", "texts", "mixtures", "scales", "benchmarks"])
def test_duplicate_names(content, refused, field):
    content[field].append(copy.deepcopy(content[field][0]))
    message = refused(content)
    name = content[field][0]["name"]
    assert f"{field}: the name {name!r} is used twice; rename one" in message


@pytest.mark.parametrize(("field", "key"), [("texts", "source"), ("benchmarks", "sources")])
def test_missing_source(content, refused, field, key):
    content[field][0][key] = ["nowhere"] if key == "sources" else "nowhere"
    message = refused(content)
    assert field in message
    assert "'nowhere', which is not listed; add it under sources" in message


def test_curated_text_without_a_share(content, refused):
    content["texts"][0]["group"] = "poems"
    assert "'poems', which has no share; add it under curated_groups" in refused(content)


def test_wrong_value_names_the_key(content, refused):
    content["benchmarks"][0]["category"] = "Maths"
    assert "benchmarks.cloze.category" in refused(content)


def test_heads_must_divide_the_width(content, refused):
    content["scales"][0]["heads"] = 3
    assert "hidden_size 16 is not a multiple of heads 3" in refused(content)


def test_heads_of_a_given_width_need_not_divide(content, tmp_path):
    content["scales"][0] |= {"heads": 3, "head_size": 8, "sft_epochs": 7}
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(content))
    suite = load_suite(path)
    assert suite.scale("S").head_width == 8
    assert suite.finetuning(suite.scale("S")).epochs == 7
    assert suite.sft.epochs != 7


def test_an_archive_is_pinned_and_a_data_set_of_a_hub_need_not_be(content, refused, tmp_path):
    del content["sources"][0]["sha256"]
    assert "source 'stories' has no file or no sha256" in refused(content)
    content["sources"][0] |= {"registry": "hub", "package": "owner/stories", "version": "main"}
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(content))
    assert load_suite(path).source("stories").registry == "hub"


def test_the_papers_design_is_the_one_that_the_paper_reports():
    suite = load_suite("paper")
    assert {m.name: m.code_share for m in suite.mixtures} == {
        m.name: m.code_share for m in load_suite("mini").mixtures
    }
    assert Counter(b.category for b in suite.benchmarks) == {
        "Commonsense": 7,
        "Science": 4,
        "NLI": 4,
        "Semantic": 5,
    }
    counts = [parameters(scale, suite.tokenizer.vocabulary)["total"] for scale in suite.scales]
    assert counts == pytest.approx([240e6, 1e9], rel=0.02)
    with pytest.raises(BadInput, match=r"tiiuae/falcon-refinedweb.* lie on a hub"):
        prepare("paper")


def test_missing_file_lists_what_is_there(tmp_path):
    with pytest.raises(BadInput, match=r"no file .*absent\.yaml; give a \.yaml path or one of"):
        load_suite(tmp_path / "absent.yaml")
    with pytest.raises(BadInput, match="mini"):
        load_suite("absent")


def test_broken_yaml(refused):
    assert "not readable as YAML" in refused("name: [unclosed")


def test_a_repeated_key_is_refused(content, refused):
    message = refused(yaml.safe_dump(content) + "mixtures: []\n")
    assert "key 'mixtures' is given twice, again in line" in message
    assert "key 'web' is given twice" in refused("mixtures: [{web: V1, web: V2}]")


@pytest.mark.parametrize("file", ["../../evil.whl", "/etc/evil.whl", "a/b.whl", "..", "-x.whl"])
def test_an_archive_stays_in_the_downloads_folder(content, refused, file):
    content["sources"][0]["file"] = file
    message = refused(content)
    assert f"sources.stories.file: {file!r} is not a plain file name; give" in message


@pytest.mark.parametrize("package", ["--unsafe-perm", "-o", "", "a b", "/etc/passwd"])
def test_a_package_is_no_option_of_a_client(content, refused, package):
    content["sources"][0]["package"] = package
    assert f"sources.stories.package: {package!r} is not the name of a package" in refused(content)


def test_a_file_without_keys(refused):
    assert "holds no keys; start from data/suites/mini.yaml" in refused("just words")


def test_names_that_are_not_there(content, tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(content))
    suite = load_suite(path)
    with pytest.raises(BadInput, match="mixture 'V9' is not in the suite; it has V1P0"):
        suite.runs(mixtures=["V9"])
    with pytest.raises(BadInput, match="scale 'XL' is not in the suite; it has S"):
        suite.scale("XL")
    with pytest.raises(BadInput, match="seed 7 is not in the suite"):
        suite.runs(seeds=[7])
    with pytest.raises(BadInput, match="benchmark 'x' is not in the suite; it has cloze"):
        suite.benchmark("x")
    with pytest.raises(BadInput, match="source 'x' is not in the suite; it has stories"):
        suite.source("x")


def test_run_names_go_both_ways():
    run = Run(mixture="V1P0", scale="S", seed=2, stage="sft")
    assert Run.parse(run.name) == run
    assert run.parent.name == "V1P0-S-s2-pretrain"


@pytest.mark.parametrize("name", ["V1P0", "V1P0-S-s0-rlhf", "V1P0-S-sx-sft"])
def test_a_wrong_run_name(name):
    with pytest.raises(BadInput, match="write it as <mixture>-<scale>-s<seed>-<stage>"):
        Run.parse(name)


def test_a_package_apart_from_its_data_says_where_to_work(tmp_path, monkeypatch):
    installed = tmp_path / "site-packages" / "transfer" / "suite.py"
    monkeypatch.setattr("transfer.suite.__file__", str(installed))
    with pytest.raises(BadInput, match=r"site-packages: has no data/suites; work in a clone"):
        load_suite("mini")
    assert not known_suite("mini"), "a table can be read all the same"


def test_suite_path_takes_a_name_or_a_path(tmp_path):
    assert suite_path("mini").name == "mini.yaml"
    assert suite_path(tmp_path / "mine.yml") == tmp_path / "mine.yml"
