"""Rows that are encoded already, added by COPY in its binary form (`copy_format`)."""

from collections.abc import AsyncIterator, Sequence

from annotateforge.runtime.database import Connection


async def copy_in(
    connection: Connection,
    table: str,
    columns: Sequence[str],
    rows: bytes,
    *,
    timeout: float,
    schema: str | None = None,
) -> None:
    """Add rows, with what precedes and follows them, to a table within so many seconds."""
    await connection.copy_to_table(
        table,
        source=_at_once(rows),
        columns=columns,
        schema_name=schema,
        format="binary",
        timeout=timeout,
    )


async def _at_once(data: bytes) -> AsyncIterator[bytes]:
    """What asyncpg takes without a hop to a thread."""
    yield data
