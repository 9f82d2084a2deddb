import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotateforge.dataset.archive import Archive, ImageFiles, LabelFiles, Piece, Span, lay_out
from annotateforge.dataset.archive_names import class_folder
from annotateforge.dataset.byte_rows import ByteRows
from annotateforge.dataset.columns import Longs, starts
from annotateforge.dataset.manifest import (
    NO_CLASS,
    RECORD,
    TRAIN,
    VAL,
    Manifest,
    count_copies,
    read_manifest,
    write_manifest,
)
from annotateforge.dataset.spec import Task
from annotateforge.dataset.zip_records import local_headers
from annotateforge.runtime.blobs import hexadecimal

GIB = 1024**3


def manifest_of(task: Task, contents: list[bytes], sizes: list[int] | None = None) -> tuple[Manifest, bytes]:
    """A manifest of images, every third of which validates; images may claim other sizes than they have."""
    contents = sorted(contents, key=lambda content: hashlib.sha256(content).digest())
    digests = b"".join(hashlib.sha256(content).digest() for content in contents)
    labels = [b"%d 0.5 0.5 1.0 1.0\n" % (number % 2) for number in range(len(contents))]
    labels = [] if task is Task.CLASSIFY else labels
    records = np.zeros(len(contents), RECORD)
    records["sha256"] = np.frombuffer(digests, np.uint8).reshape(-1, 32)
    records["size"] = sizes or [len(content) for content in contents]
    records["crc32"] = [zlib.crc32(content) for content in contents]
    records["format"] = [1 + number % 5 for number in range(len(contents))]
    records["side"] = [VAL if number % 3 == 0 else TRAIN for number in range(len(contents))]
    records["class_id"] = [number % 2 for number in range(len(contents))] if not labels else NO_CLASS
    records["copy"] = count_copies(records["sha256"])
    if labels:
        records["label_size"] = [len(label) for label in labels]
        records["label_crc32"] = [zlib.crc32(label) for label in labels]
        records["label_offset"] = starts(records["label_size"])
    pack = b"".join(labels)
    return write_manifest(task, ("a", "b"), records, hashlib.sha256(pack).digest(), len(pack)), pack


def put_together(archive: Archive, contents: list[bytes], pack: bytes, begin: int, end: int) -> bytes:
    by_digest = {hashlib.sha256(content).hexdigest(): content for content in contents}
    parts = []
    for piece in archive.plan(begin, end):
        match piece:
            case bytes():
                assert piece
                parts.append(piece)
            case Span():
                blob = by_digest[piece.image]
                part = blob[piece.offset : piece.offset + piece.length]
                assert len(part) == piece.length > 0
                assert piece.whole == (piece.length == len(blob))
                parts.append(part)
            case ImageFiles():
                digests = hexadecimal(piece.digests)
                for header, digest, size in zip(piece.headers, digests, piece.sizes, strict=True):
                    assert len(by_digest[digest]) == size
                    parts += [header, by_digest[digest]]
            case LabelFiles():
                at = piece.offset
                for header, size in zip(piece.headers, piece.sizes, strict=True):
                    parts += [header, pack[at : at + size]]
                    at += size
    return b"".join(parts)


@settings(deadline=None)
@given(
    st.sampled_from(Task),
    st.lists(st.binary(max_size=50), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 5000)), max_size=10),
)
def test_every_range_of_any_archive_is_that_of_the_whole(
    task: Task, contents: list[bytes], ranges: list[tuple[int, int]]
) -> None:
    manifest, pack = manifest_of(task, contents)
    archive = lay_out(manifest)
    whole = put_together(archive, contents, pack, 0, archive.size)
    assert len(whole) == archive.size
    with zipfile.ZipFile(io.BytesIO(whole)) as opened:
        assert opened.testzip() is None
        entries = list(archive.entries(0, len(archive)))
        assert [entry.name for entry in entries] == opened.namelist()
        assert len(set(opened.namelist())) == len(archive)
        for entry, info in zip(entries, opened.infolist(), strict=True):
            assert (entry.size, entry.crc32) == (info.file_size, info.CRC)
            assert whole[entry.offset : entry.offset + entry.size] == opened.read(info)
    for first, last in ranges:
        begin, end = sorted((first % (archive.size + 1), last % (archive.size + 1)))
        assert put_together(archive, contents, pack, begin, end) == whole[begin:end]


def test_headers_are_written_once_and_those_of_a_large_archive_are_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    contents = [b"%d" % number for number in range(3000)]
    manifest, pack = manifest_of(Task.DETECT, contents)
    written: list[int] = []

    def counted(names: ByteRows, size: Longs, crc32: npt.NDArray[np.uint32]) -> ByteRows:
        written.append(len(size))
        return local_headers(names, size, crc32)

    monkeypatch.setattr("annotateforge.dataset.archive.local_headers", counted)

    def put_together_twice() -> Archive:
        written.clear()
        archive = lay_out(manifest)
        middle = archive.size // 3
        parts = [(0, middle), (middle, archive.size), (0, archive.size)]
        begun, rest, whole = (put_together(archive, contents, pack, *part) for part in parts)
        assert begun + rest == whole
        return archive

    kept = put_together_twice()
    assert sum(written) == len(kept)
    memory = kept.memory
    assert kept.headers > 2 * len(contents) * 100
    monkeypatch.setattr("annotateforge.dataset.archive._MOST_KEPT", kept.headers - 1)
    large = put_together_twice()
    assert sum(written) > 2 * len(kept)
    assert large.memory == memory - kept.headers


def test_more_than_ten_equal_images_have_names_of_their_own() -> None:
    manifest, pack = manifest_of(Task.DETECT, [b"x"] * 12 + [b"y"])
    archive = lay_out(manifest)
    whole = put_together(archive, [b"x", b"y"], pack, 0, archive.size)
    with zipfile.ZipFile(io.BytesIO(whole)) as opened:
        assert opened.testzip() is None
        assert len(set(opened.namelist())) == 1 + 2 * 13


def test_the_bytes_of_an_archive_are_pinned() -> None:
    # Fixed for ever under a manifest of this version: the digest is the archive's entity tag.
    contents = [bytes([number]) * number for number in range(1, 30)] + [b"\1"]
    found = {}
    for task in Task:
        manifest, pack = manifest_of(task, contents)
        archive = lay_out(manifest)
        whole = put_together(archive, contents, pack, 0, archive.size)
        found[task] = hashlib.sha256(whole).hexdigest()[:16]
    assert found == {
        Task.CLASSIFY: "e1b1f3511a649cb1",
        Task.DETECT: "1d7bbb57c008c99d",
        Task.SEGMENT: "1d7bbb57c008c99d",
    }


def _written(piece: Piece) -> Iterator[tuple[bytes, int]]:
    """What stands in the archive itself, and how much of images or labels follows it."""
    match piece:
        case bytes():
            yield piece, 0
        case Span():
            yield b"", piece.length
        case ImageFiles() | LabelFiles():
            yield from zip(piece.headers, piece.sizes, strict=True)


def sparse(archive: Archive, path: Path) -> None:
    """Write an archive with holes in place of the images."""
    with path.open("wb") as file:
        at = 0
        for piece in archive.plan(0, archive.size):
            for written, skipped in _written(piece):
                file.seek(at)
                file.write(written)
                at += len(written) + skipped
        assert at == archive.size
        file.truncate(archive.size)


def test_files_and_archives_beyond_four_gibibytes_are_found(tmp_path: Path) -> None:
    contents = [bytes([number]) for number in range(5)]
    sizes = [3 * GIB, 5 * GIB, 10**7, 2**32 - 1, 2**32 - 2]
    manifest, _ = manifest_of(Task.CLASSIFY, contents, sizes)
    archive = lay_out(manifest)
    assert archive.size > 16 * GIB
    path = tmp_path / "large.zip"
    sparse(archive, path)
    with zipfile.ZipFile(path) as opened:
        files = [info for info in opened.infolist() if not info.is_dir() and info.filename != "data.yaml"]
        assert [info.file_size for info in files] == sizes
        assert max(info.header_offset for info in files) > 8 * GIB
        for info in files:
            # Reads the local header, whose name and sizes must agree.
            with opened.open(info) as file:
                assert file.read(1) == b"\0"


@pytest.mark.parametrize("images", [65_533, 65_534, 65_535, 70_000])
def test_more_entries_than_sixteen_bits_count_are_found(images: int, tmp_path: Path) -> None:
    records = np.zeros(images, RECORD)
    records["sha256"][:, :8] = np.arange(images, dtype=">u8").view(np.uint8).reshape(-1, 8)
    records["format"] = 1
    manifest = write_manifest(Task.CLASSIFY, ("a",), records, bytes(32), 0)
    archive = lay_out(manifest)
    path = tmp_path / "many.zip"
    sparse(archive, path)
    with zipfile.ZipFile(path) as opened:
        assert len(opened.namelist()) == images + 3
        assert opened.testzip() is None
    assert (b"PK\6\6" in archive.end) == (images + 3 >= 65_535)


def test_a_stored_manifest_reads_back(tmp_path: Path) -> None:
    contents = [b"x", b"y", b"y", b"z"]
    manifest, _ = manifest_of(Task.DETECT, contents)
    again = read_manifest(manifest.data)
    assert again.digest == manifest.digest == hashlib.sha256(manifest.data).digest()
    assert (again.task, again.classes) == (Task.DETECT, ("a", "b"))
    assert again.records.tobytes() == manifest.records.tobytes()
    assert again.train_images == manifest.train_images == 2
    digests = [hashlib.sha256(content).digest() for content in (b"y", b"none", b"z")]
    found = again.find(digests).tolist()
    assert [again.records["sha256"][at].tobytes() if at >= 0 else None for at in found] == [
        digests[0],
        None,
        digests[2],
    ]
    for damaged in (b"", b"nothing", manifest.data[:-1], b"X" + manifest.data[1:]):
        with pytest.raises(ValueError, match="."):
            read_manifest(damaged)


def test_digests_that_begin_alike_get_names_of_their_own() -> None:
    digests = np.zeros((5, 32), np.uint8)
    digests[1, 31] = 1
    digests[2, 31] = 2
    digests[3, 0] = 1
    digests[4, 0] = 1
    assert count_copies(digests).tolist() == [0, 1, 2, 0, 1]


def test_class_folders_sort_by_position_whatever_the_labels() -> None:
    labels = ["zebra", "ant/../..", "CON", "ä" * 200, "a.", " ", "x" * 200, *map(str, range(993))]
    folders = [class_folder(number, label) for number, label in enumerate(labels)]
    assert folders == sorted(folders)
    assert folders[1] == "001-ant_"
    assert all(
        len(folder) <= 64 and folder.isascii() and "/" not in folder and "." not in folder
        for folder in folders
    )
