"""Frozen data sets in SQL."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from annotateforge.api.dataset.v1 import dataset_pb2, problem_pb2
from annotateforge.dataset.datasets import Dataset, NewDataset, dataset_not_found
from annotateforge.dataset.health_message import health_message
from annotateforge.dataset.spec import Task, write_spec
from annotateforge.runtime.database import Connection

_COLUMNS = "id, digest, spec, report, archive_size_bytes, create_time"
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
DELETE = "DELETE FROM datasets WHERE id = $1"


async def insert_dataset(
    connection: Connection, dataset: NewDataset, blobs: Sequence[bytes]
) -> Dataset | None:
    """Keep a data set with the digests of the blobs that it needs, in ascending order; call it in a
    transaction.

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
    await connection.copy_records_to_table(
        "dataset_blobs", records=((dataset.id, blob) for blob in blobs), timeout=_WRITE_TIMEOUT
    )
    return _dataset(row)


async def find_dataset(connection: Connection, identity: bytes) -> Dataset | None:
    """The data set of an identity."""
    row = await connection.fetchrow(FIND, identity)
    return None if row is None else _dataset(row)


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


async def delete_dataset(connection: Connection, dataset_id: UUID) -> None:
    """Delete a data set; the blobs that nobody else needs become loose. NotFound DATASET_NOT_FOUND."""
    if await connection.execute(DELETE, dataset_id, timeout=_WRITE_TIMEOUT) != "DELETE 1":
        raise dataset_not_found(dataset_id)


def _dataset(row: asyncpg.Record) -> Dataset:
    return Dataset(
        id=row["id"],
        digest=row["digest"],
        spec=dataset_pb2.DatasetSpec.FromString(row["spec"]),
        report=problem_pb2.HealthReport.FromString(row["report"]),
        archive_size_bytes=row["archive_size_bytes"],
        create_time=row["create_time"],
    )
