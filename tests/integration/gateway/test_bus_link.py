"""The gateway's ear for NATS, which may be away."""

import asyncio
import contextlib
import time
from pathlib import Path

from annotateforge.gateway.bus_link import BusLink
from annotateforge.local.nats import embedded_nats
from annotateforge.runtime.bus import Message, connect_bus
from annotateforge.runtime.feed import Gap


async def test_listening_begins_with_a_gap_and_hears_what_follows(nats_url: str) -> None:
    link = BusLink(nats_url, reread_seconds=5)
    # What is told is on its way when the call returns, and at the server when its connection has ended.
    async with connect_bus(nats_url, "earlier") as earlier:
        await earlier.tell("subject", b"before anybody listens")
    async with (
        link.connecting(),
        connect_bus(nats_url, "other") as other,
        contextlib.aclosing(link.listen("subject")) as heard,
        asyncio.timeout(10),
    ):
        while not link.connected:
            await asyncio.sleep(0.01)
        # What was told before is covered by a gap after the subscription.
        assert isinstance(await anext(heard), Gap)
        await other.tell("subject", b"now")
        assert await anext(heard) == Message("subject", b"now")


async def test_while_nats_is_away_gaps_come_again_and_again(tmp_path: Path) -> None:
    async with embedded_nats(tmp_path) as url:
        pass
    link = BusLink(url, reread_seconds=0.1)
    async with link.connecting(), contextlib.aclosing(link.listen("subject")) as heard:
        started = time.monotonic()
        for _ in range(5):
            async with asyncio.timeout(5):
                assert isinstance(await anext(heard), Gap)
        assert time.monotonic() - started >= 0.4
        assert not link.connected


async def test_a_connection_that_is_lost_is_covered_by_gaps_until_it_is_back(tmp_path: Path) -> None:
    link = None
    async with contextlib.AsyncExitStack() as stack, asyncio.timeout(60):
        async with embedded_nats(tmp_path) as url:
            link = BusLink(url, reread_seconds=0.1)
            await stack.enter_async_context(link.connecting())
            heard = await stack.enter_async_context(contextlib.aclosing(link.listen("subject")))
            while not link.connected:
                await anext(heard)
        for _ in range(3):
            assert isinstance(await anext(heard), Gap)
        port = int(url.rpartition(":")[2])
        async with embedded_nats(tmp_path, port) as url, connect_bus(url, "other") as other:
            while not isinstance(message := await anext(heard), Message):
                await other.tell("subject", b"back")
            assert message.data == b"back"
            # The connection is closed before the server is, so that nobody waits for it.
            await stack.aclose()
