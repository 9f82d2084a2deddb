"""What people see while they watch a job, and what programs read."""

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest
from rich.console import Console
from websockets.sync.server import ServerConnection

from annotateforge.client import Client
from annotateforge.client.command.live import ended_well, outcome, show_job
from annotateforge.client.command.output import Output
from annotateforge.client.command.session import Session
from tests.integration.client.socket_scripts import Script, epochs, sockets, telling

WHOLE_JOB = (
    {"type": "status_change", "status": "pending"},
    {
        "type": "dataset_ready",
        "train_images": 80,
        "val_images": 20,
        "classes": ["[red]cell[/red]", "b\x1b[2J"],
    },
    {"type": "status_change", "status": "training", "previous_status": "preparing"},
    {"type": "warning", "reason": "SLOW", "message": "It is [slow].", "hint": "Use a GPU."},
    {
        "type": "epoch_complete",
        "epoch": 1,
        "total_epochs": 10,
        "metrics": {"map50": 0.7134, "recall": 0.5},
        "train_loss": 1.25,
        "val_loss": 2.5,
        "epoch_seconds": 3.21,
        "eta_seconds": 28.9,
        "best": True,
    },
    {
        "type": "retry",
        "reason": "WORKER_LOST",
        "message": "The worker was lost.",
        "resume_epoch": 1,
        "hint": "Look whether it is up.",
    },
    {"type": "invented_by_a_newer_server", "anything": 1},
    {"type": "training_complete", "model_id": "m-1", "metrics": {"map50": 0.8}, "training_seconds": 61.0},
    {"type": "status_change", "status": "completed", "previous_status": "training"},
)
FAILED_JOB = (
    {
        "type": "training_failed",
        "reason": "OUT_OF_MEMORY",
        "message": "The GPU's memory is full.",
        "hint": "Use a smaller batch.",
        "log_tail": [f"line {number}" for number in range(30)],
    },
    {"type": "status_change", "status": "failed"},
)


class Screen:
    """What was printed to a terminal or, without one, into a file."""

    def __init__(self, terminal: bool) -> None:
        self.file = io.StringIO()
        self.console = Console(
            file=self.file, force_terminal=terminal, color_system=None, width=100, highlight=False
        )

    @property
    def text(self) -> str:
        return self.file.getvalue()


@contextmanager
def session(screen: Screen, *scripts: Script, as_json: bool = False) -> Iterator[Session]:
    with sockets(*scripts) as url, Client(url, "token") as client:
        yield Session(client, Output(as_json, screen.console, screen.console))


def test_a_job_is_shown_line_by_line_where_nobody_sees_bars() -> None:
    screen = Screen(terminal=False)
    with session(screen, telling(*WHOLE_JOB)) as opened:
        status = show_job(opened, "7")
    assert ended_well(status)
    assert screen.text.splitlines() == [
        "pending",
        "80 training and 20 validation images, classes: [red]cell[/red], b",
        "training",
        "warning It is [slow]. Use a GPU.",
        "epoch  1/10  train  1.250  val  2.500  map50 0.713  recall 0.500  3.2 s  best",
        "again The worker was lost. It goes on after epoch 1. Look whether it is up.",
        "The model is trained in 61 s: map50 0.800. Its id is m-1.",
        "completed",
    ]


def test_a_terminal_shows_how_far_it_is() -> None:
    screen = Screen(terminal=True)
    progress = {"type": "progress", "stage": "downloading", "done": 5_000_000, "total": 20_000_000}
    with session(screen, telling(progress, *WHOLE_JOB)) as opened:
        show_job(opened, "7")
    assert "downloading" in screen.text
    assert "5 MB of 20 MB" in screen.text
    assert "1 of 10, ready in 29 s" in screen.text


def test_a_terminal_shows_the_curves_of_the_losses_and_the_best_epoch() -> None:
    measured = [
        {
            "type": "epoch_complete",
            "epoch": number,
            "total_epochs": 3,
            "metrics": {"map50": number / 10, "map50_95": 0.1, "precision": 0.2, "recall": 0.3},
            "train_loss": 4.0 - number,
            "val_loss": 5.0 - number,
            "epoch_seconds": 1.0,
            "best": True,
        }
        for number in (1, 2, 3)
    ]
    screen = Screen(terminal=True)
    screen.console.width = 64
    with session(screen, telling(*measured, *WHOLE_JOB[-2:])) as opened:
        show_job(opened, "7")
    shown = [line.strip() for line in screen.text.splitlines()]
    assert any(line.startswith("train loss  █▅▁ 1.000") for line in shown)
    assert any(line.startswith("val loss    █▅▁ 2.000") for line in shown)
    assert any("map50 0.300  map50_95 0.100 in epoch 3" in line for line in shown)
    # As many metrics as there is room for, so that a line stays one.
    assert any("train  1.000  val  2.000  map50 0.300  1.0 s  best" in line for line in shown)


def test_who_interrupts_a_watch_leaves_the_job_running_and_is_told_so() -> None:
    def never_ending(connection: ServerConnection, _after: int) -> None:
        connection.send(orjson.dumps({"sequence": 1, "job_id": "7", **WHOLE_JOB[0]}).decode())
        connection.recv()

    job_id = "01890a5d-ac96-774b-bcce-b302099a8057"
    program = str(Path(sys.executable).with_name("annotateforge"))
    with sockets(never_ending) as url:
        process = subprocess.Popen(
            [program, "watch", job_id, "--server", url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "pending\n"
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "The job goes on. See it again with `annotateforge watch 099a8057`" in told


def test_a_failure_is_shown_with_what_to_do_and_the_end_of_its_log() -> None:
    screen = Screen(terminal=False)
    with session(screen, telling(*FAILED_JOB)) as opened:
        status = show_job(opened, "7")
    assert not ended_well(status)
    assert outcome(status) == "The job is failed."
    lines = screen.text.splitlines()
    assert lines[:3] == ["OUT_OF_MEMORY The GPU's memory is full.", "Use a smaller batch.", "  line 20"]
    assert lines[-2:] == ["  line 29", "failed"]


def test_a_lost_connection_is_told_between_the_lines() -> None:
    screen = Screen(terminal=False)
    with session(screen, epochs(1), telling(*WHOLE_JOB)) as opened:
        assert ended_well(show_job(opened, "7"))
    assert screen.text.splitlines()[0].startswith("Reconnecting: the connection to http://127.0.0.1:")
    assert screen.text.splitlines()[-1] == "completed"


def test_programs_get_one_event_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(terminal=False)
    with session(screen, telling(*WHOLE_JOB), as_json=True) as opened:
        status = show_job(opened, "7", after=1)
    events = [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["sequence"] for event in events] == list(range(2, 10))
    assert events[-1]["status_change"] == {"status": "completed", "previous_status": "training"}
    assert ended_well(status)
    assert screen.text == ""
