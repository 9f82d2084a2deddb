"""Forms with parts, however their bytes are cut."""

import contextlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotateforge.gateway.multipart import Field, File, is_multipart, read_multipart
from annotateforge.runtime.errors import InvalidArgument

KIND = "multipart/form-data; boundary=cut"

names = st.text(alphabet=st.characters(categories=["L", "N"]), min_size=1, max_size=10)
parts = st.lists(st.tuples(names, st.none() | names, st.binary(max_size=300)), max_size=6)


def form(written: list[tuple[str, str | None, bytes]]) -> bytes:
    body = b""
    for name, filename, content in written:
        file = f'; filename="{filename}"' if filename is not None else ""
        head = f'--cut\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        body += head.encode() + content + b"\r\n"
    return body + b"--cut--\r\n"


async def pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


@given(written=parts, size=st.integers(1, 200))
async def test_every_cut_gives_the_same_parts(
    written: list[tuple[str, str | None, bytes]], size: int
) -> None:
    found: list[Field | tuple[str, bytearray]] = []
    async for part in read_multipart(KIND, pieces(form(written), size)):
        if isinstance(part, File):
            found.append((part.filename, bytearray()))
        elif isinstance(part, Field):
            found.append(part)
        else:
            last = found[-1]
            assert isinstance(last, tuple)
            last[1].extend(part)
    expected = [
        Field(name, content.decode(errors="replace")) if filename is None else (filename, bytearray(content))
        for name, filename, content in written
    ]
    assert found == expected


@given(body=st.binary(), size=st.integers(1, 50))
async def test_what_is_no_form_is_refused_and_breaks_nothing(body: bytes, size: int) -> None:
    with contextlib.suppress(InvalidArgument):
        async for _ in read_multipart(KIND, pieces(b"--cut" + body, size)):
            pass


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (None, False),
        ("multipart/form-data; boundary=x", True),
        ("Multipart/Form-Data", True),
        ("multipart/mixed; boundary=x", False),
        ("application/json", False),
    ],
)
def test_forms_are_known_by_their_type(kind: str | None, expected: bool) -> None:
    assert is_multipart(kind) is expected
