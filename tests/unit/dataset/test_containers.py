"""Archives that mean harm, or are simply broken, are refused with the reason before anything is done."""

import gzip
import io
import random
import struct
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from annotateforge.dataset.imports.containers import ArchiveLimits
from annotateforge.dataset.imports.opening import Spool, open_container
from annotateforge.runtime.errors import Code, DomainError
from tests.unit.dataset.archives import LIMITS, png, tarred, zipped

CONTENTS = {"a/b.txt": b"hello", "c.png": png(), "empty.txt": b""}


def contents(archive: bytes, folder: Path, limits: ArchiveLimits = LIMITS) -> dict[str, bytes | None]:
    with ExitStack() as opened:
        container = open_container(io.BytesIO(archive), limits, Spool(folder, 0), opened)
        return {member.name: container.read(member, 1 << 30) for member in container.members}


def refused(archive: bytes, folder: Path, limits: ArchiveLimits = LIMITS) -> DomainError:
    with pytest.raises(DomainError) as caught:
        contents(archive, folder, limits)
    assert caught.value.message
    return caught.value


@pytest.mark.parametrize("pack", [zipped, tarred, lambda files: tarred(files, pack=True)])
def test_every_container_gives_the_same_files(pack: Callable[..., bytes], tmp_path: Path) -> None:
    assert contents(pack(CONTENTS), tmp_path) == CONTENTS


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_every_usual_compression_is_read(method: int, tmp_path: Path) -> None:
    assert contents(zipped(CONTENTS, method), tmp_path) == CONTENTS


@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_every_kind_of_tar_is_read_with_long_names(kind: int, tmp_path: Path) -> None:
    name = "folder/" * 20 + "ä" * 40 + ".txt"
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=kind) as archive:
        entry = tarfile.TarInfo(name)
        entry.size = 5
        archive.addfile(entry, io.BytesIO(b"hello"))
    assert contents(target.getvalue(), tmp_path) == {name: b"hello"}


def test_names_are_decoded_composed_and_use_slashes(tmp_path: Path) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("mac/a\u0308.txt", b"1")
        archive.writestr(zipfile.ZipInfo("windows\\b.txt"), b"2")
    # A name in UTF-8 without the flag that says so.
    archive_bytes = target.getvalue() + b""
    assert set(contents(archive_bytes, tmp_path)) == {"mac/ä.txt", "windows/b.txt"}
    unflagged = bytearray(zipped({"ää.txt": b"3"}))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        flags = unflagged.find(signature) + at
        unflagged[flags : flags + 2] = struct.pack("<H", 0)
    assert set(contents(bytes(unflagged), tmp_path)) == {"ää.txt"}


def test_a_tar_name_that_is_no_utf_8_is_taken_for_latin_1(tmp_path: Path) -> None:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT, encoding="latin-1") as archive:
        archive.addfile(tarfile.TarInfo("gr\xfcn.txt"))
    assert set(contents(target.getvalue(), tmp_path)) == {"grün.txt"}


@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        (b"", "ARCHIVE_EMPTY"),
        (b"plain text", "NOT_AN_ARCHIVE"),
        (bytes(1 << 20), "NOT_AN_ARCHIVE"),
        (png(), "NOT_AN_ARCHIVE"),
        (gzip.compress(b"plain text", mtime=0), "NOT_AN_ARCHIVE"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(100), "ARCHIVE_FORMAT_UNSUPPORTED"),
        (b"Rar!\x1a\x07\x00", "ARCHIVE_FORMAT_UNSUPPORTED"),
        (b"PK\x03\x04", "ARCHIVE_DAMAGED"),
    ],
)
def test_what_is_no_archive_is_told_from_what_is_another_kind(
    archive: bytes, reason: str, tmp_path: Path
) -> None:
    error = refused(archive, tmp_path)
    assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, reason)


@pytest.mark.parametrize("pack", [zipped, tarred, lambda files: tarred(files, pack=True)])
def test_an_archive_cut_anywhere_is_damaged(pack: Callable[..., bytes], tmp_path: Path) -> None:
    files = {f"{n}.bin": random.Random(n).randbytes(3000) for n in range(8)}
    whole = pack(files)
    for share in (0.2, 0.5, 0.9):
        error = refused(whole[: int(len(whole) * share)], tmp_path)
        assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "ARCHIVE_DAMAGED")


def test_a_tar_cut_between_two_files_is_damaged_too(tmp_path: Path) -> None:
    whole = tarred({"a.txt": bytes(512), "b.txt": bytes(512)})
    assert refused(whole[:2048], tmp_path).reason == "ARCHIVE_DAMAGED"
    assert refused(whole[:2048] + b"x" * 512, tmp_path).reason == "ARCHIVE_DAMAGED"


def test_a_member_whose_bytes_were_changed_is_named(tmp_path: Path) -> None:
    content = bytearray(zipped({"a.txt": b"1" * 100, "b.txt": b"2" * 100}, zipfile.ZIP_STORED))
    content[content.index(b"2" * 100) + 7] = 0
    error = refused(bytes(content), tmp_path)
    assert (error.reason, error.metadata) == ("ARCHIVE_DAMAGED", {"file": "b.txt"})


def test_what_is_stored_is_read_at_any_size_and_checked(tmp_path: Path) -> None:
    large = random.Random(1).randbytes(3 << 20)
    archive = bytearray(zipped({"a.bin": large, "b.bin": b"2"}, zipfile.ZIP_STORED))
    assert contents(bytes(archive), tmp_path) == {"a.bin": large, "b.bin": b"2"}
    archive[archive.index(large) + (2 << 20)] ^= 1
    error = refused(bytes(archive), tmp_path)
    assert (error.reason, error.metadata) == ("ARCHIVE_DAMAGED", {"file": "a.bin"})


@pytest.mark.parametrize(
    "name", ["../evil.txt", "a/../../evil.txt", "/etc/passwd", "C:\\evil.txt", "..\\evil.txt", "a\nb.txt"]
)
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_paths_that_lead_out_are_refused_by_name(
    pack: Callable[..., bytes], name: str, tmp_path: Path
) -> None:
    error = refused(pack({"fine.txt": b"", name: b"x"}), tmp_path)
    assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "ARCHIVE_PATH_UNSAFE")
    assert "evil" in error.metadata["file"] or error.metadata["file"] in ("/etc/passwd", "a\nb.txt")


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_tar_are_refused(kind: bytes, tmp_path: Path) -> None:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        entry = tarfile.TarInfo("images/a.png")
        entry.type = kind
        entry.linkname = "/etc/passwd"
        archive.addfile(entry)
    error = refused(target.getvalue(), tmp_path)
    assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "ARCHIVE_ENTRY_FORBIDDEN")
    assert error.metadata == {"file": "images/a.png"}


def test_symbolic_links_in_zip_are_refused(tmp_path: Path) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        entry = zipfile.ZipInfo("a.png")
        entry.create_system = 3
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    assert refused(target.getvalue(), tmp_path).reason == "ARCHIVE_ENTRY_FORBIDDEN"


def test_a_name_that_comes_twice_is_refused(tmp_path: Path) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("a.txt", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.txt", b"2")
    assert refused(target.getvalue(), tmp_path).reason == "ARCHIVE_NAME_REPEATED"


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    content = bytearray(zipped({"a.txt": b"secret"}))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.find(signature) + at] |= 1
    error = refused(bytes(content), tmp_path)
    assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "ARCHIVE_ENCRYPTED")


def test_a_zip_with_an_exotic_compression_is_refused(tmp_path: Path) -> None:
    content = bytearray(zipped({"a.txt": b"secret"}))
    for signature, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        content[content.find(signature) + at] = 9
    assert refused(bytes(content), tmp_path).reason == "ARCHIVE_COMPRESSION_UNSUPPORTED"


def test_a_zip_with_entries_that_cannot_be_opened_is_damaged(tmp_path: Path) -> None:
    content = bytearray(zipped({"a.txt": b"secret"}))
    # "Compressed patched data", for which zipfile raises what it raises for no other fault.
    content[content.find(b"PK\x01\x02") + 8] |= 0x20
    assert refused(bytes(content), tmp_path).reason == "ARCHIVE_DAMAGED"


def test_entries_that_share_bytes_are_refused(tmp_path: Path) -> None:
    """The directory names one and the same compressed kernel many times."""
    kernel = zipped({"a.bin": bytes(1 << 20)})
    end = kernel.rindex(b"PK\x05\x06")
    start = kernel.index(b"PK\x01\x02")
    entry = bytearray(kernel[start:end])
    directory = b""
    for number in range(50):
        entry[46:51] = f"{number:05}".encode()
        directory += entry
    record = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 50, 50, len(directory), start, 0)
    error = refused(kernel[:start] + directory + record, tmp_path)
    assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "ARCHIVE_ENTRIES_OVERLAP")


@pytest.mark.parametrize("pack", [zipped, tarred, lambda files: tarred(files, pack=True)])
def test_files_are_counted_before_any_work(pack: Callable[..., bytes], tmp_path: Path) -> None:
    limits = ArchiveLimits(members=100, unpacked_bytes=1 << 30, ratio=200)
    assert len(contents(pack({f"{n}.txt": b"" for n in range(100)}), tmp_path, limits)) == 100
    error = refused(pack({f"{n}.txt": b"" for n in range(101)}), tmp_path, limits)
    assert (error.code, error.reason) == (Code.RESOURCE_EXHAUSTED, "ARCHIVE_TOO_MANY_FILES")


def test_a_zip_that_understates_its_count_is_counted_nevertheless(tmp_path: Path) -> None:
    content = bytearray(zipped({f"{n}.txt": b"" for n in range(101)}))
    end = content.rindex(b"PK\x05\x06")
    content[end + 8 : end + 12] = struct.pack("<2H", 1, 1)
    limits = ArchiveLimits(members=100, unpacked_bytes=1 << 30, ratio=200)
    assert refused(bytes(content), tmp_path, limits).reason == "ARCHIVE_TOO_MANY_FILES"


@pytest.mark.parametrize("pack", [zipped, lambda files: tarred(files, pack=True)])
def test_a_gigabyte_of_zeros_is_refused(pack: Callable[..., bytes], tmp_path: Path) -> None:
    error = refused(pack({"zeros.bin": bytes(200 << 20)}), tmp_path)
    assert (error.code, error.reason) == (Code.RESOURCE_EXHAUSTED, "ARCHIVE_BOMB")


def test_a_zip_that_lies_about_sizes_unpacks_no_more_than_it_says(tmp_path: Path) -> None:
    content = bytearray(zipped({"zeros.bin": bytes(100 << 20)}))
    for signature, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        content[content.find(signature) + at : content.find(signature) + at + 4] = struct.pack("<L", 10)
    assert refused(bytes(content), tmp_path).reason == "ARCHIVE_DAMAGED"


def test_a_limit_of_bytes_holds_whatever_the_ratio(tmp_path: Path) -> None:
    limits = ArchiveLimits(members=100, unpacked_bytes=10_000, ratio=200)
    files = {f"{n}.bin": random.Random(n).randbytes(4000) for n in range(3)}
    assert refused(zipped(files, zipfile.ZIP_STORED), tmp_path, limits).reason == "ARCHIVE_BOMB"
    assert refused(tarred(files), tmp_path, limits).reason == "ARCHIVE_BOMB"
    assert refused(tarred(files, pack=True), tmp_path, limits).reason == "ARCHIVE_BOMB"


def test_an_extended_header_of_gigabytes_is_not_read_into_memory(tmp_path: Path) -> None:
    entry = tarfile.TarInfo("pax")
    entry.type = tarfile.XHDTYPE
    entry.size = 8 << 30
    header = entry.tobuf(format=tarfile.GNU_FORMAT)
    assert refused(header + bytes(1 << 20), tmp_path).reason == "ARCHIVE_DAMAGED"


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (tarfile.XHDTYPE, b"12 path=abc\n"),
        (tarfile.XGLTYPE, b"12 path=abc\n"),
        (tarfile.GNUTYPE_LONGNAME, b"abc\0"),
    ],
)
def test_extended_headers_without_end_are_refused(kind: bytes, content: bytes, tmp_path: Path) -> None:
    entry = tarfile.TarInfo("more")
    entry.type, entry.size = kind, len(content)
    header = entry.tobuf(format=tarfile.GNU_FORMAT) + content.ljust(512, b"\0")
    assert contents(header * 3 + tarred({"abc": b"x"}), tmp_path) == {"abc": b"x"}
    assert refused(header * 2000 + tarred({"abc": b"x"}), tmp_path).reason == "ARCHIVE_DAMAGED"


def test_global_headers_of_a_tar_do_not_fill_the_memory(tmp_path: Path) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as target:
        for number in range(4):
            record = f"300020 k{number:05}={'x' * 300_006}\n"
            entry = tarfile.TarInfo("global")
            entry.type, entry.size = tarfile.XGLTYPE, len(record)
            target.addfile(entry, io.BytesIO(record.encode()))
            target.addfile(tarfile.TarInfo(f"{number}.txt"))
    assert refused(archive.getvalue(), tmp_path).reason == "ARCHIVE_DAMAGED"


def test_an_archive_without_files_has_none(tmp_path: Path) -> None:
    assert contents(zipped({}), tmp_path) == {}
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        folder = tarfile.TarInfo("images")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    assert contents(target.getvalue(), tmp_path) == {}


def test_a_disk_that_was_full_once_is_looked_at_again_the_next_time(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 1 << 60)
    for _ in range(2):
        with pytest.raises(DomainError) as caught:
            spool.reserve(1)
        assert caught.value.reason == "SPOOL_FULL"
