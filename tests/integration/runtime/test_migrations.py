import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import pytest

from annotateforge.runtime import migrations
from annotateforge.runtime.migrations import MigrationError, migrate, read_migrations

_numbers = itertools.count(1)
Package = Callable[..., str]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """Makes a package with these migrations, given as texts by name without ".sql"."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(**migrations: str) -> str:
        name = f"example_package_{next(_numbers)}"
        folder = tmp_path / name / "migrations"
        folder.mkdir(parents=True)
        (tmp_path / name / "__init__.py").touch()
        for stem, text in migrations.items():
            (folder / f"{stem.removeprefix('m')}.sql").write_text(text)
        return name

    return make


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    opened = await asyncpg.connect(database_url, server_settings={"search_path": "example"})
    yield opened
    await opened.close()


ONE = {"m0001_things": "create table things (id int primary key); create index on things (id);"}
TWO = {"m0002_more": "alter table things add column name text not null default 'x'"}


async def test_migrations_are_applied_once_and_in_order(
    database_url: str, package: Package, connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await migrate(database_url, "example", package(**ONE))
    await connection.execute("insert into things values (1)")
    both = package(**TWO, **ONE)
    for _ in range(2):
        await migrate(database_url, "example", both)
    assert dict(await connection.fetchrow("select * from things") or {}) == {"id": 1, "name": "x"}
    rows = await connection.fetch("select version, name from schema_migrations order by version")
    assert [tuple(row) for row in rows] == [(1, "0001_things.sql"), (2, "0002_more.sql")]


async def test_processes_that_start_at_once_apply_each_migration_once(
    database_url: str, package: Package, connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    name = package(**ONE, m0002_row="insert into things values (1)")
    await asyncio.gather(*(migrate(database_url, "example", name) for _ in range(8)))
    assert await connection.fetchval("select count(*) from things") == 1


async def test_a_migration_that_was_changed_after_it_was_applied_is_refused(
    database_url: str, package: Package
) -> None:
    await migrate(database_url, "example", package(**ONE))
    with pytest.raises(MigrationError, match=r"0001_things\.sql has been changed"):
        await migrate(database_url, "example", package(m0001_things="create table things (id bigint)"))


async def test_a_database_that_is_newer_than_the_program_is_refused(
    database_url: str, package: Package
) -> None:
    await migrate(database_url, "example", package(**ONE, **TWO))
    with pytest.raises(MigrationError, match="does not know: 0002_more"):
        await migrate(database_url, "example", package(**ONE))


async def test_a_migration_that_fails_leaves_nothing_and_those_before_it_stay(
    database_url: str, package: Package, connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    broken = package(**ONE, m0002_more="create table other (id int); select nonsense")
    with pytest.raises(asyncpg.UndefinedColumnError):
        await migrate(database_url, "example", broken)
    assert await connection.fetchval("select to_regclass('other')") is None
    await migrate(database_url, "example", package(**ONE, **TWO))
    assert await connection.fetchval("select count(*) from schema_migrations") == 2


async def test_a_migration_of_another_process_is_not_waited_for_without_end(
    database_url: str, package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT", 0.05)
    holder = await asyncpg.connect(database_url)
    await holder.execute(migrations._LOCK, "example")
    with pytest.raises(MigrationError, match="Another process"):
        await migrate(database_url, "example", package(**ONE))
    await holder.close()
    await migrate(database_url, "example", package(**ONE))


async def test_schemas_of_two_services_do_not_meet(database_url: str, package: Package) -> None:
    name = package(**ONE)
    await migrate(database_url, "example", name)
    await migrate(database_url, "another", name)


@pytest.mark.parametrize(
    "files",
    [
        {"m0002_late": ""},
        {"m0001_a": "", "m0003_c": ""},
        {"m0001_a": "", "m0001_b": ""},
        {"m0001_a": "", "notes": ""},
        {"m1_a": ""},
    ],
)
def test_migrations_that_are_not_numbered_in_a_row_are_refused(
    package: Package, files: dict[str, str]
) -> None:
    with pytest.raises(MigrationError):
        read_migrations(package(**files))


async def test_a_schema_is_never_made_of_sql(package: Package) -> None:
    with pytest.raises(ValueError, match="no name of a schema"):
        await migrate("postgresql://127.0.0.1:1/x", "a; drop table b", package(**ONE))


def test_every_service_numbers_its_migrations_in_a_row() -> None:
    for service in ("dataset", "trainer", "registry"):
        name = f"annotateforge.{service}"
        found = read_migrations(name)
        assert found, f"{name} has no migrations"
