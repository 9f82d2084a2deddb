"""The embedded Postgres server: found again, restarted after any death, and gone with its parent."""

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest

from annotateforge.local.engine import EngineError
from annotateforge.local.postgres import embedded_postgres

RUN_UNTIL_KILLED = """
import asyncio, sys
from pathlib import Path
from annotateforge.local.postgres import embedded_postgres

async def main():
    async with embedded_postgres(Path(sys.argv[1])) as url:
        print(url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def ask(url: str, query: str) -> object:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        return await connection.fetchval(query, timeout=5)
    finally:
        await connection.close(timeout=5)


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "data" / "postmaster.pid").read_text().splitlines()[0])


async def gone(pid: int) -> None:
    """Return when a process that is no child of ours has ended."""
    async with asyncio.timeout(15):
        while Path(f"/proc/{pid}").exists():
            await asyncio.sleep(0.02)


async def test_a_second_run_finds_what_the_first_one_wrote_under_the_same_url(tmp_path: Path) -> None:
    async with embedded_postgres(tmp_path) as first:
        await ask(first, "CREATE TABLE thing AS SELECT 42 AS number")
    async with embedded_postgres(tmp_path) as second:
        assert await ask(second, "SELECT number FROM thing") == 42
    assert second == first


async def test_texts_are_utf_8_and_times_are_utc(tmp_path: Path) -> None:
    async with embedded_postgres(tmp_path) as url:
        assert await ask(url, "SHOW server_encoding") == "UTF8"
        assert await ask(url, "SHOW timezone") == "UTC"


async def test_a_path_too_long_for_a_socket_still_gets_a_server_under_a_lasting_url(tmp_path: Path) -> None:
    data_dir = tmp_path / ("long-" * 30)
    urls = []
    for _ in range(2):
        async with embedded_postgres(data_dir) as url:
            assert await ask(url, "SELECT 1") == 1
            urls.append(url)
    assert urls[0] == urls[1]


async def test_a_data_directory_is_served_by_one_server_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotateforge.local.engine.LOCK_TIMEOUT", 0.1)
    async with embedded_postgres(tmp_path) as url:
        with pytest.raises(EngineError, match="already running"):
            async with embedded_postgres(tmp_path):
                pass
        assert await ask(url, "SELECT 1") == 1


async def test_the_end_of_the_server_is_told_and_its_directory_serves_again(tmp_path: Path) -> None:
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(embedded_postgres(tmp_path, on_exit=ended.set_result))
        os.kill(postmaster(tmp_path), signal.SIGKILL)
        async with asyncio.timeout(10):
            assert await ended == -signal.SIGKILL
    async with embedded_postgres(tmp_path) as url:
        assert await ask(url, "SELECT 1") == 1


async def test_a_pid_file_that_names_a_living_stranger_does_not_block(tmp_path: Path) -> None:
    async with embedded_postgres(tmp_path):
        pid_file = (tmp_path / "data" / "postmaster.pid").read_text()
    lines = pid_file.splitlines()
    lines[0] = str(os.getpid())
    (tmp_path / "data" / "postmaster.pid").write_text("\n".join(lines))
    async with embedded_postgres(tmp_path) as url:
        assert await ask(url, "SELECT 1") == 1


async def test_settings_that_the_server_refuses_are_told_in_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no_such_setting"):
        async with embedded_postgres(tmp_path, settings={"no_such_setting": "1"}):
            pass


async def test_a_cluster_of_an_unknown_version_is_named_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "PG_VERSION").write_text("11\n")
    with pytest.raises(EngineError, match="made by Postgres 11"):
        async with embedded_postgres(tmp_path):
            pass
    assert (tmp_path / "data" / "PG_VERSION").read_text() == "11\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
async def test_the_server_dies_with_a_killed_parent_and_its_directory_serves_again(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RUN_UNTIL_KILLED, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    async with asyncio.timeout(30):
        url = (await parent.stdout.readline()).decode().strip()
    await ask(url, "CREATE TABLE thing AS SELECT 42 AS number")
    server = postmaster(tmp_path)
    parent.kill()
    await parent.wait()
    await gone(server)
    async with embedded_postgres(tmp_path) as again:
        assert again == url
        assert await ask(again, "SELECT number FROM thing") == 42
