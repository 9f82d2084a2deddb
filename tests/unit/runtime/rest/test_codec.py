import math
from typing import Any

import orjson
import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from annotateforge.api.dataset.v1.annotation_pb2 import Annotation, AnnotationType, Box
from annotateforge.api.dataset.v1.dataset_pb2 import DatasetSpec
from annotateforge.api.dataset.v1.dataset_service_pb2 import SetAnnotationsRequest
from annotateforge.api.trainer.v1.job_pb2 import Job, JobStatus
from annotateforge.runtime.errors import InvalidArgument
from annotateforge.runtime.rest.codec import decode, encode, from_object, to_object
from tests.unit.runtime.rest.made_types import All


def refused(message_type: type[Message], value: Any) -> InvalidArgument:
    with pytest.raises(InvalidArgument) as caught:
        decode(message_type, orjson.dumps(value))
    return caught.value


def test_fields_without_presence_are_always_shown_and_those_with_it_when_they_are_set() -> None:
    assert to_object(Annotation(class_label="RBC")) == {"id": "", "class_label": "RBC", "source": ""}
    shown = to_object(Annotation(confidence=0.0, box=Box(x_min=1)))
    assert shown["confidence"] == 0.0
    assert shown["box"] == {"x_min": 1.0, "y_min": 0.0, "x_max": 0.0, "y_max": 0.0}
    assert "circle" not in shown


def test_fields_come_in_the_order_of_the_proto() -> None:
    names = [field.name for field in Job.DESCRIPTOR.fields]
    job = Job(eta_seconds=3)
    job.config.SetInParent()
    shown = list(to_object(job))
    assert shown == [name for name in names if name in shown]


def test_enums_are_short_lower_case_names_and_unknown_numbers_stay_numbers() -> None:
    assert to_object(Job(status=JobStatus.JOB_STATUS_COMPLETED))["status"] == "completed"
    spec = DatasetSpec(annotation_types=[AnnotationType.ANNOTATION_TYPE_BOX])
    assert to_object(spec)["annotation_types"] == ["box"]
    unknown = All.FromString(All(one_enum=2).SerializeToString())
    unknown.one_enum = 77
    assert to_object(unknown)["one_enum"] == 77
    assert to_object(All(one_enum=2))["one_enum"] == "two_words"


def test_an_enum_of_the_input_lists_its_choices_when_it_is_refused() -> None:
    error = refused(DatasetSpec, {"annotation_types": ["box", "ANNOTATION_TYPE_BOX"]})
    assert error.violations[0].field == "annotation_types[1]"
    assert error.violations[0].description == "must be one of circle, box, rectangle, polygon"


def test_numbers_of_single_precision_are_shown_as_they_were_written() -> None:
    for value in (0.1, 1 / 3, 16777216.0, 3.4e38, 1e-45, 0.0, -2.5):
        shown = to_object(All(one_float=value))["one_float"]
        assert All(one_float=shown) == All(one_float=value)
        assert len(repr(shown)) <= 24
    assert to_object(All(one_float=0.1))["one_float"] == 0.1


def test_what_json_cannot_hold_comes_out_as_null() -> None:
    message = All(one_double=math.nan, names={"a": math.inf, "b": 1.0}, one_float=math.nan)
    shown = orjson.loads(encode(message))
    assert (shown["one_double"], shown["one_float"], shown["names"]) == (None, None, {"a": None, "b": 1.0})


def test_maps_are_sorted_by_key_and_their_keys_are_texts() -> None:
    message = All(names={"z": 1, "a": 2}, counts={10: 1, -2: 2}, flags={True: {}, False: {}})
    shown = to_object(message)
    assert list(shown["names"]) == ["a", "z"]
    assert shown["counts"] == {"-2": "two_words", "10": "plain"}
    assert set(shown["flags"]) == {"true", "false"}


@pytest.mark.parametrize(
    ("seconds", "nanos", "text"),
    [
        (0, 0, "1970-01-01T00:00:00Z"),
        (1777863721, 123456000, "2026-05-04T03:02:01.123456Z"),
        (1777863721, 1, "2026-05-04T03:02:01.000000001Z"),
        (-1, 0, "1969-12-31T23:59:59Z"),
        (-62135596800, 0, "0001-01-01T00:00:00Z"),
        (253402300799, 999999999, "9999-12-31T23:59:59.999999999Z"),
    ],
)
def test_times_are_rfc_3339(seconds: int, nanos: int, text: str) -> None:
    message = All(one_timestamp={"seconds": seconds, "nanos": nanos})
    assert to_object(message)["one_timestamp"] == text
    assert from_object(All, {"one_timestamp": text}) == message


def test_a_time_with_an_offset_is_understood() -> None:
    message = from_object(All, {"one_timestamp": "2026-05-04T05:02:01+02:00"})
    assert to_object(message)["one_timestamp"] == "2026-05-04T03:02:01Z"


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-05-04", "2026-13-01T00:00:00Z", "10000-01-01T00:00:00Z", 5]
)
def test_what_is_no_time_is_refused(text: object) -> None:
    assert refused(All, {"one_timestamp": text}).violations[0].field == "one_timestamp"


@pytest.mark.parametrize("seconds", [0, 1.5, -1.5, -0.25, 3_000_000_000, 1e-9])
def test_durations_are_seconds(seconds: float) -> None:
    assert to_object(from_object(All, {"one_duration": seconds}))["one_duration"] == seconds


@pytest.mark.parametrize("seconds", [4e11, -4e11, "1s", True])
def test_what_is_no_duration_is_refused(seconds: object) -> None:
    assert refused(All, {"one_duration": seconds}).violations[0].field == "one_duration"


def test_bytes_are_base64_in_either_alphabet_padded_or_not() -> None:
    data = b"\xfb\xff\xfe!"
    assert to_object(All(one_bytes=data))["one_bytes"] == "+//+IQ=="
    for text in ("+//+IQ==", "-__-IQ==", "-__-IQ"):
        assert from_object(All, {"one_bytes": text}).one_bytes == data
    for wrong in ("?", "A", "AAAA=AAA", 5):
        assert refused(All, {"one_bytes": wrong}).reason == "INVALID_VALUE"


@pytest.mark.parametrize(
    ("kinds", "lowest", "highest"),
    [
        (["int32", "sint32", "sfixed32"], -(2**31), 2**31 - 1),
        (["uint32", "fixed32"], 0, 2**32 - 1),
        (["int64", "sint64", "sfixed64"], -(2**63), 2**63 - 1),
        (["uint64", "fixed64"], 0, 2**64 - 1),
    ],
)
def test_integers_are_held_to_their_range(kinds: list[str], lowest: int, highest: int) -> None:
    for kind in kinds:
        for value in (lowest, highest):
            message = from_object(All, {f"one_{kind}": value, f"many_{kind}": [value]})
            assert orjson.loads(encode(message))[f"many_{kind}"] == [value]
        for wrong in (lowest - 1, highest + 1):
            with pytest.raises(InvalidArgument, match=f"between {lowest} and {highest}"):
                from_object(All, {f"one_{kind}": wrong})


@pytest.mark.parametrize("value", ["1", True, 1.5, [1], {}, "", 1e300])
def test_what_is_no_integer_is_refused(value: object) -> None:
    assert refused(All, {"one_int32": value}).reason == "INVALID_VALUE"


def test_whole_numbers_may_be_written_with_a_point() -> None:
    assert decode(All, b'{"one_int32": 5.0, "one_int64": 1e3}') == All(one_int32=5, one_int64=1000)


@pytest.mark.parametrize("value", ["1", True, [1.0], {}, math.nan, math.inf])
def test_what_is_no_number_is_refused(value: object) -> None:
    for name in ("one_double", "one_float"):
        with pytest.raises(InvalidArgument):
            from_object(All, {name: value})


def test_a_number_that_is_too_large_for_single_precision_is_refused() -> None:
    assert refused(All, {"one_float": 1e39}).reason == "INVALID_VALUE"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("one_string", 5),
        ("one_string", True),
        ("one_bool", 1),
        ("one_bool", "true"),
        ("many_int32", 5),
        ("names", []),
        ("one_itself", []),
        ("one_struct", []),
        ("one_list_value", {}),
        ("many_string", ["a", None]),
        ("names", {"a": "1"}),
    ],
)
def test_a_value_of_another_kind_is_refused_with_its_field(field: str, value: object) -> None:
    error = refused(All, {field: value})
    assert error.reason == "INVALID_VALUE"
    assert error.violations[0].field.startswith(field)


def test_a_null_is_a_field_that_was_left_out() -> None:
    assert (
        from_object(All, {"one_string": None, "many_int32": None, "maybe_int32": None, "names": None})
        == All()
    )
    assert not from_object(All, {"maybe_string": None}).HasField("maybe_string")
    assert from_object(All, {"maybe_string": ""}).HasField("maybe_string")


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"annotations": [{}, {}, {}, {"box": {"x_min": "1"}}]}, "annotations[3].box.x_min"),
        (
            {"annotations": [{"polygon": {"points": [{"x": 1}, {"x": 1, "z": 2}]}}]},
            "annotations[0].polygon.points[1].z",
        ),
        ({"annotations": {}}, "annotations"),
        ({"annotation": []}, "annotation"),
    ],
)
def test_a_refusal_names_the_way_to_the_field(value: object, path: str) -> None:
    assert refused(SetAnnotationsRequest, value).violations[0].field == path


def test_unknown_fields_are_refused_with_those_that_exist_and_passed_over_in_answers() -> None:
    error = refused(Annotation, {"label": "x"})
    assert error.reason == "UNKNOWN_FIELD"
    assert "class_label" in error.violations[0].description
    assert refused(Annotation, {"classLabel": "x"}).reason == "UNKNOWN_FIELD"
    lenient = from_object(Annotation, {"newer": {"a": 1}, "class_label": "x"}, lenient=True)
    assert lenient == Annotation(class_label="x")
    assert from_object(All, {"one_enum": "newer", "many_enum": ["newer", "plain"]}, lenient=True) == All(
        many_enum=[1]
    )
    assert from_object(All, {"names": {"a": None, "b": 1}}, lenient=True) == All(names={"b": 1})


def test_two_members_of_a_oneof_are_refused_with_both_names() -> None:
    error = refused(SetAnnotationsRequest, {"annotations": [{"circle": {"x": 1}, "box": {"x_min": 1}}]})
    assert error.reason == "ONEOF_CONFLICT"
    assert error.violations[0].field == "annotations[0].box"
    assert "circle" in error.violations[0].description
    assert from_object(All, {"left": "a", "right": None}) == All(left="a")


@pytest.mark.parametrize(
    "body", [b"{", b"[1,", b'{"a": NaN}', b'{"a": 1e999}', b'{"a": "\\ud800"}', b"\xff", b"{} {}"]
)
def test_what_is_no_json_is_refused_with_the_place(body: bytes) -> None:
    with pytest.raises(InvalidArgument, match="line 1, column") as caught:
        decode(All, body)
    assert caught.value.reason == "INVALID_JSON"


@pytest.mark.parametrize("body", [b"[]", b"5", b'"x"', b"null", b"true"])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidArgument, match="The body must be an object"):
        decode(All, body)


def test_an_empty_body_is_an_empty_object() -> None:
    assert decode(All, b"") == All()


def test_bodies_that_are_nested_without_end_are_refused() -> None:
    depth = 900
    itself = b'{"one_itself":' * depth + b"{}" + b"}" * depth
    free = b'{"one_value":' + b"[" * depth + b"]" * depth + b"}"
    for body in (itself, free, b"[" * 100_000):
        with pytest.raises(InvalidArgument) as caught:
            decode(All, body)
        assert len(caught.value.message) < 20_000


def test_free_form_json_survives() -> None:
    value: dict[str, Any] = {"a": [1.5, "x", None, True, {"b": {}}], "c": []}
    message = from_object(
        All, {"one_struct": value, "one_value": value["a"], "one_list_value": [1.0], "many_value": [None]}
    )
    shown = to_object(message)
    assert shown["one_struct"] == value
    assert shown["one_value"] == value["a"]
    assert shown["one_list_value"] == [1.0]
    assert shown["many_value"] == [None]
    assert to_object(from_object(All, {"one_value": None}))["one_value"] is None


def test_names_that_python_keeps_for_itself_are_names_like_others() -> None:
    value = {"from": "a", "class": "b", "d": "c", "m": "e"}
    shown = to_object(from_object(All, value))
    assert {name: shown[name] for name in value} == value


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
INT32 = st.integers(-(2**31), 2**31 - 1)
PLAIN = st.fixed_dictionaries(
    {},
    optional={
        "one_double": NUMBERS,
        "many_double": st.lists(NUMBERS),
        "one_float": st.floats(width=32, allow_nan=False, allow_infinity=False),
        "one_int32": INT32,
        "many_int64": st.lists(st.integers(-(2**63), 2**63 - 1)),
        "one_uint64": st.integers(0, 2**64 - 1),
        "one_bool": st.booleans(),
        "one_string": TEXTS,
        "many_string": st.lists(TEXTS),
        "one_bytes": st.binary(max_size=20),
        "one_enum": st.integers(0, 2),
        "many_enum": st.lists(st.integers(0, 2)),
        "names": st.dictionaries(TEXTS, NUMBERS),
        "counts": st.dictionaries(st.integers(-(2**63), 2**63 - 1), st.integers(0, 2)),
        "maybe_int32": INT32,
        "maybe_string": TEXTS,
        "maybe_double": NUMBERS,
        "from": TEXTS,
        "after": INT32,
    },
)
MESSAGES = st.recursive(
    PLAIN,
    lambda inner: st.builds(
        lambda plain, field, value: plain | {field: value},
        PLAIN,
        st.sampled_from(["one_itself", "deep"]),
        inner,
    ),
    max_leaves=5,
)


@given(MESSAGES)
@settings(max_examples=100, deadline=None)
def test_every_message_survives_the_way_through_json(fields: dict[str, Any]) -> None:
    message = All(**fields)
    assert decode(All, encode(message)) == message


@given(
    st.recursive(
        st.none() | st.booleans() | NUMBERS | TEXTS, lambda x: st.lists(x) | st.dictionaries(TEXTS, x)
    ),
    st.data(),
)
@settings(max_examples=100, deadline=None)
def test_no_json_whatever_breaks_the_reading(value: Any, data: st.DataObject) -> None:
    names = [field.name for field in All.DESCRIPTOR.fields]
    body = data.draw(st.dictionaries(st.sampled_from(names), st.just(value), max_size=3))
    for given_value in (value, body):
        for lenient in (False, True):
            try:
                from_object(All, given_value, lenient=lenient)
            except InvalidArgument:
                continue
