"""Freezing: from a spec and the columns of its projects to a manifest with its label pack, and to what a
check reports.

A pure function of the spec and of the images' content, labels and groups: neither ids, nor names of files
and projects, nor times, nor the order of rows have any influence on the manifest.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from annotateforge.dataset.columns import Images, Longs, Look, distinct, starts
from annotateforge.dataset.label_pack import LabelPack
from annotateforge.dataset.labelling import Labelling
from annotateforge.dataset.manifest import (
    NO_CLASS,
    RECORD,
    Manifest,
    Records,
    count_copies,
    write_manifest,
)
from annotateforge.dataset.near_duplicates import find_clusters
from annotateforge.dataset.spec import DatasetSpec, Strategy, Task
from annotateforge.dataset.splits import assign, find_units


@dataclass(frozen=True, slots=True)
class Frozen:
    """What freezing gives."""

    manifest: Manifest
    label_pack: LabelPack
    """The label files of all images in the order of the records; empty for classify."""
    labelling: Labelling
    """What the images show, and what was left out."""
    included: Longs
    """Indices of the images that go in, ascending."""
    sides: npt.NDArray[np.uint8]
    """Their sides: TRAIN, VAL or TEST."""
    units: int
    """Images and groups of images that cannot be divided."""
    cluster: Longs
    """For each image that goes in the number of its cluster of near duplicates, from 1; 0 where no image of
    another content is like it, and where its fingerprint is not known."""


def freeze(spec: DatasetSpec, images: Images, labelling: Labelling, alike: Longs | None = None) -> Frozen:
    """Freeze a spec over the images of its projects and their labels, however few; health says whether it can
    be trained. `alike` is what `find_alike` says of the images, where somebody has asked it already.
    """
    goes_in = np.zeros(len(images), np.bool_)
    goes_in[labelling.image] = True
    goes_in[labelling.backgrounds] = True
    included = np.flatnonzero(goes_in)
    if alike is None or (images.look[~goes_in] == Look.KNOWN).any():
        # Those that do not go in join nobody.
        alike = find_alike(images, included)
    cluster = alike[included]
    together: list[npt.NDArray[np.integer[Any]]] = [images.group[included]]
    if spec.split.strategy is Strategy.GROUPED:
        together.append(cluster)
    units = find_units(images.sha256[included], spec.split.seed, *together)
    sides = assign(spec, units, (np.cumsum(goes_in) - 1)[labelling.image], labelling.class_id)

    records = np.zeros(len(included), RECORD)
    for name in ("sha256", "size", "crc32", "format"):
        records[name] = getattr(images, name)[included]
    records["label_size"] = labelling.label_size[included]
    records["label_crc32"] = labelling.label_crc32[included]
    records["class_id"] = images.class_id[included] if spec.task is Task.CLASSIFY else NO_CLASS
    records["side"] = sides
    order, pack = _arrange(records, labelling, included)
    records = records[order]
    records["copy"] = count_copies(records["sha256"])
    records["label_offset"] = starts(records["label_size"])
    manifest = write_manifest(spec.task, spec.classes, records, pack.digest, len(pack))
    return Frozen(manifest, pack, labelling, included, sides, len(units), cluster)


def find_alike(images: Images, included: Longs | None = None) -> Longs:
    """Number of each image's cluster of near duplicates among those included, which are all unless said
    otherwise; 0 where no image of another content is like it or its fingerprint is not known.
    """
    known = np.flatnonzero(images.look == Look.KNOWN)
    if included is not None:
        known = np.intersect1d(known, included, assume_unique=True)
    cluster = np.zeros(len(images), np.int64)
    if len(known):
        # Copies are no near duplicates of one another.
        first, content = distinct(images.sha256[known])
        cluster[known] = find_clusters(images.fingerprint[known[first]])[content]
    return cluster


def _arrange(records: Records, labelling: Labelling, included: Longs) -> tuple[Longs, LabelPack]:
    """The order of the records, and the label files in that order.

    Copies of an image may be labelled differently; they are ordered by class and label text.
    """
    digests = np.ascontiguousarray(records["sha256"]).view("S32").ravel()
    order = np.argsort(digests, kind="stable")
    digests = digests[order]
    begins = starts(labelling.label_size)[included]
    ends = begins + labelling.label_size[included]
    pack = labelling.pack

    def sort_key(record: int) -> tuple[int, bytes]:
        return int(records["class_id"][record]), pack.read(int(begins[record]), int(ends[record]))

    changes = np.flatnonzero(np.append(True, digests[1:] != digests[:-1])) if len(order) else order
    for first, last in pairwise(np.append(changes, len(order)).tolist()):
        if last - first > 1:
            order[first:last] = sorted(order[first:last].tolist(), key=sort_key)
    if (order[1:] > order[:-1]).all():
        # The images came in the order of their content, as the store reads them.
        return order, pack
    return order, pack.rearranged(begins[order], ends[order])
