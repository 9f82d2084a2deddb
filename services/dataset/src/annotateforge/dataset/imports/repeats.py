"""Labels that several files of one archive hold: beside train and val often lies a file with all of both."""

from collections.abc import Iterator

from annotateforge.dataset.imports.label_format import Label
from annotateforge.dataset.imports.members import Member
from annotateforge.dataset.imports.report import Report


def unrepeated(
    report: Report, member: Member, labels: Iterator[Label], seen: set[int], *, digits: int, kind: str
) -> Iterator[Label]:
    """Those of a file's labels that no earlier file holds; `seen` grows by all of them.

    Coordinates are equal when they are after rounding to `digits` decimals of a pixel. What was left out is
    counted in the report, where `kind` says what such a file is called.
    """
    here: set[int] = set()
    repeated = 0
    for label in labels:
        coordinates = tuple(round(value, digits) for value in label.annotation.coordinates)
        key = hash((label.image, label.annotation.class_label, coordinates))
        here.add(key)
        if key in seen:
            repeated += 1
        else:
            yield label
    seen |= here
    if repeated:
        report.inform(
            "LABELS_REPEATED",
            member.name,
            f"{repeated:,} annotations were left out, because another {kind} of the archive holds the"
            " same ones.",
            "Nothing needs to be done.",
        )
