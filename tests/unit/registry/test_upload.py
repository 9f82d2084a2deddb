import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable

import pytest

from annotateforge.api.registry.v1.registry_service_pb2 import ArtifactHeader, RegisterModelRequest
from annotateforge.registry.models import Artifact
from annotateforge.registry.upload import MOST_ARTIFACTS, Parts, receive_artifacts
from annotateforge.runtime.errors import DeadlineExceeded, DomainError, ResourceExhausted


def announced(name: str, data: bytes) -> RegisterModelRequest:
    digest = hashlib.sha256(data).hexdigest()
    return RegisterModelRequest(artifact=ArtifactHeader(name=name, size_bytes=len(data), sha256=digest))


def sent(name: str, data: bytes) -> list[RegisterModelRequest]:
    return [
        announced(name, data),
        *(RegisterModelRequest(chunk=data[i : i + 3]) for i in range(0, len(data), 3)),
    ]


async def stream(parts: Iterable[RegisterModelRequest]) -> AsyncIterator[RegisterModelRequest]:
    for part in parts:
        yield part


class Kept(dict[str, bytes]):
    """Keeps what it is handed, and only what came to its end."""

    async def put(self, artifact: Artifact, chunks: AsyncIterator[bytes]) -> None:
        data = b"".join([chunk async for chunk in chunks])
        self[artifact.name] = data


async def test_artifacts_are_handed_on_one_after_another() -> None:
    kept = Kept()
    parts = [*sent("best.pt", b"the weights"), *sent("empty.txt", b""), *sent("last.pt", b"more")]
    artifacts = await receive_artifacts(Parts(stream(parts)), kept.put, 1000)
    assert kept == {"best.pt": b"the weights", "empty.txt": b"", "last.pt": b"more"}
    assert [artifact.name for artifact in artifacts] == ["best.pt", "empty.txt", "last.pt"]


@pytest.mark.parametrize("came", [b"the weight", b"the weights!", b"the weighty"])
async def test_bytes_that_were_not_announced_are_not_kept(came: bytes) -> None:
    kept = Kept()
    parts = [announced("best.pt", b"the weights"), RegisterModelRequest(chunk=came)]
    with pytest.raises(DomainError) as caught:
        await receive_artifacts(Parts(stream(parts)), kept.put, 1000)
    assert caught.value.reason in ("ARTIFACT_SIZE_MISMATCH", "ARTIFACT_DIGEST_MISMATCH")
    assert caught.value.metadata == {"name": "best.pt"}
    assert kept == {}


async def test_a_model_that_announces_too_much_is_refused_before_its_bytes() -> None:
    parts = [announced("best.pt", b"x" * 600), announced("last.pt", b"x" * 401)]

    async def put(artifact: Artifact, chunks: AsyncIterator[bytes]) -> None:
        assert artifact.name == "best.pt"

    with pytest.raises(ResourceExhausted) as caught:
        await receive_artifacts(Parts(stream(parts)), put, 1000)
    assert caught.value.reason == "MODEL_TOO_LARGE"


async def test_a_model_with_too_many_artifacts_is_refused() -> None:
    parts = [part for number in range(MOST_ARTIFACTS + 1) for part in sent(f"{number}.png", b"x")]
    with pytest.raises(ResourceExhausted) as caught:
        await receive_artifacts(Parts(stream(parts)), Kept().put, 1000)
    assert caught.value.reason == "TOO_MANY_ARTIFACTS"


async def test_a_sender_that_stalls_is_not_waited_for_without_end() -> None:
    async def stalled() -> AsyncIterator[RegisterModelRequest]:
        yield announced("best.pt", b"x")
        await asyncio.Event().wait()

    with pytest.raises(DeadlineExceeded) as caught:
        await receive_artifacts(Parts(stalled(), patience=0.01), Kept().put, 1000)
    assert caught.value.reason == "UPLOAD_STALLED"
