"""The health of a data set, as people read it."""

from collections.abc import Callable, Iterable, Sequence

from rich.text import Text

from annotateforge.api.dataset.v1 import dataset_pb2, problem_pb2
from annotateforge.client.command.output import Cell
from annotateforge.client.command.texts import plain, styled_severity

_SHOWN_CLASSES = 12

Print = Callable[[Cell], None]


def sides(report: problem_pb2.HealthReport | dataset_pb2.Dataset) -> str:
    """Such as "291 images for training, 73 for validation"."""
    parts = [f"{report.train_images:,} images for training", f"{report.val_images:,} for validation"]
    if report.test_images:
        parts.append(f"{report.test_images:,} for a test")
    if report.background_images:
        parts.append(f"{report.background_images:,} of them backgrounds")
    return ", ".join(parts)


def balance(classes: Sequence[problem_pb2.ClassBalance]) -> str:
    """Such as "RBC 3,324 + 831, WBC 298 + 74": instances for training and for validation."""
    shown = [
        f"{one.class_label} {one.train_instances:,} + {one.val_instances:,}"
        for one in classes[:_SHOWN_CLASSES]
    ]
    more = len(classes) - _SHOWN_CLASSES
    return ", ".join(shown) + (f" and {more} more classes" if more > 0 else "")


def list_findings(show: Print, findings: Iterable[problem_pb2.Finding]) -> None:
    """Print each finding with what to do about it."""
    for finding in findings:
        show(Text.assemble(styled_severity(finding.severity), " ", plain(finding.message)))
        if finding.hint:
            show(Text.assemble("        ", plain(finding.hint)))


def list_skipped(show: Print, skipped: Iterable[problem_pb2.Skipped]) -> None:
    """Print what is left out and why."""
    for one in skipped:
        kind = one.kind if one.count == 1 else f"{one.kind}s"
        show(f"left out {one.count:,} {kind}: {one.message}")
