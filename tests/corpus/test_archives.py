import re

import pytest

from corpus.made_archives import debian, tarball, wheel
from transfer.corpus.archives import members
from transfer.errors import BadInput

FILES = {"p/a.txt": "first", "p/b.py": "second", "p/sub/c.txt": "third ü"}


@pytest.mark.parametrize(
    ("write", "name"), [(wheel, "x.whl"), (wheel, "x.zip"), (tarball, "x.tgz"), (debian, "x.deb")]
)
def test_reads_the_members_that_match(tmp_path, write, name):
    path = write(tmp_path / name, FILES)
    found = {member: content.decode() for member, content in members(path, re.compile(r"\.txt$"))}
    assert found == {"p/a.txt": "first", "p/sub/c.txt": "third ü"}


@pytest.mark.parametrize("name", ["x.whl", "x.tar.gz", "x.deb"])
@pytest.mark.parametrize("content", [b"", b"not an archive", b"!<arch>\nshort"])
def test_a_broken_archive_is_named(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadInput, match=rf"{name}: not a readable archive .* fetch it again"):
        list(members(path, re.compile("")))


def test_a_cut_archive_is_named(tmp_path):
    path = tarball(tmp_path / "x.tar.gz", {"a": "word " * 5000, "b": str(list(range(5000)))})
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(BadInput, match="not a readable archive"):
        list(members(path, re.compile("")))
