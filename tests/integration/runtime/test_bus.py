import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import nats
import pytest

from annotateforge.local.nats import embedded_nats
from annotateforge.runtime import subjects
from annotateforge.runtime.bus import MAX_PAYLOAD, Bus, Message, Subscription, connect_bus
from annotateforge.runtime.errors import InvalidArgument, Unavailable
from annotateforge.runtime.feed import Gap
from annotateforge.runtime.ids import new_id

JOB = new_id()
EVENTS = subjects.job_events(JOB)


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    async with connect_bus(nats_url, "test") as connected:
        await connected.declare_streams()
        yield connected


async def taken(subscription: Subscription, count: int) -> list[Message | Gap]:
    async with asyncio.timeout(10):
        return [await anext(subscription) for _ in range(count)]


async def stored(nats_url: str, stream: str) -> int:
    connection = await nats.connect(nats_url)
    info = await connection.jetstream().stream_info(stream)
    await connection.close()
    return info.state.messages


async def test_a_published_event_is_stored_and_reaches_who_listens(bus: Bus, nats_url: str) -> None:
    async with bus.subscribe(EVENTS) as one, bus.subscribe(subjects.all_job_events()) as every:
        await bus.publish(EVENTS, b"1", "1")
        assert await taken(one, 1) == [Message(EVENTS, b"1")]
        assert await taken(every, 1) == [Message(EVENTS, b"1")]
    assert await stored(nats_url, "TRAINING") == 1


async def test_a_message_id_is_stored_once(bus: Bus, nats_url: str) -> None:
    for _ in range(3):
        await bus.publish(EVENTS, b"1", "same")
    assert await stored(nats_url, "TRAINING") == 1


async def test_events_of_models_go_into_their_own_stream(bus: Bus, nats_url: str) -> None:
    await bus.publish(subjects.model_event(JOB, "activated"), b"", "1")
    assert (await stored(nats_url, "REGISTRY"), await stored(nats_url, "TRAINING")) == (1, 0)


async def test_what_is_told_reaches_who_listens_and_is_captured_by_no_stream(bus: Bus, nats_url: str) -> None:
    names = [subjects.job_progress(JOB), subjects.job_control(JOB), subjects.job_wake()]
    async with bus.subscribe("annotateforge.training.>") as subscription:
        for name in names:
            await bus.tell(name, b"x")
        assert await taken(subscription, 3) == [Message(name, b"x") for name in names]
    assert await stored(nats_url, "TRAINING") == 0


async def test_streams_are_declared_again_without_loss_and_changed_where_they_differ(
    bus: Bus, nats_url: str
) -> None:
    connection = await nats.connect(nats_url)
    streams = connection.jetstream()
    await streams.update_stream(name="TRAINING", subjects=[subjects.all_job_events()], max_bytes=1024 * 1024)
    await bus.publish(EVENTS, b"1", "1")
    await asyncio.gather(*(bus.declare_streams() for _ in range(3)))
    info = await streams.stream_info("TRAINING")
    await connection.close()
    assert info.config.max_bytes == 1024**3
    assert info.config.max_age == 7 * 24 * 3600
    assert info.config.duplicate_window == 120
    assert info.state.messages == 1


async def test_several_processes_may_declare_the_streams_at_once(nats_url: str) -> None:
    async with connect_bus(nats_url, "one") as one, connect_bus(nats_url, "two") as two:
        await asyncio.gather(*(bus.declare_streams() for bus in (one, two, one, two)))
        await two.publish(EVENTS, b"1", "1")


async def test_a_stream_that_nats_has_lost_is_made_again(bus: Bus, nats_url: str) -> None:
    connection = await nats.connect(nats_url)
    await connection.jetstream().delete_stream("TRAINING")
    await connection.close()
    await bus.publish(EVENTS, b"1", "1")
    assert await stored(nats_url, "TRAINING") == 1


async def test_publishing_where_no_stream_captures_is_an_error(bus: Bus) -> None:
    with pytest.raises(Unavailable):
        await bus.publish(subjects.job_progress(JOB), b"1", "1")


async def test_a_reader_that_is_too_slow_gets_a_gap_and_then_the_newest(bus: Bus) -> None:
    async with bus.subscribe(EVENTS, limit=10) as subscription, bus.subscribe(EVENTS) as other:
        for number in range(25):
            await bus.tell(EVENTS, b"%d" % number)
        assert len(await taken(other, 25)) == 25
        async with asyncio.timeout(10):
            while len(subscription._waiting) < 7:
                await asyncio.sleep(0)
        first, *rest = await taken(subscription, 7)
        assert isinstance(first, Gap)
        assert rest == [Message(EVENTS, b"%d" % number) for number in range(19, 25)]


async def test_a_message_that_is_too_large_is_refused(bus: Bus) -> None:
    for work in (bus.publish(EVENTS, b"x" * 2 * MAX_PAYLOAD, "1"), bus.tell(EVENTS, b"x" * 2 * MAX_PAYLOAD)):
        with pytest.raises(InvalidArgument) as caught:
            await work
        assert caught.value.reason == "MESSAGE_TOO_LARGE"
    await bus.publish(EVENTS, b"x" * MAX_PAYLOAD, "2")


async def test_a_restart_of_nats_is_survived_and_marked_as_a_gap(tmp_path: Path) -> None:
    async with embedded_nats(tmp_path) as url:
        port = urlsplit(url).port or 0
        context = connect_bus(url, "test")
        bus = await context.__aenter__()
        await bus.declare_streams()
        listening = bus.subscribe(EVENTS)
        subscription = await listening.__aenter__()
    async with asyncio.timeout(20):
        while bus.connected:
            await asyncio.sleep(0.01)
    await bus.tell(EVENTS, b"lost")
    with pytest.raises(Unavailable):
        await bus.publish(EVENTS, b"refused", "1", timeout=0.2)
    async with embedded_nats(tmp_path, port):
        assert isinstance((await taken(subscription, 1))[0], Gap)
        await bus.publish(EVENTS, b"2", "2")
        found = await taken(subscription, 1)
        while found[-1] != Message(EVENTS, b"2"):
            found += await taken(subscription, 1)
        await listening.__aexit__(None, None, None)
        await context.__aexit__(None, None, None)


async def test_giving_up_a_subscription_in_the_middle_leaves_the_others_hearing(bus: Bus) -> None:
    async def listen() -> None:
        async with bus.subscribe("elsewhere"):
            await asyncio.Event().wait()

    async with bus.subscribe(subjects.job_wake()) as subscription:
        for pauses in range(20):
            listening = asyncio.create_task(listen())
            for _ in range(pauses):
                await asyncio.sleep(0)
            listening.cancel()
            await asyncio.wait([listening])
        await bus.tell(subjects.job_wake())
        assert await taken(subscription, 1) == [Message(subjects.job_wake(), b"")]


async def test_an_iteration_ends_when_the_bus_is_closed(nats_url: str) -> None:
    async with connect_bus(nats_url, "test") as bus:
        context = bus.subscribe(EVENTS)
        subscription = await context.__aenter__()
    async with asyncio.timeout(10):
        assert [item async for item in subscription] == []
    await context.__aexit__(None, None, None)


async def test_a_server_that_is_not_there_is_unavailable_and_its_token_stays_secret() -> None:
    with pytest.raises(Unavailable) as caught:
        async with connect_bus("nats://s3cret@127.0.0.1:1", "test", timeout=0.3):
            pass
    assert caught.value.reason == "BUS_UNAVAILABLE"
    assert "s3cret" not in caught.value.message
    assert "127.0.0.1:1" in caught.value.message
