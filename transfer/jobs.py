"""A run's folder: trained in a hidden one, resumed there, and renamed when it is finished.

Beside the weights lies `run.json`, what made them: plan, hashes, versions, device.
"""

from __future__ import annotations

import copy
import json
import platform
import shutil
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from transformers import PrinterCallback
from transformers.utils import logging

from transfer import plans
from transfer.errors import BadInput
from transfer.files import replacing, sha256
from transfer.loglikelihood.devices import device_name
from transfer.suite import Run, Suite
from transfer.trainers import Clock, Progress, Snapshots, last_checkpoint, loss_of
from transfer.workspace import Workspace

PACKAGES = ("torch", "transformers", "trl", "accelerate")


class Job:
    """One run on its way from a hidden folder to its own."""

    def __init__(self, suite: Suite, run: Run, workspace: Workspace) -> None:
        self.suite, self.run, self.workspace = suite, run, workspace
        self.plan = plans.plan(suite, run, workspace)
        self.folder = workspace.checkpoint(run)
        self.beside = self.folder.with_name(f".{self.folder.name}.training")
        self.compiled = False

    def finished(self) -> bool:
        """Return whether the run is there; raise if it is there from another recipe."""
        if not (self.folder / "model.safetensors").exists():
            # A workflow may have made the empty folder already, or have taken the weights away.
            return False
        plans.refuse_other(self.folder, self.plan)
        return True

    def arguments(self, steps: int, batch: int, precision: str) -> dict[str, Any]:
        """Return what both stages ask of the Trainer."""
        return {
            "output_dir": str(self.beside),
            "max_steps": steps,
            "per_device_train_batch_size": batch,
            "use_cpu": not torch.accelerator.is_available(),
            "bf16": precision == "bf16",
            "adam_beta2": 0.95,
            "max_grad_norm": 1.0,
            "optim": "adamw_torch_fused",
            "seed": self.run.seed,
            "logging_steps": max(1, steps // 100),
            "logging_nan_inf_filter": False,
            "save_steps": max(1, steps // 10),
            "save_total_limit": 2,
            "disable_tqdm": True,
            "report_to": [],
            "remove_unused_columns": False,
            "dataloader_pin_memory": False,
            "dataloader_drop_last": True,
        }

    def train(self, trainer: Any, tokens: np.ndarray, compiled: bool | None) -> Path:
        """Train from the last checkpoint, if any, and return the finished run's folder."""
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(Progress(self.run.name))
        count = np.cumsum(tokens)
        points = self.suite.steps(self.run, len(tokens))
        clock = Clock()
        trainer.add_callback(clock)

        def keep(model: Any, step: int) -> None:
            with replacing(self.workspace.snapshots(self.run) / f"step-{step}") as beside:
                self._save(model, beside, step, int(count[step - 1]), clock.seconds)

        trainer.add_callback(Snapshots(points, keep))
        dense = self.run.stage == "pretrain"
        on_cpu = trainer.model.device.type == "cpu"
        self.compiled = on_cpu if compiled is None else compiled
        trainer.model.forward = loss_of(trainer.model, self.compiled, dense)
        trainer.model_accepts_loss_kwargs = False
        plan = self.beside / "plan.json"
        text = json.dumps(self.plan)
        if self.beside.exists() and not (plan.exists() and plan.read_text() == text):
            shutil.rmtree(self.beside)
        if not plan.exists():
            with replacing(plan) as fresh:
                fresh.write_text(text)
        self._refuse_other_versions()
        logging.disable_progress_bar()
        trainer.train(resume_from_checkpoint=last_checkpoint(self.beside))
        seconds = clock.seconds

        log = [entry for entry in trainer.state.log_history if "loss" in entry]
        curve = pd.DataFrame(log)[["step", "loss", "learning_rate"]]
        curve.insert(1, "tokens", count[curve["step"] - 1])
        with replacing(self.folder) as beside:
            self._save(trainer.model, beside, len(tokens), int(count[-1]), seconds)
            curve.to_csv(beside / "loss.csv", index=False)
        shutil.rmtree(self.beside)
        return self.folder

    def _refuse_other_versions(self) -> None:
        """Raise BadInput if the run was begun with other packages than there are now."""
        path, now = self.beside / "versions.json", _versions()
        if not path.exists():
            with replacing(path) as fresh:
                fresh.write_text(json.dumps(now))
        was = json.loads(path.read_text())
        if other := plans.changed(was, now):
            raise BadInput(
                f"{self.beside}: begun with {other[0]} {was.get(other[0])}, now it is "
                f"{now[other[0]]}; restore that version, or remove the folder to begin again"
            )

    def _save(self, model: Any, folder: Path, step: int, tokens: int, seconds: float) -> None:
        """Write a checkpoint in Hugging Face format, with its tokenizer and what made it."""
        forward = model.__dict__.pop("forward")
        twin = copy.deepcopy(model)
        model.forward = forward
        # Half the size on disk, so that checkpoints can be shipped; scored in float32.
        twin.to(torch.bfloat16).save_pretrained(folder)
        shutil.copytree(self.workspace.tokenizer, folder, dirs_exist_ok=True)
        made = folder / "model.safetensors"
        record = self._record(step, tokens, seconds, made, model.device)
        (folder / "run.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")

    def _record(
        self, steps: int, tokens: int, seconds: float, weights: Path, device: torch.device
    ) -> dict[str, Any]:
        return {
            "suite": self.suite.name,
            "suite_sha256": self.suite.sha256,
            **self.run.model_dump(),
            "plan": self.plan,
            "step": steps,
            "tokens": tokens,
            "seconds": round(seconds, 1),
            "threads": torch.get_num_threads(),
            "device": device_name(device),
            "processor": processor(),
            "compiled": self.compiled,
            "checkpoint_sha256": sha256(weights),
            "versions": _versions(),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        }


def slow_bfloat16(suite: Suite) -> str:
    """Return what to know before a suite's training starts here, or nothing.

    A CPU without instructions for bfloat16 multiplies in software.
    """
    recipes = (suite.pretrain, suite.sft)
    slow = processor().endswith("avx2") and not torch.accelerator.is_available()
    if not slow or all(recipe.precision != "bf16" for recipe in recipes):
        return ""
    return (
        f"this processor ({processor()}) has no instructions for bfloat16, which suite "
        f"{suite.name} trains in: it is computed in software, far more slowly. Train on one that "
        "has them (avx512_bf16, amx_bf16) or on a GPU; `precision: float32` in the suite file is "
        "another recipe, whose runs do not go with those that are there"
    )


def _versions() -> dict[str, str]:
    return {name: version(name) for name in PACKAGES}


def processor() -> str:
    """Return the name of this machine's processor, and what it computes bfloat16 with.

    Two processors round differently, so the same run gives other last bits on another one.
    """
    cpuinfo = Path("/proc/cpuinfo")
    said = cpuinfo.read_text(encoding="utf-8") if cpuinfo.exists() else ""
    names = [line.split(":")[1].strip() for line in said.splitlines() if "model name" in line]
    kinds = [kind for kind in ("amx_bf16", "avx512_bf16", "avx2") if f" {kind}" in said]
    return " ".join([names[0] if names else platform.machine(), *kinds[:1]])
