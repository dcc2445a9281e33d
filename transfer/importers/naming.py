"""Which run a result is of: by its row in the mapping file, or by a pattern over its names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from transfer.errors import BadInput
from transfer.importers.documents import checked_name, shown
from transfer.importers.mapping import KEYS, MappingFile, compiled


class RunKey(NamedTuple):
    """A model of the grid."""

    mixture: str
    scale: str
    seed: int
    stage: str

    def __str__(self) -> str:
        return f"{self.mixture}-{self.scale}-s{self.seed}-{self.stage}"


class Naming:
    """Finds the run of a result, and remembers which rows of the mapping were used.

    Parameters
    ----------
    mapping : MappingFile

    Raises
    ------
    BadInput
        If it says neither runs nor a pattern, names a run twice, or sets something unknown.
    """

    def __init__(self, mapping: MappingFile) -> None:
        self.mapping = mapping
        if not mapping.runs and not mapping.pattern:
            raise BadInput(
                "nothing says which run a result is of; give --mapping FILE with runs, or "
                "--pattern with named groups mixture, scale, seed and stage (the rest with --set)"
            )
        for key in (*mapping.set, *mapping.names):
            if key not in KEYS:
                raise BadInput(f"mapping: {shown(key)} is not one of {', '.join(KEYS)}")
        self._pattern = compiled(mapping.pattern) if mapping.pattern else None
        self._rows: dict[str, RunKey] = {}
        for row in mapping.runs:
            name = row.run.rstrip("/")
            if name in self._rows:
                raise BadInput(f"mapping: run {shown(name)} is there twice; keep one")
            self._rows[name] = RunKey(row.mixture, row.scale, row.seed, row.stage)
        self.unused = list(self._rows)
        if self._pattern and (lacking := self._unsaid()):
            raise BadInput(
                f"the pattern names no {lacking[0]}; add (?P<{lacking[0]}>...) or "
                f"--set {lacking[0]}=VALUE"
            )

    def run(self, names: Sequence[str]) -> RunKey | None:
        """Return the run whose row has one of these names; None where none has.

        Raises
        ------
        BadInput
            If two names lead to two different runs.
        """
        rows = {self._rows[name]: name for name in names if name in self._rows}
        if len(rows) > 1:
            raise BadInput(
                f"{shown(names[0])}: is of two runs by the mapping, "
                f"{' and '.join(map(str, rows))}; keep one of the rows"
            )
        for run, name in rows.items():
            if name in self.unused:
                self.unused.remove(name)
            return run
        return None

    def by_pattern(self, labels: Sequence[str]) -> RunKey | None:
        """Return the run that the pattern finds in one of these; None where it finds none.

        Raises
        ------
        BadInput
            If it finds two different runs, or a part of one cannot be used.
        """
        if self._pattern is None:
            return None
        found = {
            self._from_groups(match.groupdict(), labels[0])
            for label in labels
            if (match := self._pattern.search(label))
        }
        if len(found) > 1:
            raise BadInput(
                f"{shown(labels[0])}: the pattern finds {' and '.join(sorted(map(str, found)))}; "
                "make it more exact, or list the run in a mapping file"
            )
        return found.pop() if found else None

    def _unsaid(self) -> list[str]:
        groups = self._pattern.groupindex if self._pattern else {}
        return [key for key in KEYS if key not in groups and key not in self.mapping.set]

    def _from_groups(self, groups: dict[str, str | None], where: str) -> RunKey:
        said = {}
        for key in KEYS:
            value = groups.get(key)
            value = self.mapping.set.get(key) if value is None else value
            value = checked_name("" if value is None else value, key, shown(where))
            said[key] = self.mapping.names.get(key, {}).get(value, value)
        try:
            seed = int(said["seed"])
        except ValueError:
            raise BadInput(
                f"{shown(where)}: seed {shown(said['seed'])} is no whole number; mend the pattern"
            ) from None
        if not 0 <= seed < 2**31:
            raise BadInput(f"{shown(where)}: seed {seed} is out of range; give 0 or more")
        return RunKey(said["mixture"], said["scale"], seed, said["stage"])
