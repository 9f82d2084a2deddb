"""Reports that wait on the disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from annotateforge.api.trainer.v1.event_pb2 import EpochStart
from annotateforge.api.trainer.v1.worker_service_pb2 import Report
from annotateforge.trainer.worker.report_journal import JournalDamaged, ReportJournal

ALL = 10**9


def report(number: int) -> Report:
    return Report(number=number, epoch_start=EpochStart(epoch=number))


@pytest.fixture(autouse=True)
def closing() -> Iterator[None]:
    """Journals are closed after the test."""
    yield
    while OPEN:
        OPEN.pop().close()


OPEN: list[ReportJournal] = []


def reopened(path: Path) -> ReportJournal:
    OPEN.append(ReportJournal.reopen(path))
    return OPEN[-1]


def journal_of(path: Path, *numbers: int) -> ReportJournal:
    journal = ReportJournal()
    journal.keep_in(path)
    OPEN.append(journal)
    for number in numbers:
        journal.append(report(number))
    return journal


def numbers(reports: list[Report]) -> list[int]:
    return [one.number for one in reports]


def test_what_was_appended_comes_in_order_and_in_batches_until_it_is_forgotten(tmp_path: Path) -> None:
    journal = journal_of(tmp_path / "reports", *range(1, 8))
    assert numbers(journal.batch(3, ALL)) == [1, 2, 3]
    assert journal.forget(2) == 2
    journal.append(report(8))
    assert numbers(journal.batch(3, ALL)) == [3, 4, 5]
    assert journal.forget(5) == 3
    assert numbers(journal.batch(100, ALL)) == [6, 7, 8]
    assert journal.waiting == 3
    assert journal.forget(8) == 3
    assert journal.batch(100, ALL) == []


def test_a_batch_has_about_as_many_bytes_as_it_may_and_at_least_one_report(tmp_path: Path) -> None:
    journal = journal_of(tmp_path / "reports", *range(1, 100))
    assert numbers(journal.batch(100, 1)) == [1]
    size = sum(8 + one.ByteSize() for one in journal.batch(100, 200))
    assert 200 <= size < 220


def test_the_file_is_emptied_when_all_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "reports"
    journal = journal_of(path, 1, 2)
    journal.batch(10, ALL)
    journal.forget(2)
    assert path.stat().st_size == 0
    journal.append(report(3))
    assert numbers(journal.batch(10, ALL)) == [3]


def test_another_process_finds_what_was_not_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "reports"
    journal_of(path, 1, 2, 3)
    again = reopened(path)
    assert (again.waiting, again.last_number) == (3, 3)
    assert numbers(again.batch(10, ALL)) == [1, 2, 3]
    again.append(report(4))
    again.forget(3)
    assert numbers(again.batch(10, ALL)) == [4]


def test_a_record_that_was_torn_anywhere_is_left_out_and_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "reports"
    journal_of(path, 1, 2)
    whole = path.stat().st_size
    journal_of(path, 1, 2, 3).close()
    content = path.read_bytes()
    for size in range(whole, len(content)):
        path.write_bytes(content[:size])
        again = reopened(path)
        assert numbers(again.batch(10, ALL)) == [1, 2]
        again.append(report(3))
        again.close()
        assert path.read_bytes() == content


@pytest.mark.parametrize("zeros", [1, 7, 8, 9, 4096])
def test_a_tail_of_zeros_is_no_report(tmp_path: Path, zeros: int) -> None:
    path = tmp_path / "reports"
    journal_of(path, 1, 2).close()
    content = path.read_bytes()
    path.write_bytes(content + bytes(zeros))
    again = reopened(path)
    assert (again.waiting, again.last_number) == (2, 2)
    assert path.read_bytes() == content


@pytest.mark.parametrize("at", [0, 5, 9, -1])
def test_a_record_whose_bytes_were_changed_ends_what_is_read(tmp_path: Path, at: int) -> None:
    path = tmp_path / "reports"
    journal_of(path, 1).close()
    first = path.stat().st_size
    journal_of(path, 1, 2).close()
    content = bytearray(path.read_bytes())
    content[at if at < 0 else first + at] ^= 0xFF
    path.write_bytes(content)
    assert numbers(reopened(path).batch(10, ALL)) == [1]


def test_a_report_that_is_damaged_while_it_waits_is_told_of_and_no_later_one_comes_in_its_place(
    tmp_path: Path,
) -> None:
    path = tmp_path / "reports"
    journal = journal_of(path, 1)
    first = path.stat().st_size
    journal.append(report(2))
    journal._in_memory.append(report(3))
    content = bytearray(path.read_bytes())
    content[first + 9] ^= 0xFF
    path.write_bytes(content)
    assert numbers(journal.batch(10, ALL)) == [1]
    journal.forget(1)
    with pytest.raises(JournalDamaged, match="the oldest cannot be read"):
        journal.batch(10, ALL)


def test_nothing_is_left_where_there_is_no_file(tmp_path: Path) -> None:
    journal = reopened(tmp_path / "reports")
    assert journal.waiting == 0
    journal.append(report(1))
    assert numbers(journal.batch(10, ALL)) == [1]


def test_what_cannot_be_written_waits_in_memory_and_comes_in_its_turn(tmp_path: Path) -> None:
    path = tmp_path / "reports"
    journal = journal_of(path, 1)
    journal._file, kept = open("/dev/full", "r+b", buffering=0), journal._file  # noqa: SIM115 - closed below
    journal.append(report(2))
    journal._file.close()
    journal._file = kept
    journal.append(report(3))
    assert journal.waiting == 3
    assert numbers(journal.batch(2, ALL)) == [1, 2]
    assert journal.forget(2) == 2
    assert numbers(journal.batch(10, ALL)) == [3]
    journal.forget(3)
    journal.append(report(4))
    assert path.stat().st_size > 0
    assert numbers(journal.batch(10, ALL)) == [4]
