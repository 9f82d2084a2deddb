"""Frozen data sets in SQL."""

import struct
from collections.abc import Sequence
from itertools import pairwise
from uuid import UUID

import asyncpg
import numpy as np

from annotateforge.api.dataset.v1 import dataset_pb2, problem_pb2
from annotateforge.dataset.columns import distinct
from annotateforge.dataset.copy_format import BEGIN, END, NULL, Columns, write_rows
from annotateforge.dataset.datasets import (
    Dataset,
    NewDataset,
    dataset_in_use,
    dataset_not_found,
    sides_unknown,
)
from annotateforge.dataset.health_message import health_message
from annotateforge.dataset.manifest import Manifest
from annotateforge.dataset.spec import Task, write_spec
from annotateforge.dataset.store.copying import copy_in
from annotateforge.runtime.database import Connection

_COLUMNS = "id, digest, spec, report, archive_size_bytes, create_time"
_NEEDED: Columns = {"dataset_id": ("u1", 16), "sha256": ("u1", 32), "side": ">i2"}
_OWN = struct.Struct(">hi16si32s")
"""A row of these as far as its side, which is null."""
_WRITE_TIMEOUT = 300.0
"""Seconds for statements that touch a row per image."""

INSERT = f"""
INSERT INTO datasets (id, identity, digest, task_type, spec, report, archive_size_bytes)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (identity) DO NOTHING
RETURNING {_COLUMNS}
"""
FIND = f"SELECT {_COLUMNS} FROM datasets WHERE identity = $1"
GET = f"SELECT {_COLUMNS} FROM datasets WHERE id = $1"
LIST = f"""
SELECT {_COLUMNS}
FROM datasets
WHERE ($1::uuid IS NULL OR id < $1) AND ($2::task_type IS NULL OR task_type = $2)
ORDER BY id DESC
LIMIT $3
"""
LOCK = "SELECT 1 FROM datasets WHERE id = $1 FOR UPDATE"
HOLDERS = """
SELECT holder FROM dataset_holds
WHERE dataset_id = $1 AND (expire_time IS NULL OR expire_time > now())
ORDER BY holder
LIMIT 10
"""
SIDES_KNOWN = "SELECT EXISTS (SELECT FROM dataset_blobs WHERE dataset_id = $1 AND side IS NOT NULL)"
FIND_FROZEN = f"""
SELECT {_COLUMNS} FROM datasets WHERE id = (SELECT dataset_id FROM freezings WHERE key = $1)
"""
KEEP_FROZEN = """
INSERT INTO freezings (key, dataset_id)
SELECT $1, id FROM datasets WHERE id = $2
ON CONFLICT (key) DO UPDATE SET dataset_id = excluded.dataset_id
"""
DELETE = "DELETE FROM datasets WHERE id = $1"
HOLD = """
INSERT INTO dataset_holds (dataset_id, holder, expire_time)
VALUES ($1, $2, CASE WHEN $3::integer > 0 THEN now() + make_interval(secs => $3::integer) END)
ON CONFLICT (dataset_id, holder) DO UPDATE SET expire_time =
    CASE WHEN dataset_holds.expire_time IS NULL OR excluded.expire_time IS NULL THEN NULL
        ELSE greatest(dataset_holds.expire_time, excluded.expire_time) END
"""
RELEASE = "DELETE FROM dataset_holds WHERE dataset_id = $1 AND holder = $2"


async def insert_dataset(connection: Connection, dataset: NewDataset, manifest: Manifest) -> Dataset | None:
    """Keep a data set with the digests of the blobs that it needs and the sides of those that are images;
    call it in a transaction of isolation READ COMMITTED.

    None when there is one of that identity. asyncpg.ForeignKeyViolationError when a blob has gone meanwhile.
    """
    row = await connection.fetchrow(
        INSERT,
        dataset.id,
        dataset.identity,
        dataset.digest,
        dataset.spec.task.name.lower(),
        write_spec(dataset.spec).SerializeToString(),
        health_message(dataset.report).SerializeToString(),
        dataset.archive_size_bytes,
    )
    if row is None:
        return None
    rows = needed_rows(dataset.id, manifest)
    await copy_in(connection, "dataset_blobs", tuple(_NEEDED), rows, timeout=_WRITE_TIMEOUT)
    return _dataset(row)


async def find_dataset(connection: Connection, identity: bytes) -> Dataset | None:
    """The data set of an identity."""
    row = await connection.fetchrow(FIND, identity)
    return None if row is None else _dataset(row)


async def find_frozen(connection: Connection, key: bytes) -> Dataset | None:
    """The data set that a freezing gave, by `datasets.freezing_key`."""
    row = await connection.fetchrow(FIND_FROZEN, key)
    return None if row is None else _dataset(row)


async def keep_frozen(connection: Connection, key: bytes, dataset_id: UUID) -> None:
    """Note what a freezing gave; nothing where the data set has gone meanwhile."""
    await connection.execute(KEEP_FROZEN, key, dataset_id)


async def get_dataset(connection: Connection, dataset_id: UUID) -> Dataset:
    """A data set. NotFound DATASET_NOT_FOUND."""
    row = await connection.fetchrow(GET, dataset_id)
    if row is None:
        raise dataset_not_found(dataset_id)
    return _dataset(row)


async def list_datasets(
    connection: Connection, before: UUID | None, task: Task | None, limit: int
) -> Sequence[Dataset]:
    """Data sets older than `before`, the newest first."""
    rows = await connection.fetch(LIST, before, None if task is None else task.name.lower(), limit)
    return [_dataset(row) for row in rows]


async def count_side(connection: Connection, dataset_id: UUID, side: int | None) -> int:
    """How many images of a data set are on a side, numbered as SplitSide, or in all. NotFound
    DATASET_NOT_FOUND, FailedPrecondition SIDES_UNKNOWN when it does not know the sides of its images.
    """
    report = (await get_dataset(connection, dataset_id)).report
    if not await connection.fetchval(SIDES_KNOWN, dataset_id):
        raise sides_unknown(dataset_id)
    if side is None:
        return report.total_images
    return (report.train_images, report.val_images, report.test_images)[side - 1]


async def delete_dataset(connection: Connection, dataset_id: UUID) -> None:
    """Delete a data set; the blobs that nobody else needs become loose. Call it in a transaction.

    NotFound DATASET_NOT_FOUND, FailedPrecondition DATASET_IN_USE while it is held.
    """
    # A new hold refers to the row and waits for the lock.
    if await connection.fetchval(LOCK, dataset_id) is None:
        raise dataset_not_found(dataset_id)
    if holders := await connection.fetch(HOLDERS, dataset_id):
        raise dataset_in_use(dataset_id, [row["holder"] for row in holders])
    await connection.execute(DELETE, dataset_id, timeout=_WRITE_TIMEOUT)


async def hold_dataset(connection: Connection, dataset_id: UUID, holder: str, seconds: int) -> None:
    """Keep a data set from being deleted; `seconds` is 0 for until it is released. NotFound
    DATASET_NOT_FOUND.
    """
    try:
        await connection.execute(HOLD, dataset_id, holder, seconds)
    except asyncpg.ForeignKeyViolationError as error:
        raise dataset_not_found(dataset_id) from error


async def release_dataset(connection: Connection, dataset_id: UUID, holder: str) -> None:
    """End a hold, if there is one."""
    await connection.execute(RELEASE, dataset_id, holder)


def needed_rows(dataset_id: UUID, manifest: Manifest) -> bytes:
    """All that is sent to `dataset_blobs`: the blobs that a data set needs, in the order of their digests, so
    that its index grows at the end.
    """
    first, _ = distinct(manifest.records["sha256"])
    images = manifest.records[first]
    columns = {
        "dataset_id": np.frombuffer(dataset_id.bytes, np.uint8),
        "sha256": images["sha256"],
        # As SplitSide in image.proto numbers them.
        "side": images["side"] + 1,
    }
    rows = write_rows(_NEEDED, columns, len(images))
    own = sorted({manifest.digest, manifest.label_pack})
    digests = np.ascontiguousarray(images["sha256"]).view("S32").ravel()
    cuts = [0, *np.searchsorted(digests, np.array(own, "S32")).tolist(), len(rows)]
    parts = [BEGIN, rows[: cuts[1]].tobytes()]
    for digest, (begin, end) in zip(own, pairwise(cuts[1:]), strict=True):
        parts += (_OWN.pack(len(_NEEDED), 16, dataset_id.bytes, 32, digest), NULL, rows[begin:end].tobytes())
    return b"".join((*parts, END))


def _dataset(row: asyncpg.Record) -> Dataset:
    return Dataset(
        id=row["id"],
        digest=row["digest"],
        spec=dataset_pb2.DatasetSpec.FromString(row["spec"]),
        report=problem_pb2.HealthReport.FromString(row["report"]),
        archive_size_bytes=row["archive_size_bytes"],
        create_time=row["create_time"],
    )
