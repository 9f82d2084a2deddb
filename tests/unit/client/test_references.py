"""What people type to name a thing, and which one it means."""

import pytest

from annotateforge.client.errors import ServerRefused, WrongArgument
from annotateforge.client.references import Search, is_id, not_found, short_id

FIRST = "01a21a02-bba2-7867-bae5-de98870ac5fc"
SECOND = "01a21a02-bb7e-7f59-8193-de06a53a047c"


def found(reference: str, *things: tuple[str, str]) -> str:
    search = Search("job", reference)
    for identifier, name in things or ((FIRST, "cells"), (SECOND, "870ac5fc")):
        search.add(identifier, name)
    return search.found()


@pytest.mark.parametrize(
    ("reference", "meant"),
    [
        ("cells", FIRST),
        ("0ac5fc", FIRST),
        ("de98870ac5fc", FIRST),
        ("DE98870AC5FC", FIRST),
        ("01a21a02-bba2", FIRST),
        # The beginning of what tables show.
        ("870a", FIRST),
        ("a53a04", SECOND),
        # A name goes before a piece of an id.
        ("870ac5fc", SECOND),
    ],
)
def test_a_name_or_a_piece_of_an_id_means_one(reference: str, meant: str) -> None:
    assert found(reference) == meant


@pytest.mark.parametrize("reference", ["7", "5fc", "Cells", "cell", "zebra", "bae5", "1234567890"])
def test_what_means_nothing_is_told_with_the_command_that_lists(reference: str) -> None:
    with pytest.raises(ServerRefused, match="`annotateforge job list`") as refused:
        found(reference)
    assert (refused.value.reason, refused.value.code) == ("JOB_NOT_FOUND", 404)


@pytest.mark.parametrize("reference", ["01a21a02", "twin"])
def test_what_may_mean_several_is_refused_with_their_ids(reference: str) -> None:
    with pytest.raises(WrongArgument, match=f"may mean 2 jobs: {FIRST}, {SECOND}"):
        found(reference, (FIRST, "twin"), (SECOND, "twin"))


def test_an_empty_reference_is_wrong() -> None:
    with pytest.raises(WrongArgument, match="is empty"):
        Search("job", "")


def test_whole_ids_need_no_search() -> None:
    assert is_id(FIRST)
    assert not is_id(FIRST[:-1])
    assert not is_id("cells")
    assert short_id(FIRST) == "870ac5fc"
    assert str(not_found("image", "a.jpg", "in the project cells")) == (
        "There is no image 'a.jpg' in the project cells. (IMAGE_NOT_FOUND)"
    )
