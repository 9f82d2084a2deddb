"""The live view of a job: bars and a line per epoch in a terminal, lines alone elsewhere, JSON on demand."""

import sys
from collections.abc import Iterable
from contextlib import ExitStack

import orjson
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from annotateforge.api.trainer.v1 import event_pb2, job_pb2
from annotateforge.client.client import to_dict
from annotateforge.client.command.session import Session
from annotateforge.client.command.texts import duration, metrics_text, status_name, styled_status

_FINAL = (job_pb2.JOB_STATUS_COMPLETED, job_pb2.JOB_STATUS_FAILED, job_pb2.JOB_STATUS_CANCELLED)


def show_job(session: Session, job_id: str, after: int = 0) -> job_pb2.JobStatus.ValueType:
    """Show a job's events after a sequence until it has ended; the status in which it ended."""
    events = session.client.watch(job_id, after)
    if session.output.as_json:
        return _print_json(events)
    with ExitStack() as stack:
        view = _View(session.output.out, stack)
        for event in events:
            view.show(event)
        return view.status


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
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
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
                self._line(
                    f"[yellow]warning[/yellow] {escape(event.warning.message)} {escape(event.warning.hint)}"
                )
            case "retry":
                self._line(f"[yellow]again[/yellow] {escape(event.retry.message)}")
            case "training_complete":
                self._complete(event.training_complete)
            case "training_failed":
                self._failed(event.training_failed)

    def _status(self, status: job_pb2.JobStatus.ValueType) -> None:
        self.status = status
        self._line(styled_status(status))
        if status in _FINAL:
            self._progress.stop()

    def _dataset(self, dataset: event_pb2.DatasetReady) -> None:
        self._line(
            f"{dataset.train_images} training and {dataset.val_images} validation images, classes: "
            f"{escape(', '.join(dataset.classes))}"
        )

    def _batches(self, progress: event_pb2.Progress) -> None:
        if self._stage is None:
            self._stage = self._progress.add_task(progress.stage)
        self._progress.update(
            self._stage, description=progress.stage, completed=progress.done, total=progress.total
        )

    def _epoch(self, epoch: job_pb2.Epoch) -> None:
        if self._epochs is None:
            self._epochs = self._progress.add_task("epochs", total=epoch.total_epochs)
        self._progress.update(self._epochs, completed=epoch.epoch)
        width = len(str(epoch.total_epochs))
        parts = [f"epoch {epoch.epoch:>{width}}/{epoch.total_epochs}"]
        if epoch.HasField("train_loss"):
            parts.append(f"train {epoch.train_loss:7.4g}")
        if epoch.HasField("val_loss"):
            parts.append(f"val {epoch.val_loss:7.4g}")
        parts.append(metrics_text(epoch.metrics))
        parts.append(f"[dim]{epoch.epoch_seconds:.1f} s[/dim]")
        if epoch.best:
            parts.append("[green]best[/green]")
        self._line("  ".join(parts))

    def _complete(self, result: event_pb2.TrainingComplete) -> None:
        self._line(
            f"[green]The model is trained[/green] in {duration(result.training_seconds)}: "
            f"{metrics_text(result.metrics)}. Its id is {result.model_id}."
        )

    def _failed(self, failure: job_pb2.Failure) -> None:
        self._line(f"[red]{failure.reason}[/red] {escape(failure.message)}\n{escape(failure.hint)}")
        for line in failure.log_tail[-10:]:
            self._line(f"[dim]  {escape(line)}[/dim]")

    def _line(self, text: str) -> None:
        self._progress.console.print(text, soft_wrap=True)


def ended_well(status: job_pb2.JobStatus.ValueType) -> bool:
    """Whether a job's final status is the one that was hoped for."""
    return status == job_pb2.JOB_STATUS_COMPLETED


def outcome(status: job_pb2.JobStatus.ValueType) -> str:
    """What to say about a job that did not end well."""
    return f"The job is {status_name(status)}."
