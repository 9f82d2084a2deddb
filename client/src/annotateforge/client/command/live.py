"""The live view of a job: bars, curves and a line per epoch in a terminal, lines alone elsewhere, JSON on
demand.
"""

from collections.abc import Iterable
from contextlib import ExitStack

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from annotateforge.api.trainer.v1 import event_pb2, job_pb2
from annotateforge.client.command.jobs import ENDED
from annotateforge.client.command.output import Output, write
from annotateforge.client.command.session import Session
from annotateforge.client.command.texts import (
    duration,
    metrics_text,
    plain,
    size,
    sparkline,
    status_name,
    styled_status,
)
from annotateforge.client.messages import to_dict

_LOG_LINES = 10
_CURVE = 24
_TITLE = 12


def show_job(session: Session, job_id: str, after: int = 0) -> job_pb2.JobStatus.ValueType:
    """Show a job's events after a sequence until it has ended; the status in which it ended."""
    client, output = session.client, session.output
    if output.as_json:
        told = client.watch(job_id, after, lambda problem: output.note(_reconnecting(problem)))
        status = _print_json(output, told)
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


def _print_json(output: Output, events: Iterable[event_pb2.JobEvent]) -> job_pb2.JobStatus.ValueType:
    status = job_pb2.JOB_STATUS_UNSPECIFIED
    for event in events:
        output.json_line(to_dict(event))
        if event.HasField("status_change"):
            status = event.status_change.status
    return status


class _Curves:
    """The losses and metrics so far, as they are shown below the bars."""

    def __init__(self) -> None:
        self._losses: dict[str, list[float]] = {"train": [], "val": []}
        self._best = ""

    def add(self, epoch: job_pb2.Epoch) -> None:
        """Take in an epoch; one that another attempt repeats takes the place of the first."""
        for name, loss in (
            ("train", epoch.train_loss if epoch.HasField("train_loss") else None),
            ("val", epoch.val_loss if epoch.HasField("val_loss") else None),
        ):
            if loss is not None:
                del self._losses[name][epoch.epoch - 1 :]
                self._losses[name].append(loss)
        if epoch.best:
            self._best = f"{metrics_text(epoch.metrics, limit=2)} in epoch {epoch.epoch}"

    def lines(self) -> Iterable[Text]:
        """What to show."""
        for name, losses in self._losses.items():
            if len(losses) > 1:
                yield Text.assemble(
                    f"{f'{name} loss':<{_TITLE}}", (sparkline(losses, _CURVE), "cyan"), f" {losses[-1]:.3f}"
                )
        if self._best:
            yield Text.assemble(f"{'best':<{_TITLE}}", (self._best, "green"))


class _View:
    def __init__(self, console: Console, stack: ExitStack) -> None:
        self.status: job_pb2.JobStatus.ValueType = job_pb2.JOB_STATUS_UNSPECIFIED
        self._console = console
        self._bars = Progress(
            TextColumn(f"{{task.description:<{_TITLE - 1}}}", markup=False),
            BarColumn(bar_width=_CURVE),
            TextColumn("{task.fields[done]}", markup=False),
            console=console,
        )
        self._curves = _Curves()
        self._epochs: TaskID | None = None
        self._stage: TaskID | None = None
        self._live = Live(get_renderable=self._below, console=console, transient=True, refresh_per_second=4)
        if console.is_terminal:
            stack.enter_context(self._live)

    def _below(self) -> Group:
        return Group(self._bars, *self._curves.lines())

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
                retry = event.retry
                goes_on = (
                    f"It goes on after epoch {retry.resume_epoch}."
                    if retry.resume_epoch
                    else "It begins at the beginning."
                )
                self._line(("again", "yellow"), f" {retry.message} {goes_on} {retry.hint}")
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
            self._live.stop()

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
        self._curves.add(epoch)
        if self._stage is not None:
            self._bars.remove_task(self._stage)
            self._stage = None
        ready = f", ready in {duration(epoch.eta_seconds)}" if epoch.eta_seconds else ""
        self._epochs = self._bar(
            self._epochs,
            "epochs",
            epoch.epoch,
            epoch.total_epochs,
            f"{epoch.epoch} of {epoch.total_epochs}{ready}",
        )
        lines = [_epoch_line(epoch, count) for count in (4, 2, 1, 0)]
        # As many metrics as there is room for.
        room = self._console.width if self._console.is_terminal else None
        self._line(next((line for line in lines if room is None or line.cell_len <= room), lines[-1]))

    def _bar(self, bar: TaskID | None, title: str, done: int, total: int, text: str) -> TaskID:
        if bar is None:
            bar = self._bars.add_task(title, done=text)
        self._bars.update(bar, description=title, completed=done, total=total, done=text)
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
        write(self._console, line)


def _epoch_line(epoch: job_pb2.Epoch, metrics: int) -> Text:
    """An epoch in a line, with so many of its metrics."""
    width = len(str(epoch.total_epochs))
    parts = [f"epoch {epoch.epoch:>{width}}/{epoch.total_epochs}"]
    if epoch.HasField("train_loss"):
        parts.append(f"train {epoch.train_loss:6.3f}")
    if epoch.HasField("val_loss"):
        parts.append(f"val {epoch.val_loss:6.3f}")
    if metrics:
        parts.append(metrics_text(epoch.metrics, limit=metrics))
    return Text.assemble(
        "  ".join(parts),
        (f"  {epoch.epoch_seconds:.1f} s", "dim"),
        ("  best" if epoch.best else "", "green"),
    )


def ended_well(status: job_pb2.JobStatus.ValueType) -> bool:
    """Whether a job's final status is the one that was hoped for."""
    return status == job_pb2.JOB_STATUS_COMPLETED


def outcome(status: job_pb2.JobStatus.ValueType) -> str:
    """What to say about a job that did not end well."""
    return f"The job is {status_name(status)}."
