"""The file with a child's output."""

from pathlib import Path

from annotateforge.trainer.worker.log_file import LogFile


def test_a_log_begins_anew_when_it_is_long_and_has_the_newest_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = LogFile(path, most=1000)
    for number in range(1000):
        file.write(f"line {number}")
    file.close()
    lines = path.read_text().splitlines()
    assert 0 < path.stat().st_size < 1100
    assert lines == [f"line {number}" for number in range(1000 - len(lines), 1000)]


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
