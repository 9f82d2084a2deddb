"""Findings about the images of a spec: copies, what cannot be decoded, unlabelled ones, sizes."""

from collections.abc import Iterator

import numpy as np

from annotateforge.dataset.amount import amount
from annotateforge.dataset.columns import NO_LABEL, Images, Longs, Look, distinct
from annotateforge.dataset.examples import MOST_EXAMPLES, examples
from annotateforge.dataset.freezing import Frozen
from annotateforge.dataset.health import Finding
from annotateforge.dataset.labelling import Skip
from annotateforge.dataset.problems import Severity
from annotateforge.dataset.spec import DatasetSpec, Task

FAR_SMALLER, FAR_LARGER = 0.5, 4
"""Times the training size from which an image's longer side is far from it."""


def image_findings(spec: DatasetSpec, images: Images, frozen: Frozen) -> Iterator[Finding]:
    """What is to be said about the images, the worst first."""
    yield from _near_duplicates(images, frozen)
    yield from _copies(images, frozen)
    yield from _looks(images, frozen)
    yield from _unlabelled(spec, images, frozen)
    yield from _sizes(spec, images, frozen)


def _near_duplicates(images: Images, frozen: Frozen) -> Iterator[Finding]:
    cluster = frozen.cluster
    alike = np.flatnonzero(cluster)
    if not len(alike):
        return
    # Cluster by cluster, so that the examples stand beside what they are like.
    alike = alike[np.argsort(cluster[alike], kind="stable")]
    clusters = int(cluster.max())
    sides = np.zeros((clusters + 1, int(frozen.sides.max()) + 1), np.int64)
    np.add.at(sides, (cluster[alike], frozen.sides[alike]), 1)
    across = (sides > 0).sum(axis=1) > 1
    if across.any():
        torn = alike[across[cluster[alike]]]
        count = len(torn)
        yield Finding(
            Severity.WARNING,
            "NEAR_DUPLICATES_ACROSS_SPLIT",
            f"{count:,} images have near duplicates on another side of the split, in"
            f" {amount(int(across.sum()), 'cluster', 'clusters')}: validation would measure what was learnt"
            " by heart.",
            "Set split.strategy to grouped, which keeps near duplicates on one side, or delete all but one.",
            count,
            examples(images, frozen.included[_beside_one_another(torn, frozen)]),
        )
    yield Finding(
        Severity.WARNING,
        "NEAR_DUPLICATES",
        f"{len(alike):,} images are scaled, recompressed or mirrored copies of one another or nearly so,"
        f" in {amount(clusters, 'cluster', 'clusters')}.",
        "Delete all but one of each: copies teach nothing new, and training augments images by itself.",
        len(alike),
        examples(images, frozen.included[alike]),
    )


def _beside_one_another(torn: Longs, frozen: Frozen) -> Longs:
    """Of images of clusters, one after the other, first an image of each side of each cluster."""
    sides = int(frozen.sides.max()) + 1
    kind = frozen.cluster[torn] * sides + frozen.sides[torn]
    first = np.unique(kind, return_index=True)[1]
    shown: Longs = torn[np.sort(first)][:MOST_EXAMPLES]
    return shown


def _copies(images: Images, frozen: Frozen) -> Iterator[Finding]:
    included = frozen.included
    if not len(included):
        return
    first, content = distinct(images.sha256[included])
    count = np.bincount(content, minlength=len(first))
    copied = count[content] > 1
    if not copied.any():
        return
    labels = (
        images.class_id[included].astype(np.int64),
        frozen.labelling.label_crc32[included].astype(np.int64),
        frozen.labelling.label_size[included],
    )
    differs = np.zeros(len(count), np.bool_)
    for label in labels:
        lowest = np.full(len(count), np.iinfo(np.int64).max)
        highest = np.full(len(count), np.iinfo(np.int64).min)
        np.minimum.at(lowest, content, label)
        np.maximum.at(highest, content, label)
        differs |= lowest != highest
    by_content = np.argsort(content, kind="stable")
    contrary = by_content[differs[content[by_content]]]
    if len(contrary):
        yield Finding(
            Severity.WARNING,
            "COPIES_LABELLED_DIFFERENTLY",
            f"{len(contrary):,} images are there several times with different labels.",
            "Decide which labels are right and delete the other copies: training on both teaches neither.",
            len(contrary),
            examples(images, included[contrary]),
        )
    twice = by_content[copied[by_content]]
    yield Finding(
        Severity.WARNING,
        "EXACT_DUPLICATES",
        f"{len(twice):,} images are exact copies of one another,"
        f" {amount(int((count > 1).sum()), 'different one', 'different ones')}.",
        "Delete all but one of each. Copies stay on one side of the split, but count more than others.",
        len(twice),
        examples(images, included[twice]),
    )


def _looks(images: Images, frozen: Frozen) -> Iterator[Finding]:
    look = images.look[frozen.included]
    corrupt = frozen.included[look == Look.UNREADABLE]
    if len(corrupt):
        yield Finding(
            Severity.WARNING,
            "IMAGES_CORRUPT",
            f"The pixels of {amount(len(corrupt), 'image', 'images')} cannot be decoded;"
            " a training leaves them out.",
            "Open such an image in an editor and upload it again, or delete it.",
            len(corrupt),
            examples(images, corrupt),
        )
    pending = frozen.included[look == Look.PENDING]
    if len(pending):
        yield Finding(
            Severity.INFO,
            "FINGERPRINTS_PENDING",
            f"Near duplicates of {amount(len(pending), 'image', 'images')} are not known yet: fingerprints"
            " are being computed.",
            "Check again in some minutes.",
            len(pending),
            examples(images, pending),
        )


def _unlabelled(spec: DatasetSpec, images: Images, frozen: Frozen) -> Iterator[Finding]:
    if spec.task is Task.CLASSIFY:
        skip, unlabelled = Skip.NO_IMAGE_CLASS, np.flatnonzero(images.class_id == NO_LABEL)
        without = amount(
            len(unlabelled), "image has no class of its own", "images have no class of their own"
        )
        hint = "Give them a class, or delete them."
    else:
        skip, unlabelled = Skip.UNLABELLED_IMAGE, np.flatnonzero(images.annotations == 0)
        unlabelled = np.setdiff1d(unlabelled, frozen.included, assume_unique=True)
        without = amount(len(unlabelled), "image has no annotation", "images have no annotation")
        hint = "Annotate them, or mark those as reviewed that show nothing and take them as backgrounds."
    if frozen.labelling.skipped_images.get(skip):
        yield Finding(
            Severity.WARNING,
            "UNLABELLED_IMAGES",
            f"{without}; {'it was' if len(unlabelled) == 1 else 'they were'} left out.",
            hint,
            len(unlabelled),
            examples(images, unlabelled),
        )


def _sizes(spec: DatasetSpec, images: Images, frozen: Frozen) -> Iterator[Finding]:
    size = spec.training_size
    longest = np.maximum(images.width, images.height)[frozen.included]
    small = frozen.included[longest < FAR_SMALLER * size]
    if len(small):
        yield Finding(
            Severity.INFO,
            "IMAGES_FAR_SMALLER",
            amount(len(small), "image has", "images have")
            + f" less than half the {size} pixels to which images are scaled.",
            "Train with a smaller image size, which is faster and learns as much from them.",
            len(small),
            examples(images, small),
        )
    large = frozen.included[longest > FAR_LARGER * size]
    if len(large):
        yield Finding(
            Severity.INFO,
            "IMAGES_FAR_LARGER",
            amount(len(large), "image has", "images have")
            + f" over {FAR_LARGER} times the {size} pixels to which images are scaled.",
            "Train with a larger image size or cut them into tiles if what they show is small.",
            len(large),
            examples(images, large),
        )
