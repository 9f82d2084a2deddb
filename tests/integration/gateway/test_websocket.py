"""Watching jobs over WebSockets, with a real NATS between."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from annotateforge.api.trainer.v1 import event_pb2, job_pb2
from annotateforge.gateway import app, metrics
from annotateforge.gateway.settings import Settings
from annotateforge.local.nats import embedded_nats
from annotateforge.runtime.bus import Bus, connect_bus
from annotateforge.runtime.ids import new_id
from tests.integration.gateway.conftest import Services
from tests.integration.gateway.small_services import SmallTrainer

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bus(nats_server: str) -> AsyncIterator[Bus]:
    async with connect_bus(nats_server, "trainer") as bus:
        yield bus


@pytest.fixture
def trainer(services: Services) -> SmallTrainer:
    return services.trainer


@pytest.fixture
def watch(gateway: app.App, token: Callable[[str], str]) -> Callable[..., connect]:
    """Connects to a job's WebSocket."""

    def to(job_id: str, after: int | str = 0, role: str = "viewer", **options: Any) -> connect:
        return connect(address(gateway, job_id, f"token={token(role)}&after={after}"), **options)

    return to


def address(gateway: app.App, job_id: str, query: str) -> str:
    return f"ws://{gateway.address}/api/v1/training/ws/{job_id}?{query}"


async def everything(socket: ClientConnection) -> list[dict[str, Any]]:
    """All messages until the connection is closed with 1000."""
    messages = [orjson.loads(text) async for text in socket]
    assert socket.close_code == 1000, socket.close_reason
    return messages


def epoch(number: int) -> dict[str, Any]:
    return {"epoch_start": event_pb2.EpochStart(epoch=number, total_epochs=9)}


def progress(job_id: str, done: int) -> event_pb2.JobEvent:
    return event_pb2.JobEvent(job_id=job_id, progress=event_pb2.Progress(stage="training", done=done))


async def test_a_watcher_sees_what_was_and_what_comes(
    watch: Callable[..., connect], trainer: SmallTrainer, bus: Bus
) -> None:
    job_id = trainer.new_job()
    trainer.happen(job_id, **epoch(1))
    async with watch(job_id) as socket:
        first = [orjson.loads(await socket.recv()) for _ in range(2)]
        assert [message["sequence"] for message in first] == [1, 2]
        measured = job_pb2.Epoch(epoch=1, metrics={"map50": 0.5}, attempt=9)
        await trainer.tell(bus, trainer.happen(job_id, epoch_complete=measured))
        third = orjson.loads(await socket.recv())
        assert third["type"] == "epoch_complete"
        assert (third["sequence"], third["job_id"], third["attempt"]) == (3, job_id, 1)
        assert third["metrics"] == {"map50": 0.5}
        assert "train_loss" not in third
        await trainer.tell(bus, progress(job_id, 3))
        live = orjson.loads(await socket.recv())
        assert (live["type"], live["stage"], live["done"]) == ("progress", "training", 3)
        assert "sequence" not in live
        await trainer.tell(bus, trainer.end(job_id))
        [last] = await everything(socket)
    assert (last["type"], last["status"], last["sequence"]) == ("status_change", "completed", 4)


async def test_after_skips_what_was_seen(
    watch: Callable[..., connect], trainer: SmallTrainer, bus: Bus
) -> None:
    job_id = trainer.new_job()
    for number in range(1, 6):
        trainer.happen(job_id, **epoch(number))
    async with watch(job_id, after=4) as socket:
        assert [orjson.loads(await socket.recv())["sequence"] for _ in range(2)] == [5, 6]
        await trainer.tell(bus, trainer.end(job_id))
        assert [message["sequence"] for message in await everything(socket)] == [7]


async def test_a_job_that_has_ended_is_told_whole(
    watch: Callable[..., connect], trainer: SmallTrainer
) -> None:
    job_id = trainer.new_job()
    for number in range(1, 1201):
        trainer.happen(job_id, **epoch(number))
    trainer.end(job_id)
    async with watch(job_id) as socket:
        assert [message["sequence"] for message in await everything(socket)] == list(range(1, 1203))
    for after in (1202, 5000):
        async with watch(job_id, after=after) as socket:
            assert await everything(socket) == []


async def test_two_hundred_watchers_see_every_event_once(
    watch: Callable[..., connect], trainer: SmallTrainer, bus: Bus
) -> None:
    job_id, count, dice = trainer.new_job(), 120, random.Random(7)

    async def follow(patience: random.Random) -> list[int]:
        """Leave in the middle now and then, and come back with the last sequence that was seen."""
        seen: list[int] = []
        while True:
            leaves_after = patience.choice([3, 10, 40, 1000])
            # A client that closes with a full queue would wait for ten seconds first.
            async with watch(job_id, after=seen[-1] if seen else 0, max_queue=None) as socket:
                async for text in socket:
                    message = orjson.loads(text)
                    if "sequence" in message:
                        seen.append(message["sequence"])
                        leaves_after -= 1
                    if not leaves_after:
                        break
                else:
                    assert socket.close_code == 1000
                    return seen

    watching = [asyncio.create_task(follow(random.Random(number))) for number in range(200)]
    for number in range(2, count):
        event = trainer.happen(job_id, **epoch(number))
        # NATS may lose, repeat and delay; the store knows.
        for _ in range(dice.choice([0, 1, 1, 1, 1, 2])):
            await trainer.tell(bus, event)
        if number % 10 == 0:
            await trainer.tell(bus, progress(job_id, number))
            await asyncio.sleep(0.01)
    await trainer.tell(bus, trainer.end(job_id))
    async with asyncio.timeout(60):
        assert await asyncio.gather(*watching) == [list(range(1, count + 1))] * 200


async def test_a_slow_watcher_delays_nobody(
    watch: Callable[..., connect], trainer: SmallTrainer, bus: Bus
) -> None:
    job_id = trainer.new_job()
    # Large enough that what the slow one does not read fills every buffer on the way.
    large = {"warning": event_pb2.Warning(message="x" * 60_000)}
    async with watch(job_id, max_queue=1) as slow, watch(job_id) as quick:
        await quick.recv()
        for _ in range(300):
            await trainer.tell(bus, trainer.happen(job_id, **large))
            async with asyncio.timeout(5):
                await quick.recv()
        last = trainer.end(job_id)
        await trainer.tell(bus, last)
        assert [message["sequence"] for message in await everything(quick)] == [last.sequence]
        sequences = [message["sequence"] for message in await everything(slow)]
    assert sequences == list(range(1, last.sequence + 1))


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", 4401),
        ("token=", 4401),
        ("token=nonsense", 4401),
        ("token={worker}", 4403),
        ("token={viewer}&after=-1", 4400),
        ("token={viewer}&after=x", 4400),
        ("token={viewer}&after=99999999999999999999", 4400),
        ("token={viewer}&color=red", 4400),
        ("token={viewer}", 4404),
    ],
)
async def test_refusals_have_close_codes(
    gateway: app.App, services: Services, token: Callable[[str], str], query: str, code: int
) -> None:
    query = query.format(worker=token("worker"), viewer=token("viewer"))
    async with connect(address(gateway, str(new_id()), query)) as socket:
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert socket.close_code == code
        assert socket.close_reason


async def test_what_is_no_id_is_a_bad_request(watch: Callable[..., connect], services: Services) -> None:
    async with watch("no-id") as socket:
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert socket.close_code == 4400


async def test_a_token_may_stand_in_the_header(
    gateway: app.App, trainer: SmallTrainer, token: Callable[[str], str]
) -> None:
    job_id = trainer.new_job()
    trainer.end(job_id)
    headers = {"authorization": f"Bearer {token('viewer')}"}
    async with connect(address(gateway, job_id, ""), additional_headers=headers) as socket:
        assert len(await everything(socket)) == 2


async def test_tokens_are_written_nowhere(
    watch: Callable[..., connect],
    gateway: app.App,
    trainer: SmallTrainer,
    token: Callable[[str], str],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    job_id = trainer.new_job()
    trainer.end(job_id)
    with caplog.at_level(logging.INFO):
        async with watch(job_id) as socket:
            await everything(socket)
        async with connect(address(gateway, job_id, "token=secret-nonsense")) as socket:
            await socket.wait_closed()
    written = caplog.text + "".join(capfd.readouterr())
    assert "secret-nonsense" not in written
    assert token("viewer")[:60] not in written
    assert "token=" not in written


async def test_messages_are_not_compressed(watch: Callable[..., connect], trainer: SmallTrainer) -> None:
    async with watch(trainer.new_job(), compression="deflate") as socket:
        await socket.recv()
        assert socket.protocol.extensions == []


async def test_what_a_client_says_is_read_and_means_nothing(
    watch: Callable[..., connect], trainer: SmallTrainer, bus: Bus
) -> None:
    job_id = trainer.new_job()
    async with watch(job_id) as socket:
        await socket.recv()
        for _ in range(200):
            await socket.send("x" * 2000)
        # Pings are answered behind all of it.
        async with asyncio.timeout(10):
            await (await socket.ping())
        await trainer.tell(bus, trainer.end(job_id))
        assert [message["sequence"] for message in await everything(socket)] == [2]


async def test_who_leaves_is_not_counted_any_more(
    watch: Callable[..., connect], trainer: SmallTrainer
) -> None:
    job_id = trainer.new_job()
    async with watch(job_id) as socket, watch(job_id) as lost:
        await socket.recv()
        await lost.recv()
        assert _watchers() == 2
        # Without a close frame, as when a network is gone.
        lost.transport.abort()
        async with asyncio.timeout(10):
            while _watchers() > 1:
                await asyncio.sleep(0.01)
    async with asyncio.timeout(10):
        while _watchers():
            await asyncio.sleep(0.01)


def _watchers() -> float:
    [metric] = metrics.WATCHERS.collect()
    return metric.samples[0].value


async def test_a_job_that_is_deleted_meanwhile_is_not_found(
    watch: Callable[..., connect], trainer: SmallTrainer, bus: Bus
) -> None:
    job_id = trainer.new_job()
    async with watch(job_id) as socket:
        await socket.recv()
        event = trainer.happen(job_id, **epoch(1))
        event.sequence += 5
        del trainer.jobs[job_id]
        await trainer.tell(bus, event)
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 10)
        assert socket.close_code == 4404


async def test_a_gateway_that_stops_says_so(
    settings: Settings, trainer: SmallTrainer, token: Callable[[str], str]
) -> None:
    job_id = trainer.new_job()
    async with app.running(settings) as gateway:
        socket = await connect(address(gateway, job_id, f"token={token('viewer')}"))
        await socket.recv()
    await socket.wait_closed()
    assert socket.close_code == 1012


async def test_nats_may_be_away_at_first_and_for_a_while(
    settings: Settings,
    trainer: SmallTrainer,
    token: Callable[[str], str],
    tmp_path: Path,
) -> None:
    async with embedded_nats(tmp_path) as url:
        port = int(url.rpartition(":")[2])
    job_id = trainer.new_job()
    async with (
        app.running(settings.model_copy(update={"nats_url": url, "reread_seconds": 0.2})) as gateway,
        connect(address(gateway, job_id, f"token={token('viewer')}")) as socket,
    ):

        async def next_sequence() -> int:
            async with asyncio.timeout(10):
                return int(orjson.loads(await socket.recv())["sequence"])

        assert await next_sequence() == 1
        trainer.happen(job_id, **epoch(1))
        assert await next_sequence() == 2
        async with embedded_nats(tmp_path, port) as url, connect_bus(url, "trainer") as bus:
            live = None
            async with asyncio.timeout(30):
                while live is None:
                    # Progress is live only: it arrives once the gateway listens.
                    await trainer.tell(bus, progress(job_id, 1))
                    try:
                        live = await asyncio.wait_for(socket.recv(), 0.2)
                    except TimeoutError:
                        continue
            assert orjson.loads(live)["type"] == "progress"
        trainer.happen(job_id, **epoch(2))
        while True:
            message = orjson.loads(await asyncio.wait_for(socket.recv(), 10))
            if message["type"] != "progress":
                break
        assert message["sequence"] == 3
        status = event_pb2.StatusChange(status=job_pb2.JOB_STATUS_CANCELLED)
        trainer.happen(job_id, status_change=status)
        assert [message["sequence"] for message in await everything(socket)] == [4]
