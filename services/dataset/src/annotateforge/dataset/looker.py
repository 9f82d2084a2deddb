"""A process that looks at images for another one: `python -m annotateforge.dataset.looker NICENESS`.

It says READY, reads requests from its standard input and answers each on its standard output, until the input
ends: so it goes when the process goes that started it, however that ends. A request is the number of images,
and of each image its size, the place of its format in ImageFormat, and its bytes; an answer is the
fingerprint of each image after its length. It decodes and does nothing else, so that a file that makes a
decoder crash takes nobody with it.
"""

import os
import signal
import struct
import sys
from collections.abc import Iterator, Sequence
from typing import IO

from annotateforge.dataset.decoding import DecodingMemory
from annotateforge.dataset.images import ImageFormat
from annotateforge.dataset.inspection import look_again
from annotateforge.runtime.blobs import Buffer
from annotateforge.runtime.heap import keep_heap

READY = b"r"
COUNT = struct.Struct("<I")
IMAGE = struct.Struct("<IB")
_FORMATS = tuple(ImageFormat)


def request(images: Sequence[tuple[Buffer, ImageFormat]]) -> Iterator[Buffer]:
    """The parts of a request for the fingerprints of some images."""
    yield COUNT.pack(len(images))
    for data, image_format in images:
        yield IMAGE.pack(len(data), _FORMATS.index(image_format))
        yield data


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer requests until there are no more."""
    memory = DecodingMemory()
    answers.write(READY)
    answers.flush()
    while len(head := requests.read(COUNT.size)) == COUNT.size:
        looks = []
        for _ in range(*COUNT.unpack(head)):
            size, number = IMAGE.unpack(_all(requests, IMAGE.size))
            looks.append(look_again(_all(requests, size), _FORMATS[number], memory))
        answers.write(b"".join(bytes([len(look)]) + look for look in looks))
        answers.flush()


def _all(requests: IO[bytes], size: int) -> bytes:
    data = requests.read(size)
    if len(data) < size:
        raise EOFError("the request ends within an image")
    return data


def main() -> None:
    """Run the process."""
    keep_heap()
    os.nice(int(sys.argv[1]))
    # A key pressed on the terminal is for the process that started this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer)
    except (EOFError, BrokenPipeError):
        # Nobody is there any more. What is buffered would be written at the end, and fail again.
        os._exit(0)


if __name__ == "__main__":
    main()
