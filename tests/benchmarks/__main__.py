"""Times scoring beside lm-evaluation-harness's `hf`, and writes `data/bench`: `make bench`.

Every table is a CSV file of `data/bench`, which the book's page on scoring reads. `machine.csv`
says on what it was measured. A table that is not asked for stays as it is.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import warnings
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from again import again
from memory import memory
from speed import matmul_peak, speed
from workloads import MODELS, WORKLOADS

from transfer.suite import repository

TABLES = ("speed", "memory", "suite", "exact", "bfloat16")
CUDA = ("cuda-speed", "cuda-exact", "cuda-suite")
"""What is measured where there is a GPU; the other tables are of a CPU."""
LONG = ("again",)
"""What is measured only when it is asked for: it trains."""
TRAINED = ("V1P0-S-s2-pretrain", "V1P0-S-s2-sft")
CHECKPOINTS = ("V1P0-S-s0-pretrain", "V1P1-S-s0-pretrain")


def main() -> None:
    """Measure, print and write the tables."""
    usual = list(CUDA if torch.cuda.is_available() else TABLES)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", default=usual, choices=(*TABLES, *CUDA, *LONG))
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--workloads", nargs="+", default=list(WORKLOADS), choices=list(WORKLOADS))
    parser.add_argument("--pairs", type=int, default=3, help="runs of each, alternating")
    parser.add_argument("--items", type=int, help="items of a workload")
    parser.add_argument("--runs", nargs="+", default=list(TRAINED), help="runs to train again")
    parser.add_argument("--out", type=Path, default=repository() / "data" / "bench")
    asked = parser.parse_args()
    for name in asked.tables:
        if (name in CUDA) != torch.cuda.is_available():
            where = "a GPU" if name in CUDA else "a CPU: give CUDA_VISIBLE_DEVICES= before it"
            parser.error(f"the table {name} is measured on {where}")
    warnings.simplefilter("ignore")
    asked.out.mkdir(parents=True, exist_ok=True)
    machine: list[dict[str, Any]] = []
    for name in asked.tables:
        peak = matmul_peak()
        machine.append({"table": name, **measured_on(peak)})
        print(f"\n{name}", flush=True)
        write(asked.out / f"{name}.csv", rows_of(name, asked, peak))
    path = asked.out / "machine.csv"
    kept = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=["table"])
    kept = kept[~kept["table"].isin(asked.tables)]
    pd.concat([kept, pd.DataFrame(machine)]).to_csv(path, index=False)


def rows_of(name: str, asked: argparse.Namespace, peak: float) -> Iterable[Any]:
    """Return the rows of a table, measured as they are taken."""
    if name == "speed":
        return speed(asked.models, asked.workloads, asked.pairs, asked.items, peak)
    if name == "memory":
        return memory()
    if name == "again":
        return again(asked.runs)
    # The shapes of request and the random models are those of the tests.
    tests = Path(__file__).parents[1]
    sys.path[:0] = [str(tests), str(tests / "loglikelihood")]
    import on_gpu
    import suite_scores

    if name == "cuda-speed":
        return on_gpu.speed(asked.workloads, asked.pairs)
    if name == "cuda-exact":
        return on_gpu.exact(asked.items or 40)
    if name in ("suite", "cuda-suite"):
        return suite_scores.seconds(CHECKPOINTS)
    if name == "exact":
        return (*suite_scores.architectures(), *suite_scores.tasks(10))
    return suite_scores.halves(20)


def write(path: Path, rows: Iterable[Any]) -> None:
    """Print and write rows as they come; rows of other things that the file has are kept."""
    kept = pd.read_csv(path).to_dict("records") if path.exists() else []
    for row in rows:
        found = row._asdict()
        keys = list(found)[:2]
        print("  ".join(f"{key} {shown(value)}" for key, value in found.items()), flush=True)
        same = [all(old[key] == found[key] for key in keys) for old in kept]
        kept = [old for old, drop in zip(kept, same, strict=True) if not drop] + [found]
        pd.DataFrame(kept).to_csv(path, index=False, float_format="%.4g")


def shown(value: object) -> str:
    """Return a value as a person reads it."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def measured_on(peak: float) -> dict[str, Any]:
    """Return what a table is measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    packages = ("torch", "transformers", "tokenizers", "lm_eval")
    return {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "waiting": os.environ.get("OMP_WAIT_POLICY", "as PyTorch has it"),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "peak_gflops": round(peak / 1e9, 1),
        "load": round(os.getloadavg()[0], 2),
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }


if __name__ == "__main__":
    main()
