"""Decoding within bounds: bands, memory that threads share, and files too large to be decoded."""

import io
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from annotateforge.dataset import pixels
from annotateforge.dataset.decoding import MOST_DECODED_BYTES, DecodingMemory, decoding_bytes, is_whole
from annotateforge.dataset.pixels import shrunk
from annotateforge.runtime.heap import trim_heap


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "LA", "CMYK", "1"])
def test_a_picture_shrunk_in_bands_is_that_shrunk_as_a_whole(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = Image.effect_noise((333, 217), 60).convert("RGB").convert(mode)
    whole = shrunk(picture, 32)
    monkeypatch.setattr(pixels, "_LARGE", 4000)
    banded = shrunk(picture, 32)
    assert (banded.mode, banded.size) == (whole.mode, whole.size) == (whole.mode, (56, 37))
    assert banded.tobytes() == whole.tobytes()


def test_what_does_not_fit_beside_another_waits_for_it() -> None:
    memory = DecodingMemory(100)
    inside, release = threading.Event(), threading.Event()
    order: list[str] = []

    def first() -> None:
        with memory.taking(60):
            inside.set()
            assert release.wait(10)
            order.append("first")

    def second() -> None:
        assert inside.wait(10)
        # More than there is: it gets all of it, once everything is free.
        with memory.taking(1000):
            order.append("second")

    with ThreadPoolExecutor(3) as threads:
        running = [threads.submit(first), threads.submit(second)]
        assert inside.wait(10)
        with memory.taking(40):
            order.append("small")
        release.set()
        for each in running:
            each.result(10)
    assert order == ["small", "first", "second"]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("WEBP", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("JPEG", {"progressive": True}),
    ],
)
def test_the_structure_of_a_file_tells_whether_it_is_whole(kind: str, options: dict[str, object]) -> None:
    target = io.BytesIO()
    Image.effect_noise((300, 200), 60).convert("RGB").save(target, kind, **options)
    data = target.getvalue()
    with Image.open(io.BytesIO(data)) as picture:
        assert is_whole(data, picture)
        assert not is_whole(data[: len(data) // 10], picture)
        assert decoding_bytes(picture) >= 300 * 200 * 4


def test_a_phone_s_picture_is_decoded_and_a_poster_is_not() -> None:
    phone, poster = Image.new("RGB", (6000, 4000)), Image.new("RGB", (9000, 6000))
    assert decoding_bytes(phone) < MOST_DECODED_BYTES < decoding_bytes(poster)


def test_the_heap_can_be_trimmed() -> None:
    trim_heap()
