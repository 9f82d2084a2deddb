from hypothesis import given
from hypothesis import strategies as st

from annotateforge.api.content.v1.content_pb2 import ContentInfo
from annotateforge.api.dataset.v1.dataset_service_pb2 import DownloadArchiveResponse as Response
from annotateforge.runtime.wire import (
    bytes_tag,
    content_of,
    deserializer_for,
    gets_content,
    in_wire_form,
    passing_bytes,
)

TAG = bytes_tag(Response, "chunk")


@given(st.lists(st.binary(max_size=200_000), min_size=1, max_size=4))
def test_bytes_in_wire_form_are_those_of_the_message(parts: list[bytes]) -> None:
    content = b"".join(parts)
    made = in_wire_form(Response, "chunk", parts)
    assert made == Response(chunk=content).SerializeToString()
    found = content_of(TAG, made)  # type: ignore[arg-type]  # bytes in place of a message
    assert found is not None
    assert found.tobytes() == content


def test_other_messages_are_left_to_protobuf() -> None:
    described = Response(info=ContentInfo(total_size=5)).SerializeToString()
    whole = Response(chunk=b"abc").SerializeToString()
    for message in (b"", TAG, described, whole[:-1], whole + b"\x18\x01", TAG + b"\xff" * 20):
        assert content_of(TAG, message) is None


def test_serializers_let_bytes_pass_and_make_bytes_of_messages() -> None:
    serialize = passing_bytes(Response.SerializeToString)
    assert serialize is not None
    assert serialize(b"as it is") == b"as it is"
    assert serialize(Response(chunk=b"abc")) == Response(chunk=b"abc").SerializeToString()
    assert passing_bytes(None) is None


def test_a_marked_handler_gets_content_in_place_of_messages_that_hold_nothing_else() -> None:
    @gets_content(Response, "chunk")
    def handler() -> None:
        pass

    deserialize = deserializer_for(handler, Response.FromString)
    assert deserialize is not None
    assert deserialize(Response(chunk=b"abc").SerializeToString()) == memoryview(b"abc")
    assert deserialize(Response(chunk=b"").SerializeToString()) == memoryview(b"")
    for other in (Response(), Response(info=ContentInfo(total_size=5))):
        assert deserialize(other.SerializeToString()) == other
    unknown = Response(chunk=b"abc").SerializeToString() + b"\x98\x06\x01"
    assert deserialize(unknown) == Response.FromString(unknown)


def test_other_handlers_get_messages() -> None:
    assert deserializer_for(lambda: None, Response.FromString) == Response.FromString
    assert deserializer_for(lambda: None, None) is None
