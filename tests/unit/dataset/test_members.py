"""Hundreds of thousands of files of an archive in little memory, and all that is read of its directory."""

import io
import random
import struct
import tracemalloc
import zipfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from annotateforge.dataset.imports.containers import ArchiveLimits
from annotateforge.dataset.imports.intake import NewImages
from annotateforge.dataset.imports.label_format import Size
from annotateforge.dataset.imports.members import Member, Members
from annotateforge.dataset.imports.opening import Spool, open_container
from annotateforge.dataset.imports.pairing import ImagePaths, pair_by_stem
from annotateforge.dataset.imports.tree import Tree
from annotateforge.runtime.ids import new_id
from tests.unit.dataset.archives import LIMITS, tarred, zipped

COUNT = 19_000


def test_rows_of_a_table_are_its_files_in_any_order() -> None:
    table = Members()
    for key, name in enumerate("cab"):
        table.append(name, key * 10, key)
    assert list(table) == [Member("c", 0, 0), Member("a", 10, 1), Member("b", 20, 2)]
    some = table.rows([2, 0])
    assert (len(some), [each.name for each in some], list(some.names())) == (2, ["b", "c"], ["b", "c"])
    assert [each.name for each in table.sorted()] == ["a", "b", "c"]
    assert [each.name for each in table.rows([0, 1]).sorted()[1:]] == ["c"]
    assert table.sorted()[-1] == Member("c", 0, 0)
    assert not Members()


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_file_takes_little_memory_however_many_there_are(pack: object, tmp_path: Path) -> None:
    files = {f"set/{kind}/{number:06}.{kind}": b"" for kind in ("jpg", "txt") for number in range(COUNT // 2)}
    archive = io.BytesIO(pack(files))  # type: ignore[operator]  # both pack files
    names = sum(len(name) + 57 for name in files)
    with ExitStack() as opened:
        tracemalloc.start()
        opened.callback(tracemalloc.stop)
        tree = Tree(open_container(archive, LIMITS, Spool(tmp_path, 0), opened))
        taken, peak = tracemalloc.get_traced_memory()
        assert taken - names < 80 * COUNT
        assert peak - names < 200 * COUNT
        new = NewImages()
        for member in tree.images:
            new.add(member.name, new_id(), Size(5000, 3000))
        added, _ = tracemalloc.get_traced_memory()
        assert added - taken < 180 * COUNT / 2
        tracemalloc.reset_peak()
        pairs = pair_by_stem(tree.having("txt").names(), ImagePaths(tree.images.names()))
        _, peak = tracemalloc.get_traced_memory()
        assert len(pairs) == COUNT // 2
        assert peak - added < 600 * COUNT / 2


def opened_zip(content: bytes, folder: Path) -> dict[str, bytes | None]:
    with ExitStack() as opened:
        limits = ArchiveLimits(members=20_000, unpacked_bytes=1 << 32, ratio=200)
        container = open_container(io.BytesIO(content), limits, Spool(folder, 0), opened)
        return {member.name: container.read(member, 1 << 30) for member in container.members}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_large_files_and_folders_of_a_zip_are_read_like_small_ones(method: int, tmp_path: Path) -> None:
    files = {"small": b"x" * 1000, "large": random.Random(1).randbytes(3 << 20), "deep/empty": b""}
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        archive.mkdir("deep")
        archive.comment = b"a comment at the end"
        for name, content in files.items():
            archive.writestr(name, content)
    assert opened_zip(target.getvalue(), tmp_path) == files


def test_bytes_before_the_archive_and_sizes_of_64_bits_are_taken_into_account(tmp_path: Path) -> None:
    target = io.BytesIO()
    # As a self-extracting archive has it, only that it has to begin like a zip here.
    target.write(b"PK\x03\x04 and more that is no entry")
    with zipfile.ZipFile(target, "w") as archive:
        with archive.open("a.txt", "w", force_zip64=True) as file:
            file.write(b"hello")
        archive.writestr("b.txt", b"you")
    content = bytearray(target.getvalue())
    assert opened_zip(bytes(content), tmp_path) == {"a.txt": b"hello", "b.txt": b"you"}
    # The same with the sizes of an entry in the directory where 64 bits have room.
    begin = content.rindex(b"PK\x01\x02")
    end = content.rindex(b"PK\x05\x06")
    entry = content[begin:end]
    size, offset = struct.unpack_from("<L", entry, 24)[0], struct.unpack_from("<L", entry, 42)[0]
    field = struct.pack("<2H3Q", 1, 24, size, size, offset)
    entry[20:28] = b"\xff" * 8
    entry[30:32] = struct.pack("<H", len(field))
    entry[42:46] = b"\xff" * 4
    last = content[end:]
    last[12:16] = struct.pack("<L", struct.unpack_from("<L", last, 12)[0] + len(field))
    widened = bytes(content[:begin] + entry + field + last)
    assert opened_zip(widened, tmp_path) == {"a.txt": b"hello", "b.txt": b"you"}
