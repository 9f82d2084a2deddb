"""Rows of `dataset_blobs` as PostgreSQL's binary COPY."""

import struct
from operator import itemgetter
from uuid import UUID

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from annotateforge.dataset.copy_format import BEGIN, END, NULL
from annotateforge.dataset.manifest import NO_CLASS, RECORD, write_manifest
from annotateforge.dataset.spec import Task
from annotateforge.dataset.store.datasets import needed_rows

# Few different bytes, so that digests share beginnings and end in zeros.
DIGESTS = st.lists(st.sampled_from([0, 1, 255]), min_size=32, max_size=32).map(bytes)


def encoded(dataset_id: UUID, sha256: bytes, side: int | None) -> bytes:
    """A row by the documentation of the format."""
    begin = struct.pack(">hi16si32s", 3, 16, dataset_id.bytes, 32, sha256)
    return begin + (NULL if side is None else struct.pack(">ih", 2, side))


@settings(deadline=None)
@given(st.uuids(), st.lists(st.tuples(DIGESTS, st.integers(0, 2), st.integers(1, 3)), max_size=12), DIGESTS)
def test_each_blob_is_there_once_and_in_order_and_images_with_their_side(
    dataset_id: UUID, images: list[tuple[bytes, int, int]], label_pack: bytes
) -> None:
    side_of = {sha256: side for sha256, side, _ in images if sha256 != label_pack}
    times_of = {sha256: times for sha256, _, times in images}
    copies = sorted((sha256, side) for sha256, side in side_of.items() for _ in range(times_of[sha256]))
    records = np.zeros(len(copies), RECORD)
    for record, (sha256, side) in zip(records, copies, strict=True):
        record["sha256"], record["side"], record["class_id"] = list(sha256), side, NO_CLASS
    manifest = write_manifest(Task.DETECT, ("red",), records, label_pack, 0)
    rows: list[tuple[bytes, int | None]] = [(sha256, side + 1) for sha256, side in side_of.items()]
    rows += [(manifest.digest, None), (label_pack, None)]
    rows.sort(key=itemgetter(0))
    expected = b"".join(encoded(dataset_id, *row) for row in rows)
    assert needed_rows(dataset_id, manifest) == BEGIN + expected + END
