"""The state that was uploaded last."""

import hashlib
from pathlib import Path

import pytest

from annotateforge.trainer.worker.kept_state import KeptState


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "states"
    folder.mkdir()
    return folder


def state(folder: Path, content: bytes) -> tuple[Path, str]:
    path = folder.parent / "1.pt"
    path.write_bytes(content)
    return path, hashlib.sha256(content).hexdigest()


async def test_a_state_is_found_by_its_digest_until_the_next_one_takes_its_place(folder: Path) -> None:
    kept = KeptState(folder)
    path, first = state(folder, b"first")
    kept.keep(path, first)
    assert not path.exists()
    found = await kept.find(first)
    assert found is not None
    assert found.read_bytes() == b"first"
    path, second = state(folder, b"second")
    kept.keep(path, second)
    assert await kept.find(first) is None
    assert len(list(folder.iterdir())) == 1
    kept.forget()
    assert list(folder.iterdir()) == []


async def test_a_state_that_was_harmed_on_the_disk_is_not_found(folder: Path) -> None:
    kept = KeptState(folder)
    path, digest = state(folder, b"whole")
    kept.keep(path, digest)
    found = await kept.find(digest)
    assert found is not None
    found.write_bytes(b"torn")
    assert await kept.find(digest) is None


async def test_a_state_that_is_gone_before_it_can_be_kept_is_no_trouble(folder: Path) -> None:
    kept = KeptState(folder)
    kept.keep(folder.parent / "gone.pt", "0" * 64)
    assert await kept.find("0" * 64) is None
