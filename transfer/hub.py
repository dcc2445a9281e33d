"""Checkpoints by name: a local folder, or a model on the hub with its revision."""

from __future__ import annotations

import re
from pathlib import Path

from transfer.errors import BadInput

WANTED = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "*.tiktoken")
"""What is fetched of a model: no pickle and no code."""

_ID = re.compile(r"(?P<model>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?", re.ASCII)


def checkpoint_folder(name: str) -> Path:
    """Return the folder of a checkpoint.

    Parameters
    ----------
    name : str
        A folder, or `org/model` or `org/model@revision` on the hub. What is in the hub's cache is
        not fetched again, and with `HF_HUB_OFFLINE=1` nothing else is looked for.

    Raises
    ------
    BadInput
        If there is no such folder, and no such model or no way to it.
    """
    if Path(name).is_dir():
        return Path(name)
    asked = _ID.fullmatch(name)
    if asked is None:
        raise BadInput(f"{name}: no such folder, and no hub id; write org/model@revision")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(
                asked["model"], revision=asked["revision"], allow_patterns=list(WANTED)
            )
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise BadInput(
            f"{name}: no such folder, and not to be had from the hub ({said}); check the name, the "
            "revision and the network"
        ) from None
