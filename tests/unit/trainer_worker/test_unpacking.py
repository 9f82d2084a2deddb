"""Archives in any pieces; archives as Python writes them stand for those of the dataset service."""

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotateforge.trainer.worker.failures import ContentDamaged
from annotateforge.trainer.worker.unpacking import Unpacker

FILES = {"data.yaml": b"names: []\n", "images/train/a.png": bytes(range(256)) * 30, "labels/train/ä.txt": b""}


def archive(files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as zipped:
        zipped.writestr(zipfile.ZipInfo("train/empty/"), b"")
        for name, content in files.items():
            zipped.writestr(name, content)
    return buffer.getvalue()


def unpack(data: bytes, folder: Path, piece: int = 1000) -> Unpacker:
    with Unpacker(folder) as unpacker:
        for begin in range(0, len(data), piece):
            unpacker.feed(data[begin : begin + piece])
        unpacker.finish()
    return unpacker


@given(piece=st.integers(1, 9000))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_files_are_the_same_however_the_archive_is_cut(tmp_path: Path, piece: int) -> None:
    folder = tmp_path / f"{piece}"
    if folder.exists():
        return
    unpacker = unpack(archive(FILES), folder, piece)
    assert {file.name: (folder / file.name).read_bytes() for file in unpacker.files} == FILES
    assert (folder / "train" / "empty").is_dir()


def test_sizes_that_need_64_bits_are_read(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped, zipped.open("big", "w", force_zip64=True) as file:
        file.write(b"content")
    data = bytearray(buffer.getvalue())
    # Python puts the sizes into a field of their own only when it must: do as if it had to.
    data[18:26] = b"\xff" * 8
    assert unpack(bytes(data), tmp_path / "out").files[0].size == 7


@pytest.mark.parametrize("cut", [0, 10, 60, 4000, -200])
def test_an_archive_that_ends_too_early_is_damaged(tmp_path: Path, cut: int) -> None:
    data = archive({"a": b"a" * 5000})
    data = data[:cut] if cut >= 0 else data[: data.index(b"PK\1\2")]
    with pytest.raises(ContentDamaged):
        unpack(data, tmp_path / "out")


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    data = bytearray(archive({"a.png": b"pixels" * 100}))
    data[data.index(b"pixels") + 50] ^= 1
    with pytest.raises(ContentDamaged, match=r"a\.png"):
        unpack(bytes(data), tmp_path / "out")


@pytest.mark.parametrize("name", ["../out.txt", "/etc/out.txt", "a/../../out.txt", "a\\..\\b"])
def test_names_that_lead_out_of_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ContentDamaged):
        unpack(archive({name: b"x"}), tmp_path / "out")
    assert not (tmp_path / "out.txt").exists()


def test_compressed_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ContentDamaged, match="not stored"):
        unpack(archive({"a": b"a" * 1000}, zipfile.ZIP_DEFLATED), tmp_path / "out")


def test_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContentDamaged):
        unpack(b"<html>no archive at all, but an answer of a proxy</html>", tmp_path / "out")
