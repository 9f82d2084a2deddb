"""Reads which images are to be listed."""

from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.dataset.columns import TYPE_CODES
from annotateforge.dataset.images import ImageFilter, ImageProblem
from annotateforge.runtime.errors import FieldViolation, InvalidArgument
from annotateforge.runtime.ids import parse_id
from annotateforge.runtime.texts import text_defect

_SIDES = (1, 2, 3)
_TYPES = {number: kind for kind, number in TYPE_CODES.items()}


def read_filter(request: api.ListImagesRequest) -> ImageFilter:
    """The filter of a request whose texts are checked. InvalidArgument INVALID_FILTER, INVALID_ID."""
    kind = _TYPES.get(request.annotation_type)
    if request.annotation_type and kind is None:
        raise _wrong("annotation_type", "must be circle, box, rectangle or polygon; leave it out for all")
    if request.side and request.side not in _SIDES:
        raise _wrong("side", "must be train, val or test; leave it out for all")
    if request.side and not request.dataset_id:
        raise _wrong("dataset_id", "must name the data set whose split is meant by side")
    try:
        problem = ImageProblem(request.problem) if request.problem else None
    except ValueError:
        known = ", ".join(each.name.lower() for each in ImageProblem)
        raise _wrong("problem", f"must be one of {known}; leave it out for all") from None
    return ImageFilter(
        class_label=request.class_label or None,
        annotated=request.annotated if request.HasField("annotated") else None,
        filename_contains=request.filename_contains or None,
        annotation_type=kind,
        dataset_id=parse_id(request.dataset_id, "dataset_id") if request.dataset_id else None,
        side=request.side or None,
        unlabelled=request.unlabelled if request.HasField("unlabelled") else None,
        problem=problem,
        reviewed=request.reviewed if request.HasField("reviewed") else None,
    )


def _wrong(field: str, description: str) -> InvalidArgument:
    return InvalidArgument.of_field("INVALID_FILTER", field, description)


def check_texts(reason: str, *texts: tuple[str, str, int]) -> None:
    """Check texts, each given as field, text and longest length; empty ones are right."""
    violations = [
        FieldViolation(field, wrong)
        for field, text, longest in texts
        if (wrong := text_defect(text, longest))
    ]
    if violations:
        raise InvalidArgument.of_fields(reason, violations)
