"""The data directory."""

import os
from pathlib import Path

import pytest

from annotateforge.local.engine import EngineError
from annotateforge.local.installation import opened


def test_the_secret_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    with opened(tmp_path / "data") as installation:
        secret = installation.secret()
    with opened(tmp_path / "data") as again:
        assert again.secret() == secret
    assert len(secret) >= 32
    assert (tmp_path / "data" / "secret").stat().st_mode & 0o077 == 0
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0


def test_a_directory_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    taken = pytest.raises(EngineError, match=f"already running on .* as process {os.getpid()}")
    with opened(tmp_path), taken, opened(tmp_path):
        pass
    with opened(tmp_path):
        pass


def test_a_place_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(EngineError, match="cannot be used: .*--data-dir"), opened(path):
            pass
