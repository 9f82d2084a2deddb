"""Schema migrations: numbered SQL files of a package, each applied once, in order, in a transaction of its
own.
"""

import asyncio
import hashlib
import re
from dataclasses import dataclass
from importlib import resources
from typing import Any

import asyncpg
import structlog

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,62}")

LOCK_TIMEOUT = 120.0
"""Seconds to wait while another process migrates the same schema."""
MIGRATION_TIMEOUT = 600.0
"""Seconds that one migration may take."""

_LOCK = "select pg_advisory_lock(hashtextextended('annotateforge.migrate.' || $1, 0))"

log = structlog.get_logger()


class MigrationError(RuntimeError):
    """The migrations of the program and those of the database do not fit together."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered SQL file."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text in hexadecimal."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def checked_identifier(name: str) -> str:
    """The name of a schema, safe to be written into SQL. ValueError when it is not lower case, digits and
    underscores.
    """
    if not _IDENTIFIER.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a schema")
    return name


def read_migrations(package: str) -> list[Migration]:
    """`migrations/NNNN_name.sql` of a package in order. MigrationError when the numbers are not 0001, 0002,
    …
    """
    found = []
    for file in resources.files(package).joinpath("migrations").iterdir():
        match = _NAME.fullmatch(file.name)
        if match:
            found.append(Migration(int(match[1]), file.name, file.read_text(encoding="utf-8")))
        elif file.name.endswith(".sql"):
            raise MigrationError(f"{package}: {file.name} is not named NNNN_name.sql")
    found.sort(key=lambda migration: migration.version)
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise MigrationError(
            f"{package}: migrations are not numbered 0001, 0002, … without a gap or a repeat"
        )
    return found


async def migrate(url: str, schema: str, package: str) -> None:
    """Bring `schema` up to the newest migration of `package`; makes the schema where it is missing.

    Processes that start at once wait for one another. MigrationError when a migration that has been applied
    was changed since, or when the database has one that this program does not know.
    """
    checked_identifier(schema)
    migrations = read_migrations(package)
    connection = await asyncpg.connect(
        url,
        timeout=10,
        command_timeout=MIGRATION_TIMEOUT,
        server_settings={"search_path": schema, "application_name": f"annotateforge-{schema}-migrate"},
    )
    try:
        try:
            await connection.execute(_LOCK, schema, timeout=LOCK_TIMEOUT)
        except TimeoutError:
            raise MigrationError(
                f"Another process has been migrating {schema} for {LOCK_TIMEOUT:g} s."
            ) from None
        # Closing the connection gives the lock back, whatever happens in between.
        await _apply(connection, schema, migrations)
    finally:
        try:
            async with asyncio.timeout(5):
                await connection.close()
        except TimeoutError:
            connection.terminate()


async def _apply(connection: "asyncpg.Connection[Any]", schema: str, migrations: list[Migration]) -> None:
    await connection.execute(f"create schema if not exists {schema}")
    await connection.execute(
        f"""
        create table if not exists {schema}.schema_migrations (
            version integer primary key,
            name text not null,
            checksum text not null,
            apply_time timestamptz not null default now()
        )
        """
    )
    applied = {
        row["version"]: row for row in await connection.fetch(f"select * from {schema}.schema_migrations")
    }
    unknown = sorted(applied.keys() - {migration.version for migration in migrations})
    if unknown:
        names = ", ".join(applied[version]["name"] for version in unknown)
        raise MigrationError(
            f"The schema {schema} has migrations that this program does not know: {names}. "
            "Start a newer version of it."
        )
    for migration in migrations:
        before = applied.get(migration.version)
        if before is not None:
            if before["checksum"] != migration.checksum:
                raise MigrationError(
                    f"{migration.name} has been changed since it was applied to the schema {schema}. "
                    "Restore it, and put the change into a new migration."
                )
            continue
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(
                f"insert into {schema}.schema_migrations (version, name, checksum) values ($1, $2, $3)",
                migration.version,
                migration.name,
                migration.checksum,
            )
        log.info("migrated", schema=schema, migration=migration.name)
