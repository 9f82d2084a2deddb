"""The embedded NATS server: found again, behind a token, and gone with its parent."""

import asyncio
import os
import signal
import socket
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

import nats
import pytest

from annotateforge.local.engine import EngineError
from annotateforge.local.nats import embedded_nats

RUN_UNTIL_KILLED = """
import asyncio, sys
from pathlib import Path
from annotateforge.local.nats import embedded_nats

async def main():
    async with embedded_nats(Path(sys.argv[1])) as url:
        print(url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


def server_pid(data_dir: Path) -> int:
    (ports_file,) = (data_dir / "ports").iterdir()
    return int(ports_file.stem.removeprefix("nats-server_"))


async def publish(url: str, subject: str, data: bytes) -> None:
    connection = await nats.connect(url, connect_timeout=5)
    try:
        jetstream = connection.jetstream(timeout=5)
        await jetstream.add_stream(name="THINGS", subjects=["things.>"])
        await jetstream.publish(subject, data)
    finally:
        await connection.close()


async def last(url: str, subject: str) -> bytes | None:
    connection = await nats.connect(url, connect_timeout=5)
    try:
        return (await connection.jetstream(timeout=5).get_last_msg("THINGS", subject)).data
    finally:
        await connection.close()


async def test_a_second_run_finds_the_streams_of_the_first_one(tmp_path: Path) -> None:
    async with embedded_nats(tmp_path) as first:
        await publish(first, "things.a", b"kept")
    async with embedded_nats(tmp_path, port_of(first)) as second:
        assert await last(second, "things.a") == b"kept"
    assert second == first


async def test_nobody_gets_in_without_the_token(tmp_path: Path) -> None:
    async with embedded_nats(tmp_path) as url, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(url))
        await reader.readline()
        writer.write(b'CONNECT {"verbose": false}\r\nPING\r\n')
        assert b"Authorization Violation" in await reader.read()
        writer.close()
        await writer.wait_closed()
    assert (tmp_path / "token").stat().st_mode & 0o077 == 0
    assert (tmp_path / "nats.conf").stat().st_mode & 0o077 == 0


async def test_a_port_that_is_taken_is_told_in_the_servers_own_words(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(EngineError, match="already in use"):
        async with embedded_nats(tmp_path, taken.getsockname()[1]):
            pass


async def test_the_end_of_the_server_is_told_and_its_directory_serves_again(tmp_path: Path) -> None:
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(embedded_nats(tmp_path, on_exit=ended.set_result))
        await publish(url, "things.a", b"kept")
        os.kill(server_pid(tmp_path), signal.SIGKILL)
        async with asyncio.timeout(10):
            assert await ended == -signal.SIGKILL
    async with embedded_nats(tmp_path) as url:
        assert await last(url, "things.a") == b"kept"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
async def test_the_server_dies_with_a_killed_parent(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RUN_UNTIL_KILLED, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    async with asyncio.timeout(30):
        url = (await parent.stdout.readline()).decode().strip()
    parent.kill()
    await parent.wait()
    # The lock is free only when no process of the first server is left.
    async with embedded_nats(tmp_path, port_of(url)) as again:
        assert again == url
