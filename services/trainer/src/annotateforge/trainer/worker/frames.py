"""How a child tells its worker something: frames on a pipe or socket of their own.

A frame is a kind (one byte), the payload's length (four bytes, big-endian) and the payload, a serialised
message of the trainer's protos. A child that dies in the middle of a frame leaves an incomplete one behind,
which the reader never hands out.
"""

import os
import struct
from collections.abc import Iterator
from enum import IntEnum

_HEAD = struct.Struct(">BI")

MAX_PAYLOAD = 16 * 1024 * 1024
"""Most bytes of a payload; more is taken for a broken stream."""


class Kind(IntEnum):
    """What a frame's payload is."""

    REPORT = 1
    """`Report` without a number; the worker numbers them."""
    TRAINED = 2
    """`TrainingComplete` without a model_id: training ended well. The last frame."""
    FAILED = 3
    """`Failure` without a log_tail: training ended otherwise. The last frame."""
    CHECKPOINT = 4
    """`CheckpointSaved` without a size: the state after an epoch lies in the order's checkpoint_dir."""


Frame = tuple[Kind, bytes]


class BrokenFrames(Exception):
    """The bytes are no frames: somebody else wrote into the pipe."""


def write_frame(descriptor: int, kind: Kind, payload: bytes) -> None:
    """Write a whole frame, however small the pipe's buffer. BrokenPipeError when nobody reads any more."""
    rest = memoryview(_HEAD.pack(kind, len(payload)) + payload)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


class FrameReader:
    """Puts frames together from the pieces in which a pipe delivers them."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take bytes and hand out the frames that are complete now. BrokenFrames when they are none."""
        self._buffer += data
        while len(self._buffer) >= _HEAD.size:
            kind, length = _HEAD.unpack_from(self._buffer)
            if kind not in Kind._value2member_map_ or length > MAX_PAYLOAD:
                raise BrokenFrames(f"a frame of kind {kind} with {length} bytes")
            end = _HEAD.size + length
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[_HEAD.size : end])
            del self._buffer[:end]
            yield Kind(kind), payload
