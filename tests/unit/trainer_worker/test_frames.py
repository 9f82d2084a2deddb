import itertools
import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotateforge.trainer.worker.frames import (
    MAX_PAYLOAD,
    BrokenFrames,
    Frame,
    FrameReader,
    Kind,
    write_frame,
)


def frames_of(*pieces: bytes) -> list[Frame]:
    reader = FrameReader()
    return [frame for piece in pieces for frame in reader.feed(piece)]


def written(*frames: Frame) -> bytes:
    read_end, write_end = os.pipe()
    chunks: list[bytes] = []

    def read() -> None:
        with os.fdopen(read_end, "rb") as pipe:
            chunks.append(pipe.read())

    reading = threading.Thread(target=read)
    reading.start()
    for kind, payload in frames:
        write_frame(write_end, kind, payload)
    os.close(write_end)
    reading.join()
    return chunks[0]


def test_a_frame_larger_than_the_pipe_arrives_whole() -> None:
    frame = (Kind.REPORT, os.urandom(1_000_000))
    assert frames_of(written(frame)) == [frame]


@given(
    st.lists(st.tuples(st.sampled_from(Kind), st.binary(max_size=50)), max_size=6),
    st.lists(st.integers(0, 400), max_size=8),
)
def test_frames_are_the_same_however_they_are_cut(frames: list[Frame], cuts: list[int]) -> None:
    data = b"".join(bytes([kind]) + len(payload).to_bytes(4, "big") + payload for kind, payload in frames)
    edges = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
    pieces = [data[begin:end] for begin, end in itertools.pairwise(edges)]
    assert frames_of(*pieces) == frames


@given(st.integers(0, 23))
def test_a_torn_frame_is_never_handed_out(cut: int) -> None:
    data = written((Kind.REPORT, b"whole"), (Kind.TRAINED, b"torn-frame"))
    assert frames_of(data[:cut]) in ([], [(Kind.REPORT, b"whole")])


@pytest.mark.parametrize(
    "data", [b"Traceback (most recent", bytes([1]) + (MAX_PAYLOAD + 1).to_bytes(4, "big")]
)
def test_bytes_that_are_no_frames_are_refused(data: bytes) -> None:
    with pytest.raises(BrokenFrames):
        frames_of(data)


def test_writing_to_a_worker_that_is_gone_fails() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        with pytest.raises(BrokenPipeError):
            write_frame(write_end, Kind.REPORT, b"x")
    finally:
        os.close(write_end)
