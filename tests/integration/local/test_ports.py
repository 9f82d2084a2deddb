"""Ports: free, taken, and about to become free."""

import asyncio
import socket

import pytest

from annotateforge.local.engine import EngineError
from annotateforge.local.ports import await_free, is_free


def test_a_port_is_free_unless_somebody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert not is_free(port)
    assert is_free(port)


async def test_a_taken_port_is_named_with_its_process_and_a_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EngineError, match=rf"Port {port}, for the dataset, .*choose another with --port"):
            await await_free({"gateway": 0, "dataset": port}, patience=0)


async def test_a_port_that_is_being_left_is_awaited() -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    waiting = asyncio.create_task(await_free({"gateway": taken.getsockname()[1]}, patience=10))
    await asyncio.sleep(0)
    assert not waiting.done()
    taken.close()
    await waiting
