"""The suite file: what is trained on what, at which scales, and how every run is named.

A suite is one YAML file. It says which sources make up the text, how they are mixed, how large
the models are, how they are trained, and on which benchmarks they are scored. Everything else in
the package takes a `Suite`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml
from pydantic import Field, PrivateAttr, ValidationError, model_validator

from transfer.entries import (
    STAGES,
    Benchmark,
    Entry,
    Mixture,
    Name,
    PretrainRecipe,
    Scale,
    SftRecipe,
    Share,
    Source,
    Stage,
    Text,
    Tokenizer,
    Trajectory,
)
from transfer.errors import BadInput
from transfer.plain_yaml import UniqueKeys


class Suite(Entry):
    """A whole study: sources, mixtures, scales, recipes and benchmarks."""

    name: Name
    title: str
    notes: str = ""
    sources: tuple[Source, ...]
    texts: tuple[Text, ...]
    curated_groups: dict[str, Share]
    mixtures: tuple[Mixture, ...] = Field(min_length=1)
    scales: tuple[Scale, ...] = Field(min_length=1)
    tokenizer: Tokenizer
    pretrain: PretrainRecipe
    sft: SftRecipe
    trajectory: Trajectory | None = None
    benchmarks: tuple[Benchmark, ...]
    _sha256: str | None = PrivateAttr(default=None)

    @property
    def sha256(self) -> str | None:
        """The SHA-256 of the file that the suite was read from, as written into every table."""
        return self._sha256

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for field in ("sources", "texts", "mixtures", "scales", "benchmarks"):
            names = [entry.name for entry in getattr(self, field)]
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"{field}: the name {twice[0]!r} is used twice; rename one")
        known = {source.name for source in self.sources}
        for text in self.texts:
            if text.source not in known:
                raise ValueError(
                    f"texts: {text.name!r} reads source {text.source!r}, which is not listed; "
                    "add it under sources"
                )
            if text.kind == "curated" and text.group not in self.curated_groups:
                raise ValueError(
                    f"texts: {text.name!r} is in curated group {text.group!r}, which has no "
                    "share; add it under curated_groups"
                )
        for benchmark in self.benchmarks:
            if missing := sorted(set(benchmark.sources) - known):
                raise ValueError(
                    f"benchmarks: {benchmark.name!r} reads source {missing[0]!r}, which is not "
                    "listed; add it under sources"
                )
        if self.trajectory is not None:
            for name in self.trajectory.scales:
                seeds = next((s.seeds for s in self.scales if s.name == name), ())
                if self.trajectory.seed not in seeds:
                    raise ValueError(
                        f"trajectory: scale {name!r} has no seed {self.trajectory.seed}; give a "
                        "scale and seed that are listed under scales"
                    )
        if self.curated_groups and abs(sum(self.curated_groups.values()) - 1) > 1e-9:
            raise ValueError(
                f"curated_groups: shares sum to {sum(self.curated_groups.values()):g}; "
                "make them sum to 1"
            )
        return self

    def mixture(self, name: str) -> Mixture:
        """Return the mixture of that name."""
        return _named(self.mixtures, name, "mixture")

    def scale(self, name: str) -> Scale:
        """Return the scale of that name."""
        return _named(self.scales, name, "scale")

    def source(self, name: str) -> Source:
        """Return the source of that name."""
        return _named(self.sources, name, "source")

    def finetuning(self, scale: Scale) -> SftRecipe:
        """Return how models of a scale are fine-tuned."""
        changed = {"epochs": scale.sft_epochs} if scale.sft_epochs else {}
        return self.sft.model_copy(update=changed)

    def benchmark(self, name: str) -> Benchmark:
        """Return the benchmark of that name."""
        return _named(self.benchmarks, name, "benchmark")

    def points(self, run: Run) -> tuple[float, ...]:
        """Return how far along a run is scored before its end, as shares of its steps."""
        along = self.trajectory
        if along is None or run.scale not in along.scales or run.seed != along.seed:
            return ()
        return along.pretrain if run.stage == "pretrain" else along.sft

    def steps(self, run: Run, total: int) -> list[int]:
        """Return the steps, of a total, after which a run is kept to be scored; see `points`."""
        return sorted({max(1, round(share * total)) for share in self.points(run)})

    def runs(
        self,
        mixtures: Sequence[str] | None = None,
        scales: Sequence[str] | None = None,
        seeds: Sequence[int] | None = None,
        stages: Sequence[Stage] = STAGES,
    ) -> list[Run]:
        """Return every run of the grid, or of the part that is asked for, in a fixed order.

        Raises
        ------
        BadInput
            If a mixture, scale or seed is not in the suite.
        """
        chosen = [self.scale(name) for name in scales] if scales else list(self.scales)
        if seeds:
            for seed in seeds:
                if not any(seed in scale.seeds for scale in chosen):
                    raise BadInput(f"seed {seed} is not in the suite; see seeds under scales")
        kept = [self.mixture(name) for name in mixtures] if mixtures else list(self.mixtures)
        return [
            Run(mixture=mixture.name, scale=scale.name, seed=seed, stage=stage)
            for scale in chosen
            for seed in scale.seeds
            if not seeds or seed in seeds
            for mixture, stage in product(kept, stages)
        ]


class Run(Entry):
    """One model of the grid at one stage."""

    mixture: str
    scale: str
    seed: int
    stage: Stage

    @property
    def name(self) -> str:
        """`<mixture>-<scale>-s<seed>-<stage>`, the name of its folder and of its items file."""
        return f"{self.mixture}-{self.scale}-s{self.seed}-{self.stage}"

    @property
    def parent(self) -> Run:
        """The pretraining run that a fine-tuning run starts from."""
        return self.model_copy(update={"stage": "pretrain"})

    @classmethod
    def parse(cls, name: str) -> Run:
        """Return the run that a name stands for."""
        try:
            mixture, scale, seed, stage = name.rsplit("-", 3)
            return cls(mixture=mixture, scale=scale, seed=int(seed.removeprefix("s")), stage=stage)  # type: ignore[arg-type]
        except ValueError as error:
            raise BadInput(
                f"run {name!r}: write it as <mixture>-<scale>-s<seed>-<stage>, "
                "for example V1P0-S-s0-sft"
            ) from error


_Entry = TypeVar("_Entry", Mixture, Scale, Source, Benchmark)


def suite_path(name: str | Path) -> Path:
    """Return the path of a suite file, given its path or the name of a file in `data/suites`."""
    path = Path(name)
    if path.suffix in {".yaml", ".yml"}:
        return path
    return repository() / "data" / "suites" / f"{name}.yaml"


def known_suite(name: str) -> bool:
    """Return whether a name out of a table is that of a file in `data/suites`, and no path."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_+]*", name):
        return False
    try:
        return suite_path(name).is_file()
    except BadInput:
        # A table can be read without the repository, whose suites it is none of then.
        return False


def repository() -> Path:
    """Return the folder that holds `data/`, `notebooks/` and `book/`.

    Raises
    ------
    BadInput
        If the package is installed apart from them.
    """
    root = Path(__file__).resolve().parent.parent
    if not (root / "data" / "suites").is_dir():
        raise BadInput(
            f"{root}: has no data/suites; work in a clone of the repository, into which the "
            "package is installed with `pip install -e .`"
        )
    return root


def load_suite(name: str | Path = "mini") -> Suite:
    """Return the checked suite of a name (`mini`) or of a YAML file.

    Raises
    ------
    BadInput
        If the file is missing, is not YAML, has unknown or repeated keys, shares that do not sum to
        1, duplicate names or missing sources. The message names file, key and mend.
    """
    path = suite_path(name)
    try:
        read = path.read_bytes()
        content = yaml.load(read.decode("utf-8"), Loader=UniqueKeys)
    except FileNotFoundError:
        there = sorted(p.stem for p in (repository() / "data" / "suites").glob("*.yaml"))
        raise BadInput(
            f"suite {str(name)!r}: no file {path}; give a .yaml path or one of {', '.join(there)}"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        first = str(error).splitlines()[0]
        raise BadInput(f"{path}: not readable as YAML ({first}); mend the syntax") from error
    if not isinstance(content, dict):
        raise BadInput(f"{path}: holds no keys; start from data/suites/mini.yaml")
    try:
        suite = Suite.model_validate(content)
    except ValidationError as error:
        raise BadInput(f"{path}: {_first_problem(error, content)}") from error
    suite._sha256 = hashlib.sha256(read).hexdigest()
    return suite


def _named(entries: Sequence[_Entry], name: str, kind: str) -> _Entry:
    for entry in entries:
        if entry.name == name:
            return entry
    known = ", ".join(entry.name for entry in entries)
    raise BadInput(f"{kind} {name!r} is not in the suite; it has {known}")


def _first_problem(error: ValidationError, content: dict[str, Any]) -> str:
    problems = error.errors()
    first = problems[0]
    key = ".".join(str(part) for part in _with_names(first["loc"], content))
    mend = {
        "extra_forbidden": "unknown key; remove it or check its spelling",
        "missing": "missing; add it",
    }.get(first["type"], first["msg"].removeprefix("Value error, "))
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{key + ': ' if key else ''}{mend}{more}"


def _with_names(location: tuple[int | str, ...], content: Any) -> Iterable[int | str]:
    """Replace list positions by the names of the entries there."""
    for part in location:
        try:
            content = content[part]
        except (KeyError, IndexError, TypeError):
            content = None
        named = isinstance(part, int) and isinstance(content, dict) and "name" in content
        yield content["name"] if named else part
