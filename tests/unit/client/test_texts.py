"""How values look in the terminal."""

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from annotateforge.api.dataset.v1 import dataset_pb2, problem_pb2
from annotateforge.api.trainer.v1 import job_pb2
from annotateforge.client.command import texts


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (99, "99 s"),
        (99.6, "2 min"),
        (5_940, "99 min"),
        (5_990, "1 h 40 min"),
        (11_400, "3 h 10 min"),
        (172_700, "47 h 58 min"),
        (345_600, "4 days"),
    ],
)
def test_durations_have_the_unit_that_suits_them(seconds: float, text: str) -> None:
    assert texts.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1 kB"),
        (6_230_000, "6.23 MB"),
        (999_900_000, "1 GB"),
        (2e12, "2 TB"),
    ],
)
def test_sizes_have_three_digits(count: float, text: str) -> None:
    assert texts.size(int(count)) == text


def test_times_are_told_by_how_long_ago_they_were() -> None:
    time = Timestamp()
    assert texts.ago(time) == "-"
    time.FromDatetime(datetime.now(UTC) - timedelta(minutes=5))
    assert texts.ago(time) == "5 min ago"
    time.FromDatetime(datetime.now(UTC) + timedelta(minutes=5))
    assert texts.ago(time) == "0 s ago"


def test_the_metrics_that_say_most_come_first() -> None:
    metrics = {"recall": 0.5, "precision": 0.6, "map50_95": 0.41, "map50": 0.7134}
    assert texts.metrics_text(metrics) == "map50 0.713  map50_95 0.410  precision 0.600  recall 0.500"
    assert texts.metrics_text(metrics, limit=1) == "map50 0.713"
    assert texts.metrics_text({}) == ""


@pytest.mark.parametrize(
    ("values", "curve"),
    [
        ([], ""),
        ([2.0], "▁"),
        ([3.0, 3.0], "▁▁"),
        ([8, 7, 6, 5, 4, 3, 2, 1], "█▇▆▅▄▃▂▁"),
        # More than there is room for: each character is the mean of two.
        ([1, 1, 9, 9] * 4, "▁█▁█▁█▁█"),
    ],
)
def test_a_sparkline_shows_a_curve_in_little_room(values: list[float], curve: str) -> None:
    assert texts.sparkline(values, 8) == curve


def test_enums_have_their_names_of_the_api() -> None:
    assert texts.task_name(dataset_pb2.TASK_TYPE_DETECT) == "detect"
    assert texts.styled_status(job_pb2.JOB_STATUS_COMPLETED).plain == "completed"
    assert texts.styled_severity(problem_pb2.SEVERITY_WARNING).plain == "warning"
    # A newer server may know more than we do.
    assert texts.status_name(99) == "99"  # type: ignore[arg-type]  # one of its numbers


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("[red]cells[/red]", "[red]cells[/red]"),
        ("a\x1b[2Jb\x1b[31mc", "abc"),
        ("a\x1b]0;title\x07b", "a0;titleb"),
        ("a\rb\x08\x9bc", "abc"),
        ("one\ntwo\tthree", "one\ntwo\tthree"),
        ("Zürich 資料", "Zürich 資料"),
        ("gpj.\u202eexe", "gpj.exe"),
    ],
)
def test_texts_from_elsewhere_cannot_steer_the_terminal(given: str, shown: str) -> None:
    assert texts.plain(given).plain == shown
