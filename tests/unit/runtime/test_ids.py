import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from annotateforge.runtime.errors import InvalidArgument
from annotateforge.runtime.ids import new_id, parse_id


def test_ids_are_uuids_of_version_7_that_carry_the_time() -> None:
    made = new_id()
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert abs((made.int >> 80) / 1000 - time.time()) < 5


def test_ids_increase_also_across_threads() -> None:
    ids = [new_id() for _ in range(10_000)]
    assert ids == sorted(set(ids))
    with ThreadPoolExecutor(8) as pool:
        found = [
            made for batch in pool.map(lambda _: [new_id() for _ in range(500)], range(8)) for made in batch
        ]
    assert len(set(found)) == len(found)


def test_an_id_is_read_back_in_either_case() -> None:
    made = new_id()
    assert parse_id(str(made), "job_id") == made
    assert parse_id(str(made).upper(), "job_id") == made


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7",
        "not-an-id",
        "{01890a5d-ac96-774b-bcce-b302099a8057}",
        "urn:uuid:01890a5d-ac96-774b-bcce-b302099a8057",
        "01890a5dac96774bbcceb302099a8057",
        "01890a5d-ac96-774b-bcce-b302099a8057\n",
        "0" * 10000,
    ],
)
def test_what_is_no_id_is_refused_with_the_field(text: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_id(text, "job_id")
    assert caught.value.reason == "INVALID_ID"
    assert caught.value.violations[0].field == "job_id"


def test_the_nil_id_is_an_id() -> None:
    assert parse_id(str(UUID(int=0)), "job_id") == UUID(int=0)
