"""What `up` leaves for the command line."""

from pathlib import Path

import pytest

from annotateforge.client.profile import LocalServer

SERVER = LocalServer("http://127.0.0.1:8000", "a.b.c")


def test_what_up_writes_the_command_line_finds(tmp_path: Path) -> None:
    SERVER.write(tmp_path)
    assert LocalServer.find(tmp_path) == SERVER
    assert [path.name for path in tmp_path.iterdir()] == ["server.json"]


def test_the_token_is_for_its_owner_alone(tmp_path: Path) -> None:
    SERVER.write(tmp_path)
    assert (tmp_path / "server.json").stat().st_mode & 0o077 == 0


def test_it_is_taken_away_unless_another_has_replaced_it(tmp_path: Path) -> None:
    SERVER.write(tmp_path)
    LocalServer("http://127.0.0.1:9000", "a.b.c").remove(tmp_path)
    assert LocalServer.find(tmp_path) == SERVER
    SERVER.remove(tmp_path)
    assert LocalServer.find(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"url": "x"}', b"\xff"])
def test_what_cannot_be_read_counts_as_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "server.json").write_bytes(content)
    assert LocalServer.find(tmp_path) is None


def test_a_data_directory_that_is_none_has_no_server(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert LocalServer.find(tmp_path / "file") is None
    assert LocalServer.find(tmp_path / "nowhere") is None
