"""pyproject.toml, requirements.lock and environment.yml say the same thing."""

import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BUILD_TOOLS = {"setuptools", "wheel"}
LINES = [
    line
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    if line.strip() and not line.startswith("#")
]
LOCK = {canonicalize_name(name): Version(pin) for name, pin in (x.split("==") for x in LINES)}
DIRECT = [
    Requirement(text)
    for group in [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    for text in group
]


@pytest.mark.parametrize("requirement", DIRECT, ids=lambda requirement: requirement.name)
def test_lock_satisfies_each_direct_dependency(requirement):
    assert LOCK[canonicalize_name(requirement.name)] in requirement.specifier


def test_lock_is_sorted_exact_and_names_each_package_once():
    names = [line.split("==")[0] for line in LINES]
    assert names == sorted(names, key=lambda name: (name.lower(), name))
    assert len(LOCK) == len(LINES)
    # A local tag (+cpu) exists on some machines only.
    assert not [line for line in LINES if "+" in line]
    assert not {*BUILD_TOOLS, "transfer"} & LOCK.keys()


def test_lock_is_closed_under_what_it_holds():
    """Every requirement of a pinned package is pinned too, at a version that satisfies it."""
    unmet = []
    for name in LOCK:
        for text in _requires(name):
            requirement = Requirement(text)
            if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
                continue
            if requirement.name in BUILD_TOOLS:
                continue
            pinned = LOCK.get(canonicalize_name(requirement.name))
            if pinned is None or not requirement.specifier.contains(pinned, prereleases=True):
                unmet.append(f"{name} needs {text}, the lock has {pinned}")
    assert not unmet


def test_conda_takes_the_lock_and_the_same_python():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["name"] == PROJECT["name"]
    plain = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert plain == ["python=3.11", "pip"]
    assert Version("3.11") in Requirement(f"python{PROJECT['requires-python']}").specifier
    assert pip == ["-r requirements.lock", "-e ."]


def test_running_environment_is_the_locked_one():
    if Path(sys.prefix).resolve() != (ROOT / ".venv").resolve():
        pytest.skip("not in the environment that `make setup` makes")
    found = {name: Version(Version(version(name)).public) for name in LOCK}
    assert found == LOCK


def test_package_and_its_right_half_import_without_torch_and_on_windows():
    code = (
        "import sys;"
        "sys.modules.update(dict.fromkeys(['torch', 'transformers', 'sklearn', 'fcntl']));"
        "import transfer, transfer.cli, transfer.charts, transfer.report.execute,"
        " transfer.report.build, transfer.suite, transfer.tables"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def _requires(name):
    try:
        return requires(name) or []
    except PackageNotFoundError:
        return []
