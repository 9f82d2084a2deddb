"""The live view of a job: bars and a line per epoch in a terminal, lines alone elsewhere, JSON on demand."""

import sys
from collections.abc import Iterable
from contextlib import ExitStack

import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from annotateforge.api.trainer.v1 import event_pb2, job_pb2
from annotateforge.client.command.jobs import ENDED
from annotateforge.client.command.output import write
from annotateforge.client.command.session import Session
from annotateforge.client.command.texts import (
    duration,
    metrics_text,
    plain,
    size,
    status_name,
    styled_status,
)
from annotateforge.client.messages import to_dict

_LOG_LINES = 10


def show_job(session: Session, job_id: str, after: int = 0) -> job_pb2.JobStatus.ValueType:
    """Show a job's events after a sequence until it has ended; the status in which it ended."""
    client, output = session.client, session.output
    if output.as_json:
        status = _print_json(client.watch(job_id, after, lambda problem: output.note(_reconnecting(problem))))
    else:
        with ExitStack() as stack:
            view = _View(output.out, stack)
            for event in client.watch(job_id, after, view.lost):
                view.show(event)
            status = view.status
    # A job that had ended before `after` has no event left to tell of it.
    return status or client.job(job_id).status


def _reconnecting(problem: str) -> str:
    return f"Reconnecting: {problem}."


def _print_json(events: Iterable[event_pb2.JobEvent]) -> job_pb2.JobStatus.ValueType:
    status = job_pb2.JOB_STATUS_UNSPECIFIED
    for event in events:
        # One event a line, at once: whoever reads may be waiting for it.
        sys.stdout.write(orjson.dumps(to_dict(event)).decode() + "\n")
        sys.stdout.flush()
        if event.HasField("status_change"):
            status = event.status_change.status
    return status


class _View:
    def __init__(self, console: Console, stack: ExitStack) -> None:
        self.status: job_pb2.JobStatus.ValueType = job_pb2.JOB_STATUS_UNSPECIFIED
        self._progress = Progress(
            TextColumn("{task.description:<11}", markup=False),
            BarColumn(bar_width=32),
            TextColumn("{task.fields[done]}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        stack.enter_context(self._progress)
        self._epochs: TaskID | None = None
        self._stage: TaskID | None = None

    def show(self, event: event_pb2.JobEvent) -> None:
        match event.WhichOneof("payload"):
            case "status_change":
                self._status(event.status_change.status)
            case "dataset_ready":
                self._dataset(event.dataset_ready)
            case "progress":
                self._batches(event.progress)
            case "epoch_complete":
                self._epoch(event.epoch_complete)
            case "warning":
                warning = event.warning
                self._line(("warning", "yellow"), f" {warning.message} {warning.hint}")
            case "retry":
                self._line(("again", "yellow"), f" {event.retry.message}")
            case "training_complete":
                self._complete(event.training_complete)
            case "training_failed":
                self._failed(event.training_failed)

    def lost(self, problem: str) -> None:
        self._line((_reconnecting(problem), "yellow"))

    def _status(self, status: job_pb2.JobStatus.ValueType) -> None:
        self.status = status
        self._line(styled_status(status))
        if status in ENDED:
            self._progress.stop()

    def _dataset(self, dataset: event_pb2.DatasetReady) -> None:
        self._line(
            f"{dataset.train_images} training and {dataset.val_images} validation images, classes: "
            f"{', '.join(dataset.classes)}"
        )

    def _batches(self, progress: event_pb2.Progress) -> None:
        in_bytes = progress.stage == "downloading"
        done, total = (size(count) if in_bytes else str(count) for count in (progress.done, progress.total))
        self._stage = self._bar(
            self._stage, progress.stage, progress.done, progress.total, f"{done} of {total}"
        )

    def _epoch(self, epoch: job_pb2.Epoch) -> None:
        ready = f", ready in {duration(epoch.eta_seconds)}" if epoch.eta_seconds else ""
        self._epochs = self._bar(
            self._epochs,
            "epochs",
            epoch.epoch,
            epoch.total_epochs,
            f"{epoch.epoch} of {epoch.total_epochs}{ready}",
        )
        width = len(str(epoch.total_epochs))
        parts = [f"epoch {epoch.epoch:>{width}}/{epoch.total_epochs}"]
        if epoch.HasField("train_loss"):
            parts.append(f"train {epoch.train_loss:6.3f}")
        if epoch.HasField("val_loss"):
            parts.append(f"val {epoch.val_loss:6.3f}")
        parts.append(metrics_text(epoch.metrics, limit=4))
        self._line(
            "  ".join(parts),
            (f"  {epoch.epoch_seconds:.1f} s", "dim"),
            ("  best" if epoch.best else "", "green"),
        )

    def _bar(self, bar: TaskID | None, title: str, done: int, total: int, text: str) -> TaskID:
        if bar is None:
            bar = self._progress.add_task(title, done=text)
        self._progress.update(bar, description=title, completed=done, total=total, done=text)
        return bar

    def _complete(self, result: event_pb2.TrainingComplete) -> None:
        self._line(
            ("The model is trained", "green"),
            f" in {duration(result.training_seconds)}: {metrics_text(result.metrics)}. "
            f"Its id is {result.model_id}.",
        )

    def _failed(self, failure: job_pb2.Failure) -> None:
        self._line((failure.reason, "red"), f" {failure.message}\n{failure.hint}")
        for line in failure.log_tail[-_LOG_LINES:]:
            self._line((f"  {line}", "dim"))

    def _line(self, *parts: str | Text | tuple[str, str]) -> None:
        """Print a line above the bars: texts as they are, or with a style."""
        line = Text()
        for part in parts:
            if isinstance(part, tuple):
                line.append_text(Text(plain(part[0]).plain, part[1]))
            else:
                line.append_text(plain(part) if isinstance(part, str) else part)
        write(self._progress.console, line)


def ended_well(status: job_pb2.JobStatus.ValueType) -> bool:
    """Whether a job's final status is the one that was hoped for."""
    return status == job_pb2.JOB_STATUS_COMPLETED


def outcome(status: job_pb2.JobStatus.ValueType) -> str:
    """What to say about a job that did not end well."""
    return f"The job is {status_name(status)}."
