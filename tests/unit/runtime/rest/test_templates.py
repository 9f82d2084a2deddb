import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotateforge.runtime.rest.templates import Variable, parse_template, quote_segment, unquote_segment


def test_a_template_is_taken_apart() -> None:
    template = parse_template("/v1/projects/{header.project_id}/images:batch")
    assert template.segments == ("v1", "projects", "*", "images")
    assert template.variables == (Variable("header.project_id", 2, 3),)
    assert template.verb == "batch"


def test_a_variable_may_hold_a_pattern_of_several_segments() -> None:
    template = parse_template("/v1/{name=shelves/*/books/*}/{rest=**}")
    assert template.segments == ("v1", "shelves", "*", "books", "*", "**")
    captures = template.captures(["v1", "shelves", "1", "books", "2", "a", "b"])
    assert captures == {"name": "shelves/1/books/2", "rest": "a/b"}
    assert template.expand({"name": "shelves/1/books/2", "rest": "a/b c"}.__getitem__) == (
        "/v1/shelves/1/books/2/a/b%20c"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v1",
        "/",
        "//",
        "/v1/",
        "/v1//a",
        "/{",
        "/{}",
        "/{a",
        "/{a}b",
        "/a{b}",
        "/{a=}",
        "/{a}/{a}",
        "/**/a",
        "/a:",
        "/a:b:c",
        "/{A}",
        "/{a..b}",
        "/{a=**}/b",
        "/a b",
        "/a?b",
        "/{a={b}}",
        "/***",
    ],
)
def test_what_is_no_template_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="template|last segment"):
        parse_template(text)


def test_a_field_without_a_value_cannot_be_expanded() -> None:
    with pytest.raises(ValueError, match="job_id"):
        parse_template("/v1/jobs/{job_id}").expand(lambda field: "")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_every_text_survives_in_a_segment(text: str) -> None:
    quoted = quote_segment(text)
    assert unquote_segment(quoted) == text
    assert quoted not in (".", "..")
    assert not set(quoted) & set("/?#: \n")
