"""The artifacts of a registration as they come in a stream: their order, sizes and digests are checked on the
way.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable

from annotateforge.api.registry.v1.registry_service_pb2 import RegisterModelRequest
from annotateforge.registry.header import read_artifact
from annotateforge.registry.models import WEIGHTS, Artifact
from annotateforge.runtime.errors import DeadlineExceeded, FieldViolation, InvalidArgument, ResourceExhausted

LARGEST_CHUNK = 1024 * 1024
MOST_ARTIFACTS = 200
PATIENCE = 60.0
"""Seconds to wait for the next message of a sender that has not ended its stream."""

Part = RegisterModelRequest
Put = Callable[[Artifact, AsyncIterator[bytes]], Awaitable[None]]
"""Keeps an artifact; reads all of its bytes. What it has read is not to be kept when the bytes end in an
exception.
"""


class Parts:
    """The messages of one stream, of which the next one can be looked at before it is taken."""

    def __init__(self, messages: AsyncIterator[Part], patience: float = PATIENCE) -> None:
        self._messages = messages
        self._patience = patience
        self._next: Part | None = None

    async def peek(self) -> Part | None:
        """The next message, which stays; None at the end of the stream.

        DeadlineExceeded UPLOAD_STALLED when it takes too long.
        """
        if self._next is None:
            try:
                async with asyncio.timeout(self._patience):
                    self._next = await anext(self._messages, None)
            except TimeoutError as error:
                raise DeadlineExceeded(
                    "UPLOAD_STALLED", f"Nothing came for {self._patience:g} s. Send the model again."
                ) from error
        return self._next

    async def take(self) -> Part | None:
        """The next message; None at the end of the stream."""
        part = await self.peek()
        self._next = None
        return part


async def receive_artifacts(parts: Parts, put: Put, most_bytes: int) -> list[Artifact]:
    """Hand the artifacts of a stream, whose model header has been taken, to `put` one after another.

    Memory holds one chunk at a time. InvalidArgument: UNEXPECTED_PART, INVALID_ARTIFACT, DUPLICATE_ARTIFACT,
    CHUNK_TOO_LARGE, ARTIFACT_SIZE_MISMATCH, ARTIFACT_DIGEST_MISMATCH, WEIGHTS_MISSING. ResourceExhausted:
    TOO_MANY_ARTIFACTS, MODEL_TOO_LARGE when they are more than `most_bytes` together.
    """
    artifacts: dict[str, Artifact] = {}
    announced = 0
    while (part := await parts.take()) is not None:
        if part.WhichOneof("part") != "artifact":
            raise _unexpected(part, "an artifact's header")
        artifact = read_artifact(part.artifact)
        announced += artifact.size_bytes
        if artifact.name in artifacts:
            raise InvalidArgument.of_field(
                "DUPLICATE_ARTIFACT",
                "artifact.name",
                f"{artifact.name!r} came before; send each once",
            )
        if len(artifacts) >= MOST_ARTIFACTS:
            raise ResourceExhausted("TOO_MANY_ARTIFACTS", f"A model has at most {MOST_ARTIFACTS} artifacts.")
        if announced > most_bytes:
            raise ResourceExhausted(
                "MODEL_TOO_LARGE", f"The artifacts of a model have at most {most_bytes} bytes together."
            )
        artifacts[artifact.name] = artifact
        await put(artifact, _bytes_of(artifact, parts))
    weights = artifacts.get(WEIGHTS)
    if weights is None or weights.size_bytes == 0:
        raise InvalidArgument.of_field(
            "WEIGHTS_MISSING",
            "artifact.name",
            f"one artifact must be {WEIGHTS}, and not empty",
        )
    return list(artifacts.values())


async def _bytes_of(artifact: Artifact, parts: Parts) -> AsyncIterator[bytes]:
    """The chunks up to the next message that is none. Ends with an exception unless they are what was
    announced.
    """
    size, digest = 0, hashlib.sha256()
    while (part := await parts.peek()) is not None and part.WhichOneof("part") == "chunk":
        await parts.take()
        chunk = part.chunk
        size += len(chunk)
        if len(chunk) > LARGEST_CHUNK:
            raise InvalidArgument.of_field(
                "CHUNK_TOO_LARGE", "chunk", f"must have at most {LARGEST_CHUNK} bytes"
            )
        if size > artifact.size_bytes:
            raise _wrong_size(artifact, f"more than the {artifact.size_bytes}")
        digest.update(chunk)
        yield chunk
    if size != artifact.size_bytes:
        raise _wrong_size(artifact, f"{size} of the {artifact.size_bytes}")
    if digest.hexdigest() != artifact.sha256:
        raise InvalidArgument(
            "ARTIFACT_DIGEST_MISMATCH",
            f"The bytes of {artifact.name} do not have the SHA-256 of its header. Send the model again.",
            violations=[FieldViolation("artifact.sha256", f"is not that of the bytes of {artifact.name}")],
            metadata={"name": artifact.name},
        )


def _wrong_size(artifact: Artifact, came: str) -> InvalidArgument:
    return InvalidArgument(
        "ARTIFACT_SIZE_MISMATCH",
        f"Of {artifact.name} came {came} bytes that its header says. Send the model again.",
        violations=[FieldViolation("artifact.size_bytes", f"is not the number of bytes of {artifact.name}")],
        metadata={"name": artifact.name},
    )


def _unexpected(part: Part, expected: str) -> InvalidArgument:
    came = {"header": "a second model header", "chunk": "a chunk"}.get(
        part.WhichOneof("part") or "", "an empty message"
    )
    return InvalidArgument.of_field(
        "UNEXPECTED_PART", "part", f"{came} came where {expected} was expected; see RegisterModelRequest"
    )
