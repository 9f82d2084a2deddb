import pytest

from annotateforge.runtime.texts import text_defect


@pytest.mark.parametrize("text", ["", "cells", "赤血球 №\u00a07", "x" * 200, "naïve 🧫"])
def test_what_people_write_is_taken(text: str) -> None:
    assert text_defect(text, 200) is None


@pytest.mark.parametrize("text", ["a\0b", "a\x1b[31m", "a\x7fb", "a\x85b", "a\ud800b", "two\nlines", "a\tb"])
def test_control_characters_are_named(text: str) -> None:
    defect = text_defect(text, 200)
    assert defect is not None
    assert "U+" in defect


def test_free_texts_may_have_lines_and_tabs_and_nothing_else() -> None:
    assert text_defect("two\r\n\tlines", 200, lines=True) is None
    assert text_defect("two\nlines\x1b", 200, lines=True) is not None


@pytest.mark.parametrize("text", ["", " ", "\u3000\n"])
def test_what_is_required_may_not_be_blank(text: str) -> None:
    assert text_defect(text, 200, required=True) == "is required and may not be blank"


def test_a_text_that_is_too_long_is_not_repeated_in_the_answer() -> None:
    assert text_defect("x" * 201, 200) == "has 201 characters, and at most 200 are allowed"
