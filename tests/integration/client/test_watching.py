"""Watching a job outlives the connection: every event once and in order, whatever happens in between."""

import pytest
from websockets.sync.server import ServerConnection

from annotateforge.client import Client, ClientError, ServerAway, ServerRefused, watching
from tests.integration.client.socket_scripts import closing, epoch, epochs, sockets


def test_events_come_once_and_in_order_over_many_connections() -> None:
    asked: list[int] = []

    def rest(connection: ServerConnection, after: int) -> None:
        asked.append(after)
        epoch(connection, after + 1)

    with sockets(epochs(1, 2), epochs(3), rest) as url, Client(url, "token") as client:
        events = list(client.watch("7"))
    assert [event.sequence for event in events] == [1, 2, 3, 4]
    assert [event.epoch_start.epoch for event in events] == [1, 2, 3, 4]
    assert asked == [3]


def test_a_server_that_goes_away_in_good_order_is_awaited() -> None:
    with (
        sockets(
            epochs(1), closing(1001), closing(1012), closing(1013, "UNAVAILABLE: later"), closing(1000)
        ) as url,
        Client(url, "token") as client,
    ):
        told: list[str] = []
        assert len(list(client.watch("7", lost=told.append))) == 1
    # One outage, told once.
    assert told == [f"the connection to {url} was lost"]


def test_live_only_events_do_not_move_the_position() -> None:
    def live(connection: ServerConnection, _after: int) -> None:
        epoch(connection, 5)
        connection.send('{"type": "progress", "stage": "training", "done": 3, "total": 10}')
        connection.socket.shutdown(2)

    def rest(connection: ServerConnection, after: int) -> None:
        assert after == 5

    with sockets(live, rest) as url, Client(url, "token") as client:
        events = list(client.watch("7", after=4))
    assert [event.WhichOneof("payload") for event in events] == ["epoch_start", "progress"]


@pytest.mark.parametrize(
    ("code", "http_code", "status"),
    [
        (4400, 400, "INVALID_ARGUMENT"),
        (4401, 401, "UNAUTHENTICATED"),
        (4403, 403, "PERMISSION_DENIED"),
        (4404, 404, "NOT_FOUND"),
    ],
)
def test_a_refusal_ends_it_with_the_reason(code: int, http_code: int, status: str) -> None:
    with (
        sockets(closing(code, "JOB_GONE: It is gone.")) as url,
        Client(url, "token") as client,
        pytest.raises(ServerRefused, match="It is gone") as raised,
    ):
        list(client.watch("7"))
    assert (raised.value.code, raised.value.status, raised.value.reason) == (http_code, status, "JOB_GONE")


def test_what_is_no_event_is_told() -> None:
    with (
        sockets(lambda connection, _after: connection.send("[1]")) as url,
        Client(url, "token") as client,
        pytest.raises(ClientError, match=r"no event of a job: \[1\]"),
    ):
        list(client.watch("7"))


def test_a_server_that_stays_away_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "GIVE_UP_AFTER", 0.5)
    with sockets(epochs(1)) as url, Client(url, "token") as client:
        events = client.watch("7")
        assert next(events).sequence == 1
    with pytest.raises(ServerAway, match="has been away"):
        list(events)


def test_a_server_that_takes_connections_and_drops_them_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "GIVE_UP_AFTER", 0.5)
    with (
        sockets(closing(1011)) as url,
        Client(url, "token") as client,
        pytest.raises(ServerAway, match="has been away"),
    ):
        list(client.watch("7"))


def test_the_token_is_sent_in_a_header_and_not_in_the_address() -> None:
    seen: list[tuple[str, str]] = []

    def look(connection: ServerConnection, _after: int) -> None:
        assert connection.request is not None
        seen.append((connection.request.path, connection.request.headers["authorization"]))

    with sockets(look) as url, Client(url, "the-token") as client:
        assert list(client.watch("a/b", after=9)) == []
    assert seen == [("/api/v1/training/ws/a%2Fb?after=9", "Bearer the-token")]
