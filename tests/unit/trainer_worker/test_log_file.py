"""The file with a child's output."""

import os
from dataclasses import fields
from pathlib import Path

import pytest

from annotateforge.trainer.worker.folders import LOGS_KEPT, Folders
from annotateforge.trainer.worker.log_file import LogFile, previous_of


def test_a_log_begins_anew_when_it_is_long_and_what_came_before_stays_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "job-1.log"
    file = LogFile(path, most=1000)
    for number in range(1000):
        file.write(f"line {number}")
    file.close()
    before = tmp_path / "job-1.previous.log"
    assert sorted(tmp_path.iterdir()) == [path, before]
    assert 0 < path.stat().st_size < 1100
    assert 1000 <= before.stat().st_size < 1100
    lines = (before.read_text() + path.read_text()).splitlines()
    assert lines == [f"line {number}" for number in range(1000 - len(lines), 1000)]


def test_where_no_other_file_can_be_made_a_log_loses_what_came_before_and_no_new_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "job-1.log"
    file = LogFile(path, most=100)

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr(Path, "open", refuse)
    for number in range(50):
        file.write(f"line {number}")
    monkeypatch.undo()
    file.close()
    lines = path.read_text().splitlines()
    assert path.stat().st_size < 120
    assert lines == [f"line {number}" for number in range(50 - len(lines), 50)]


def test_the_logs_of_the_newest_attempts_are_kept_with_what_came_before(tmp_path: Path) -> None:
    folders = Folders(**{field.name: tmp_path for field in fields(Folders)})
    for number in range(LOGS_KEPT + 3):
        log = folders.log_file(f"job-{number}")
        for path in (log, previous_of(log)):
            path.write_text("line")
            os.utime(path, (number, number))
    kept = range(3, LOGS_KEPT + 3)
    assert {path.name for path in tmp_path.iterdir()} == {
        f"job-{number}{suffix}" for number in kept for suffix in (".log", ".previous.log")
    }


def test_a_line_is_there_as_soon_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = LogFile(path)
    file.write("line")
    assert path.read_text() == "line\n"
    file.close()


def test_a_full_disk_is_no_trouble_of_the_log() -> None:
    file = LogFile(Path("/dev/full"))
    file.write("line")
    file.close()
