"""Lists of a data set's files: none leads out of its folder, and what was kept is what was written."""

from pathlib import Path

import pytest

from annotateforge.trainer.worker.dataset_download import Cutter
from annotateforge.trainer.worker.dataset_files import DatasetFile, DatasetFiles
from annotateforge.trainer.worker.failures import ContentDamaged

IMAGE = "ab" * 32


def listing(*names: str) -> DatasetFiles:
    return DatasetFiles(
        [DatasetFile(name, 3, 7, IMAGE if ".jpg" in name else "") for name in names], "cd" * 32
    )


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "/etc/passwd",
        "../a.jpg",
        "images/../../a.jpg",
        "images//a",
        "./a",
        "a\\b",
        "a\0b",
        "images/..",
    ],
)
def test_a_name_that_could_lead_out_of_the_folder_is_refused(name: str) -> None:
    with pytest.raises(ContentDamaged):
        listing("images/a.jpg", name).check(1)


def test_other_names_and_folders_are_taken_and_images_are_counted() -> None:
    files = listing("data.yaml", "train/000-a/", "train/000-a/ä..jpg", "labels/train/1.txt")
    files.check(1)
    assert list(files.texts) == [0, 3]
    assert files.images == {IMAGE: 3}
    with pytest.raises(ContentDamaged):
        files.check(2)


def test_a_list_that_is_cut_or_changed_anywhere_is_none(tmp_path: Path) -> None:
    files = listing("data.yaml", "images/train/1.jpg")
    path = tmp_path / "list.json"
    assert DatasetFiles.load(path) is None
    files.save(path, tmp_path / "incoming")
    assert DatasetFiles.load(path) == files
    content = path.read_bytes()
    for at in range(len(content)):
        for spoilt in (content[:at], content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]):
            path.write_bytes(spoilt)
            assert DatasetFiles.load(path) is None


def test_files_are_cut_out_of_any_pieces() -> None:
    contents = [b"", b"one", b"", b"", b"three" * 5, b"x", b""]
    joined = b"".join(contents)
    for piece in range(1, len(joined) + 1):
        cutter = Cutter([len(content) for content in contents])
        found = []
        for at in range(0, len(joined), piece):
            assert cutter.unfinished
            found += cutter.feed(joined[at : at + piece])
        assert found == contents
        assert not cutter.unfinished
        with pytest.raises(ContentDamaged):
            cutter.feed(b"more")
