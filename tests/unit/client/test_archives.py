"""What `import` sends for a folder is a tar that anyone reads, and is as long as was announced."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from annotateforge.client.archives import archive_of
from annotateforge.client.errors import ClientError


def packed(folder: Path) -> dict[str, bytes]:
    """Name and content of what arrives."""
    with archive_of(folder) as archive:
        data = b"".join(archive.chunks)
        assert len(data) == archive.size
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        files = {member.name: tar.extractfile(member) for member in tar.getmembers()}
        return {name: file.read() for name, file in files.items() if file is not None}


def test_a_folder_arrives_with_its_files_in_order(tmp_path: Path) -> None:
    (tmp_path / "images" / "train").mkdir(parents=True)
    big = os.urandom(1_300_001)
    (tmp_path / "images" / "train" / "b.jpg").write_bytes(big)
    (tmp_path / "images" / "a.jpg").write_bytes(b"")
    (tmp_path / "data.yaml").write_bytes(b"names: [a]")
    assert list(packed(tmp_path).items()) == [
        ("data.yaml", b"names: [a]"),
        ("images/a.jpg", b""),
        ("images/train/b.jpg", big),
    ]


def test_names_of_any_length_and_script_arrive(tmp_path: Path) -> None:
    name = "Mikroskop-Aufnahme-" + "ü" * 90 + ".jpg"
    (tmp_path / "資料").mkdir()
    (tmp_path / "資料" / name).write_bytes(b"x")
    assert packed(tmp_path) == {f"資料/{name}": b"x"}


def test_a_file_is_sent_as_it_is(tmp_path: Path) -> None:
    content = os.urandom(700_000)
    (tmp_path / "cells.zip").write_bytes(content)
    with archive_of(tmp_path / "cells.zip") as archive:
        assert archive.size == len(content)
        assert b"".join(archive.chunks) == content


def test_what_belongs_to_tools_stays_behind(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_bytes(b"x")
    (tmp_path / ".DS_Store").write_bytes(b"x")
    (tmp_path / "a.jpg").write_bytes(b"x")
    assert list(packed(tmp_path)) == ["a.jpg"]


def test_links_are_followed_and_those_to_nothing_are_named(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.jpg").write_bytes(b"a")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "linked").symlink_to(elsewhere)
    (folder / "b.jpg").symlink_to(elsewhere / "a.jpg")
    (folder / "lost.jpg").symlink_to(tmp_path / "nowhere")
    assert packed(folder) == {"b.jpg": b"a", "linked/a.jpg": b"a"}
    with archive_of(folder) as archive:
        assert archive.left_out == ["lost.jpg"]


def test_a_link_back_up_is_walked_once(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"a")
    (tmp_path / "again").symlink_to(tmp_path)
    assert list(packed(tmp_path)) == ["a.jpg"]


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ClientError, match="holds no files"), archive_of(tmp_path):
        pass


def test_a_file_that_grows_while_it_is_sent_ends_the_import(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"a")
    with archive_of(tmp_path) as archive:
        (tmp_path / "a.jpg").write_bytes(b"more")
        with pytest.raises(ClientError, match=r"a\.jpg changed while it was sent"):
            list(archive.chunks)


def test_a_file_that_vanishes_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"a")
    with archive_of(tmp_path) as archive:
        (tmp_path / "a.jpg").unlink()
        with pytest.raises(ClientError, match=r"a\.jpg cannot be read: No such file"):
            list(archive.chunks)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(ClientError, match=r"a\.zip cannot be read: No such file"),
        archive_of(tmp_path / "a.zip"),
    ):
        pass
