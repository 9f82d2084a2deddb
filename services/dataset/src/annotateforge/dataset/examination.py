"""Examining what freezing gave: the findings, each with what to do about it."""

import difflib
from collections.abc import Iterator, Sequence

import numpy as np

from annotateforge.dataset.amount import amount
from annotateforge.dataset.annotation_findings import annotation_findings
from annotateforge.dataset.annotations import plural
from annotateforge.dataset.columns import NO_LABEL, Images, Integers
from annotateforge.dataset.examples import examples
from annotateforge.dataset.freezing import Frozen
from annotateforge.dataset.health import ClassBalance, Finding, HealthReport, Skipped
from annotateforge.dataset.image_findings import image_findings
from annotateforge.dataset.manifest import TEST, TRAIN, VAL
from annotateforge.dataset.problems import Severity
from annotateforge.dataset.spec import DatasetSpec, Task

FEW_IMAGES = 100
"""Below so many images a class seldom gives meaningful results."""
IMBALANCE = 10
"""Ratio of the most to the least frequent class from which the latter tends to be neglected."""
_MISSING = {
    "train": "CLASS_MISSING_IN_TRAIN",
    "val": "CLASS_MISSING_IN_VAL",
    "test": "CLASS_MISSING_IN_TEST",
}
_WORST_FIRST = (Severity.ERROR, Severity.WARNING, Severity.INFO)


def examine(spec: DatasetSpec, images: Images, frozen: Frozen, labels: Sequence[str] = ()) -> HealthReport:
    """Report on what freezing gave. `labels` are those that the projects use; hints for missing classes
    name them.
    """
    balance = _balance(spec, frozen)
    skips = [("image", frozen.labelling.skipped_images), ("annotation", frozen.labelling.skipped_annotations)]
    findings = list(_findings(spec, images, frozen, balance, labels))
    return HealthReport(
        findings=tuple(sorted(findings, key=lambda finding: _WORST_FIRST.index(finding.severity))),
        total_images=len(frozen.included),
        train_images=int(np.count_nonzero(frozen.sides == TRAIN)),
        test_images=int(np.count_nonzero(frozen.sides == TEST)),
        background_images=len(frozen.labelling.backgrounds),
        classes=balance,
        skipped=tuple(Skipped(why, kind, count) for kind, found in skips for why, count in found.items()),
    )


def missing_classes(frozen: Frozen, spec: DatasetSpec) -> bool:
    """Whether a class of the spec has no instance."""
    return len(np.unique(frozen.labelling.class_id)) < len(spec.classes)


def _balance(spec: DatasetSpec, frozen: Frozen) -> tuple[ClassBalance, ...]:
    labelling = frozen.labelling
    side_of = np.zeros(len(labelling.label_size), np.uint8)
    side_of[frozen.included] = frozen.sides
    sides = side_of[labelling.image]

    def count(side: int, weights: Integers | None) -> list[int]:
        chosen = sides == side
        found = np.bincount(
            labelling.class_id[chosen],
            None if weights is None else weights[chosen],
            minlength=len(spec.classes),
        )
        return [int(number) for number in found]

    columns = [count(side, weights) for weights in (None, labelling.instances) for side in (TRAIN, VAL, TEST)]
    return tuple(ClassBalance(name, *numbers) for name, *numbers in zip(spec.classes, *columns, strict=True))


def _findings(
    spec: DatasetSpec,
    images: Images,
    frozen: Frozen,
    balance: Sequence[ClassBalance],
    labels: Sequence[str],
) -> Iterator[Finding]:
    if not len(images):
        yield Finding(
            Severity.ERROR,
            "NO_IMAGES",
            "The projects hold no images.",
            "Upload images or import an archive into one of the projects.",
        )
        return
    if not len(frozen.included):
        yield from _nothing_fits(spec, images, frozen)
    for row in balance:
        if not row.instances:
            yield _class_without_instances(spec, row.class_label, labels)
    needed = 3 if spec.split.test_ratio else 2
    if frozen.units < needed:
        yield _too_few(len(images), len(frozen.included), frozen.units, needed)
        return
    yield from image_findings(spec, images, frozen)
    for class_id, row in enumerate(balance):
        yield from _class_warnings(spec, class_id, row, images, frozen)
    yield from _imbalance(balance)
    yield from annotation_findings(spec, images, frozen.labelling)


def _nothing_fits(spec: DatasetSpec, images: Images, frozen: Frozen) -> Iterator[Finding]:
    task = spec.task.name.lower()
    others = frozen.labelling.types_not_chosen
    annotations = int(images.annotations.sum())
    classified = int(np.count_nonzero(images.class_id != NO_LABEL))
    if others:
        used = _enumerate([plural(kind) for kind in spec.annotation_types])
        there = _enumerate([f"{count:,} {plural(kind)}" for kind, count in others.items()])
        yield Finding(
            Severity.ERROR,
            "NOTHING_FITS_TASK",
            f"No annotation of the classes can be used: the projects have {there}, and the spec uses {used}.",
            "Annotate with polygons, or train detect, which takes every type."
            if spec.task is Task.SEGMENT
            else "Choose those annotation types as well.",
            sum(others.values()),
        )
    elif spec.task is Task.CLASSIFY and annotations and not classified:
        yield Finding(
            Severity.ERROR,
            "NOTHING_FITS_TASK",
            f"classify learns classes of images, and none has one; there are {annotations:,} annotations.",
            "Set image_class on the images, or train detect or segment.",
            annotations,
        )
    elif spec.task is not Task.CLASSIFY and classified and not annotations:
        yield Finding(
            Severity.ERROR,
            "NOTHING_FITS_TASK",
            f"{task} learns from annotations, and there are none; {classified:,} images have an image class.",
            "Annotate the images, or train classify.",
            classified,
        )


def _class_without_instances(spec: DatasetSpec, label: str, labels: Sequence[str]) -> Finding:
    what = "image" if spec.task is Task.CLASSIFY else "usable annotation"
    by_folded = {other.casefold(): other for other in labels if other not in spec.classes}
    near = difflib.get_close_matches(label.casefold(), by_folded, n=1, cutoff=0.75)
    if near:
        hint = f'Did you mean "{by_folded[near[0]]}"?'
    elif label in labels:
        hint = "Its annotations are there, but of other types or off the image; see what was skipped."
    elif by_folded:
        named = ", ".join(list(by_folded.values())[:10]) + (", …" if len(by_folded) > 10 else "")
        hint = f"Label some, or leave the class out. Other labels there are: {named}."
    else:
        hint = "Label some, or leave the class out."
    return Finding(
        Severity.ERROR,
        "CLASS_WITHOUT_INSTANCES",
        f'No {what} has the class "{label}".',
        hint,
        1,
        class_label=label,
    )


def _too_few(images: int, included: int, units: int, needed: int) -> Finding:
    if included >= needed:
        message = f"The {included:,} images that can be used are copies or one group, which stay together."
        if units > 1:
            message = (
                f"The {included:,} images that can be used are copies or {units} groups; a split needs 3."
            )
    else:
        message = f"{included} of {images:,} images can be used, and a split needs {needed}."
    return Finding(
        Severity.ERROR,
        "TOO_FEW_IMAGES",
        message,
        "Label more images of the spec's classes; 100 and more of each class give meaningful results.",
        included,
    )


def _class_warnings(
    spec: DatasetSpec, class_id: int, row: ClassBalance, images: Images, frozen: Frozen
) -> Iterator[Finding]:
    if not row.images:
        return
    shown_by = frozen.labelling.image[frozen.labelling.class_id == class_id]
    counts = {"train": row.train_images, "val": row.val_images}
    if spec.split.test_ratio:
        counts["test"] = row.test_images
    for here, count in counts.items():
        if not count:
            others = " and ".join(there for there, found in counts.items() if found)
            yield Finding(
                Severity.WARNING,
                _MISSING[here],
                f'All {row.images:,} images that show "{row.class_label}" are in {others},'
                f" none is in {here}.",
                "Label more images of the class, or take another seed or ratio.",
                row.images,
                examples(images, shown_by),
                row.class_label,
            )
    if row.images < FEW_IMAGES:
        yield Finding(
            Severity.WARNING,
            "FEW_IMAGES_PER_CLASS",
            f'Only {amount(row.images, "image shows", "images show")} "{row.class_label}".',
            f"Label more: {FEW_IMAGES} and more images of a class give meaningful results.",
            row.images,
            class_label=row.class_label,
        )


def _imbalance(balance: Sequence[ClassBalance]) -> Iterator[Finding]:
    there = [row for row in balance if row.instances]
    if not there:
        return
    most, least = max(there, key=lambda row: row.instances), min(there, key=lambda row: row.instances)
    if most.instances > IMBALANCE * least.instances:
        yield Finding(
            Severity.WARNING,
            "CLASS_IMBALANCE",
            f'Only {least.instances:,} instances show "{least.class_label}", and'
            f' {most.instances:,} show "{most.class_label}".',
            "Label more of the rare class, or expect the model to overlook it.",
            least.instances,
            class_label=least.class_label,
        )


def _enumerate(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)
