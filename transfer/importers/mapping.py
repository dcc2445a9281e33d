r"""The mapping file: which result is of which run, and what its benchmarks are.

YAML, with any of these keys, or CSV with the columns of `runs`:

```yaml
suite: mine                          # what the tables call the study
pattern: '(?P<mixture>\w+)-(?P<scale>\d+M)-(?P<stage>base|chat)'
set: {seed: 0}                       # what the pattern does not say
names: {stage: {base: pretrain, chat: sft}}
runs:                                # or one by one: a folder, a results file, or a model
  - {run: org/model-a@step1000, mixture: A, scale: 1B, seed: 0, stage: pretrain}
stages: [pretrain, sft]              # their order, earliest first
benchmarks:
  mmlu: {category: Knowledge, normalization: sum}
  gsm8k: {category: Maths, metric: 'exact_match,strict-match'}
groups: {mine: [task_a, task_b_*]}   # several tasks as one benchmark
columns: {mixture: data, accuracy: acc}      # of a table: our name, its name
mixtures: {A: {web: V1, code_share: 0.2}}
scales: {1B: {parameters: 1.0e9}}
```
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from transfer.entries import Normalization
from transfer.errors import BadInput
from transfer.importers.documents import DOCUMENT_MB, checked_name, read_text, read_yaml, shown

KEYS = ("mixture", "scale", "seed", "stage")


def _name(value: Any) -> str:
    try:
        return checked_name(value, "name", "")
    except BadInput as error:
        raise ValueError(str(error).removeprefix(": ")) from None


Name = Annotated[str, BeforeValidator(_name)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NamedRun(_Strict):
    """A run, and what its results are found by."""

    run: Name
    mixture: Name
    scale: Name
    seed: int = Field(ge=0, lt=2**31)
    stage: Name
    chat: bool = Field(default=False, description="scored with the chat template")


class NamedBenchmark(_Strict):
    """What a table says of a benchmark besides its numbers."""

    category: Name | None = None
    normalization: Normalization | None = None
    metric: Name | None = Field(default=None, description="counts as its accuracy")
    chance: float | None = Field(default=None, ge=0, le=1)


class NamedMixture(_Strict):
    """What a mixture is made of."""

    web: Name | None = None
    web_share: float | None = Field(default=None, ge=0, le=1)
    code_share: float | None = Field(default=None, ge=0, le=1)
    curated_share: float | None = Field(default=None, ge=0, le=1)


class NamedScale(_Strict):
    """How large the models of a scale are."""

    parameters: float = Field(gt=0)


class MappingFile(_Strict):
    """A whole mapping file."""

    suite: Name | None = None
    pattern: str | None = Field(default=None, max_length=2000)
    set: dict[Name, Name] = {}
    names: dict[Name, dict[Name, Name]] = {}
    runs: tuple[NamedRun, ...] = ()
    stages: tuple[Name, ...] = ()
    benchmarks: dict[Name, NamedBenchmark] = {}
    groups: dict[Name, tuple[Name, ...]] = {}
    columns: dict[Name, Name] = {}
    mixtures: dict[Name, NamedMixture] = {}
    scales: dict[Name, NamedScale] = {}


def read_mapping(path: Path) -> MappingFile:
    """Return a checked mapping file, YAML or CSV.

    Raises
    ------
    BadInput
        If it cannot be read, has an unknown key or a value of the wrong kind; the message names it.
    """
    if path.suffix.lower() == ".csv":
        text = read_text(path, DOCUMENT_MB)
        try:
            content: Any = {"runs": list(csv.DictReader(io.StringIO(text), strict=True))}
        except csv.Error as error:
            raise BadInput(f"{path}: not readable as CSV ({error}); mend the file") from None
    else:
        content = read_yaml(path)
    if not isinstance(content, dict):
        raise BadInput(f"{path}: holds no keys; see `transfer import --help`")
    try:
        return MappingFile.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = _place([part for part in first["loc"] if part != "[key]"])
        mend = {
            "extra_forbidden": "unknown key; remove it or check its spelling",
            "missing": "missing; add it",
        }.get(first["type"], first["msg"].removeprefix("Value error, "))
        raise BadInput(f"{path}: {shown(place)[1:-1]}: {mend}") from None
    except RecursionError:
        raise BadInput(f"{path}: is nested too deeply; mend the file") from None


def _place(parts: Sequence[str | int]) -> str:
    """Return where something stands, with rows counted from 1, as in every other message."""
    counted = [str(part + 1) if isinstance(part, int) else part for part in parts]
    if len(parts) > 1 and isinstance(parts[1], int):
        counted[:2] = [f"{counted[0]}, row {counted[1]}"]
        return ", ".join([counted[0], *([".".join(counted[1:])] if counted[1:] else [])])
    return ".".join(counted)


def compiled(pattern: str) -> re.Pattern[str]:
    """Return a pattern whose named groups are among mixture, scale, seed and stage.

    Raises
    ------
    BadInput
        If it is no regular expression, or names nothing or something else.
    """
    try:
        found = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise BadInput(f"pattern {shown(pattern)}: {error}; mend the expression") from None
    if not found.groupindex or (unknown := set(found.groupindex) - set(KEYS)):
        named = f", not {', '.join(sorted(unknown))}" if found.groupindex else ""
        raise BadInput(
            f"pattern {shown(pattern)}: name groups as (?P<mixture>...), with the names "
            f"{', '.join(KEYS)}{named}"
        )
    return found


def merged(file: MappingFile, **given: Any) -> MappingFile:
    """Return a mapping file with what is given on the command line in place of its own values."""
    return file.model_copy(update={key: value for key, value in given.items() if value})
