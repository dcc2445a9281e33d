"""Small archives of text written here, in the shapes that the parsers read."""

import hashlib
import io
import json
import random
import tarfile
import zipfile
from pathlib import Path

from transfer.suite import Suite

NOUNS = "river market engine garden captain letter winter village machine harbour teacher bridge"
VERBS = "crossed painted measured followed opened carried repaired watched counted reached"
PLACES = "valley station kitchen library mountain office forest island tower meadow"
TEACHING = "energy molecule orbit species theory century empire climate mineral population"


def prose(seed: int, sentences: int = 8, topic: str = NOUNS) -> str:
    """Return English sentences that no other seed gives."""
    draw = random.Random(seed)

    def number() -> int:
        return draw.randrange(10**6)

    return " ".join(
        f"In {number()} the {draw.choice(topic.split())} of {number()} was "
        f"{draw.choice(VERBS.split())} by {number()} and it had {number()} of a "
        f"{draw.choice(topic.split())} that {number()} {draw.choice(VERBS.split())} for "
        f"{number()} days in the {draw.choice(PLACES.split())}."
        for _ in range(sentences)
    )


def wheel(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def tarball(path: Path, files: dict[str, str]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            content = text.encode()
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def debian(path: Path, files: dict[str, str]) -> Path:
    """Write a Debian package: an ar archive of three members."""
    data = tarball(path.with_suffix(".data"), files).read_bytes()
    members = [("debian-binary", b"2.0\n"), ("control.tar.gz", b"odd"), ("data.tar.gz", data)]
    content = b"!<arch>\n"
    for name, body in members:
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(body):<10}`\n"
        content += header.encode() + body + b"\n" * (len(body) % 2)
    path.write_bytes(content)
    path.with_suffix(".data").unlink()
    return path


def code(seed: int) -> str:
    draw = random.Random(seed)
    return "\n\n".join(
        f"def {draw.choice(VERBS.split())}_{draw.randrange(10**5)}(x, y):\n"
        f"    total = x * {draw.randrange(10**5)} + y\n    return total - {draw.randrange(10**5)}\n"
        for _ in range(8)
    )


def write_archives(folder: Path) -> dict[str, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    posts = [prose(seed) for seed in range(500)]
    posts += [posts[3], posts[4] + " and again", "too short", "il pleut " * 40]
    head = "content\ttext\nstring\tstring\n\n"
    tasks = "bigbench-1.0/bigbench/benchmark_tasks/"
    lines = [f"{prose(seed, 1, TEACHING)}" for seed in range(9000, 9400)]
    task = {"examples": [{"input": "", "target": [line]} for line in lines]}
    howto = {"examples": [{"input": prose(seed), "target": ""} for seed in range(5000, 5060)]}
    articles = {
        str(seed): {"title": f"Article {seed}", "extract": prose(seed, 6, TEACHING)}
        for seed in range(2000, 2200)
    }
    return {
        "posts": wheel(
            folder / "posts-1.whl",
            {
                "x/datasets/20newsgroups-train.tab": head
                + "\n".join(f"re\t{post}" for post in posts)
            },
        ),
        "tasks": tarball(
            folder / "tasks-1.tar.gz",
            {
                f"{tasks}gem/wikilingua_en/task.json": json.dumps(howto),
                f"{tasks}natural_instructions/subtask001_made/task.json": json.dumps(task),
            },
        ),
        "articles": wheel(
            folder / "articles-1.whl", {"data/summaries_en-us.json": json.dumps(articles)}
        ),
        "dictionary": debian(
            folder / "dictionary_1_all.deb",
            {"./usr/share/dictd/made.dict": "\n\n".join(prose(s, 4) for s in range(7000, 7100))},
        ),
        "project": tarball(
            folder / "project-1.tar.gz",
            {f"project/module_{seed}.py": code(seed) for seed in range(80)},
        ),
    }


def _shares(web: float, code: float, curated: float) -> dict[str, float]:
    return {"web_share": web, "code_share": code, "curated_share": curated}


def small_suite(archives: dict[str, Path], **changes: object) -> Suite:
    content: dict[str, object] = {
        "name": "small",
        "title": "Small",
        "sources": [
            {
                "name": name,
                "registry": "pypi",
                "package": name,
                "version": "1",
                "file": path.name,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "licence": "CC0 1.0",
            }
            for name, path in archives.items()
        ],
        "texts": [
            {"name": "newsgroups", "source": "posts", "kind": "web", "group": "newsgroups"},
            {"name": "howto", "source": "tasks", "kind": "web", "group": "howto"},
            {"name": "vital_articles", "source": "articles", "kind": "curated", "group": "known"},
            {"name": "foldoc", "source": "dictionary", "kind": "curated", "group": "looked_up"},
            {"name": "python.project", "source": "project", "kind": "code", "group": "python"},
        ],
        "curated_groups": {"known": 0.75, "looked_up": 0.25},
        "mixtures": [
            {"name": "V1P0", "web": "V1"} | _shares(0.6, 0.2, 0.2),
            {"name": "V2P0", "web": "V2"} | _shares(0.6, 0.2, 0.2),
            {"name": "V3P1", "web": "V3"} | _shares(0.2, 0.5, 0.3),
        ],
        "scales": [
            {
                "name": "S", "hidden_size": 8, "layers": 1, "heads": 2, "intermediate_size": 8,
                "tokens": tokens, "learning_rate": 1e-3, "sft_learning_rate": 1e-3, "seeds": [0],
            }
            | {"name": name}
            for name, tokens in (("S", 30_000), ("L", 100_000))
        ],
        "tokenizer": {"vocabulary": 400, "lowercase": True, "training_mb": 0.2},
        "pretrain": {
            "sequence_length": 64, "batch_sequences": 2, "warmup_fraction": 0, "weight_decay": 0,
            "min_learning_rate_fraction": 0, "precision": "float32",
        },
        "sft": {
            "examples": 4, "epochs": 1, "batch_examples": 2, "max_length": 64,
            "warmup_fraction": 0, "weight_decay": 0, "precision": "float32",
        },
        "benchmarks": [],
    }  # fmt: skip
    return Suite.model_validate(content | changes)
