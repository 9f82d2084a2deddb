"""The worker's token on the disk."""

from pathlib import Path

import pytest

from annotateforge.trainer.worker.tokens import TokenFile


def test_a_token_is_read_again_when_its_file_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("first\n")
    token = TokenFile(path)
    assert token() == "first"
    (tmp_path / "new").write_text("second\n")
    (tmp_path / "new").replace(path)
    assert token() == "second"


@pytest.mark.parametrize("written", [b"\xff\xfet\x00o\x00", b"", b" \n"], ids=["UTF-16", "empty", "blank"])
def test_the_last_token_counts_while_the_file_holds_none(tmp_path: Path, written: bytes) -> None:
    path = tmp_path / "token"
    path.write_text("first")
    token = TokenFile(path)
    assert token() == "first"
    path.write_bytes(written)
    assert token() == "first"
    path.unlink()
    assert token() == "first"
    path.write_text("second")
    assert token() == "second"
