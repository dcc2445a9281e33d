import functools
import hashlib
import http.server
import os
import threading

import pytest

from corpus.made_archives import tarball, wheel
from transfer.corpus.fetch import fetch
from transfer.entries import Source
from transfer.errors import BadInput


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A package index on this machine with a wheel and a source archive that must not be run."""
    folder = tmp_path / "index"
    page = folder / "simple" / "made-text"
    page.mkdir(parents=True)
    archives = [
        wheel(page / "made_text-1.0-py3-none-any.whl", {"made/data.txt": "words"}),
        tarball(
            page / "made_text-1.1.tar.gz",
            {"made_text-1.1/setup.py": f"open({str(tmp_path / 'ran')!r}, 'w')"},
        ),
    ]
    links = "".join(f'<a href="{path.name}">{path.name}</a><br>' for path in archives)
    (page / "index.html").write_text(f"<!DOCTYPE html><html><body>{links}</body></html>")
    handler = functools.partial(Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_RETRIES", "0")
    yield archives
    server.shutdown()
    thread.join()
    server.server_close()


def pinned(path, **changes):
    return Source(
        **{
            "name": "made",
            "registry": "pypi",
            "package": "made-text",
            "version": "1.0",
            "file": path.name,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "licence": "CC0 1.0",
        }
        | changes
    )


def test_fetches_wheel_and_source_archive_without_running_them(index, tmp_path):
    downloads = tmp_path / "downloads"
    for path in index:
        got = fetch(pinned(path), downloads)
        assert got == downloads / path.name
        assert got.read_bytes() == path.read_bytes()
    assert not (tmp_path / "ran").exists()
    assert sorted(p.name for p in downloads.iterdir()) == sorted(p.name for p in index)


def test_a_file_already_there_needs_no_network(index, tmp_path, monkeypatch):
    downloads = tmp_path / "downloads"
    fetch(pinned(index[0]), downloads)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    assert fetch(pinned(index[0]), downloads) == downloads / index[0].name


def test_wrong_hash_is_refused_and_leaves_nothing(index, tmp_path):
    downloads = tmp_path / "downloads"
    with pytest.raises(BadInput, match=r"source 'made': .* has sha256 .* the suite pins 0{12}"):
        fetch(pinned(index[0], sha256="0" * 64), downloads)
    assert list(downloads.iterdir()) == []


def test_a_changed_file_in_the_downloads_folder_is_refused(index, tmp_path):
    downloads = tmp_path / "downloads"
    fetch(pinned(index[0]), downloads).write_bytes(b"changed")
    with pytest.raises(BadInput, match=r"delete .* and fetch again"):
        fetch(pinned(index[0]), downloads)


@pytest.mark.parametrize(
    "changes", [{"file": "made_text-0.9-py3-none-any.whl"}, {"package": "never-made-text"}]
)
def test_no_longer_served(index, tmp_path, changes):
    with pytest.raises(BadInput, match=r"source 'made': pypi no longer serves .* pin a served"):
        fetch(pinned(index[0], **changes), tmp_path / "downloads")


def test_no_network_is_told_apart_from_no_longer_served(index, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    with pytest.raises(BadInput, match=r"source 'made': cannot fetch .* check the network"):
        fetch(pinned(index[0]), tmp_path / "downloads")


CLIENT = """#!/bin/sh
case "$*" in
  *gone*) echo "{error}" >&2; exit 1;;
  *offline*) echo "network is down" >&2; exit 1;;
  *) printf %s "$*" > package-file;;
esac
"""


@pytest.mark.parametrize(
    ("registry", "client", "error", "asked"),
    [
        ("npm", "npm", "npm error code E404", "pack made@1 --ignore-scripts --loglevel=error"),
        ("debian", "apt-get", "E: Version '1' was not found", "download --quiet made=1"),
    ],
)
def test_other_registries_use_their_client(tmp_path, monkeypatch, registry, client, error, asked):
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / client).write_text(CLIENT.format(error=error))
    (programs / client).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    source = Source(
        name="made",
        registry=registry,
        package="made",
        version="1",
        file="made-1.archive",
        sha256=hashlib.sha256(asked.encode()).hexdigest(),
        licence="CC0 1.0",
    )
    assert fetch(source, tmp_path / "downloads").read_text() == asked
    for package, message in (("gone", "no longer serves gone"), ("offline", "network is down")):
        other = source.model_copy(update={"package": package, "file": package})
        with pytest.raises(BadInput, match=message):
            fetch(other, tmp_path / "downloads")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match=rf"{client} is not installed"):
        fetch(source.model_copy(update={"file": "absent"}), tmp_path / "downloads")
