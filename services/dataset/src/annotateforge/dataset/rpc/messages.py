"""Converts between what the domain holds and the API's messages: projects, images, annotations, problems."""

from collections.abc import Iterable
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from annotateforge.api.dataset.v1 import annotation_pb2, image_pb2, problem_pb2, project_pb2
from annotateforge.dataset.annotations import Annotation, AnnotationType
from annotateforge.dataset.images import Image, ImageFormat
from annotateforge.dataset.imports.importing import ImportReport
from annotateforge.dataset.problems import Problem, Severity
from annotateforge.dataset.projects import Project, ProjectStats

_FORMATS = {
    ImageFormat.JPEG: image_pb2.IMAGE_FORMAT_JPEG,
    ImageFormat.PNG: image_pb2.IMAGE_FORMAT_PNG,
    ImageFormat.BMP: image_pb2.IMAGE_FORMAT_BMP,
    ImageFormat.TIFF: image_pb2.IMAGE_FORMAT_TIFF,
    ImageFormat.WEBP: image_pb2.IMAGE_FORMAT_WEBP,
}
_SEVERITIES = {
    Severity.INFO: problem_pb2.SEVERITY_INFO,
    Severity.WARNING: problem_pb2.SEVERITY_WARNING,
    Severity.ERROR: problem_pb2.SEVERITY_ERROR,
}


def timestamp(moment: datetime) -> Timestamp:
    """A time as protobuf writes it."""
    message = Timestamp()
    message.FromDatetime(moment)
    return message


def project_message(project: Project) -> project_pb2.Project:
    """A project as the API shows it."""
    return project_pb2.Project(
        id=str(project.id),
        name=project.name,
        description=project.description,
        create_time=timestamp(project.create_time),
        update_time=timestamp(project.update_time),
        image_count=project.image_count,
        annotation_count=project.annotation_count,
    )


def stats_message(stats: ProjectStats) -> project_pb2.ProjectStats:
    """A project's counts as the API shows them."""
    return project_pb2.ProjectStats(
        image_count=stats.image_count,
        annotated_image_count=stats.annotated_image_count,
        classified_image_count=stats.classified_image_count,
        reviewed_image_count=stats.reviewed_image_count,
        annotation_count=stats.annotation_count,
        size_bytes=stats.size_bytes,
        classes=[
            project_pb2.ClassStats(
                class_label=each.class_label,
                image_count=each.image_count,
                classified_image_count=each.classified_image_count,
                circle_count=each.circle_count,
                box_count=each.box_count,
                rectangle_count=each.rectangle_count,
                polygon_count=each.polygon_count,
                mean_width=each.mean_width,
                mean_height=each.mean_height,
                shortest_side=each.shortest_side,
                longest_side=each.longest_side,
            )
            for each in stats.classes
        ],
        box_sizes=[
            project_pb2.BoxSizeCount(
                min_width=each.min_width, min_height=each.min_height, annotation_count=each.annotation_count
            )
            for each in stats.box_sizes
        ],
        box_areas=[
            project_pb2.BoxAreaCount(min_share=each.min_share, annotation_count=each.annotation_count)
            for each in stats.box_areas
        ],
        image_sizes=[
            project_pb2.ImageSizeCount(width=each.width, height=each.height, image_count=each.image_count)
            for each in stats.image_sizes
        ],
    )


def image_message(image: Image) -> image_pb2.Image:
    """An image as the API shows it."""
    facts = image.facts
    return image_pb2.Image(
        id=str(image.id),
        project_id=str(image.project_id),
        filename=image.filename,
        sha256=facts.sha256.hex(),
        crc32=facts.crc32,
        size_bytes=facts.size_bytes,
        format=_FORMATS[facts.format],
        width=facts.width,
        height=facts.height,
        image_class=image.image_class,
        group=image.group,
        annotation_count=image.annotation_count,
        create_time=timestamp(image.create_time),
        reviewed=image.reviewed,
    )


def annotation_message(annotation: Annotation) -> annotation_pb2.Annotation:
    """An annotation as the API shows it."""
    message = annotation_pb2.Annotation(
        id=str(annotation.id) if annotation.id else "",
        class_label=annotation.class_label,
        confidence=annotation.confidence,
        source=annotation.source,
    )
    values = annotation.coordinates
    match annotation.type:
        case AnnotationType.CIRCLE:
            message.circle.CopyFrom(annotation_pb2.Circle(x=values[0], y=values[1], radius=values[2]))
        case AnnotationType.BOX:
            x_min, y_min, x_max, y_max = values
            message.box.CopyFrom(annotation_pb2.Box(x_min=x_min, y_min=y_min, x_max=x_max, y_max=y_max))
        case AnnotationType.RECTANGLE:
            message.rectangle.corners.extend(_points(values))
        case AnnotationType.POLYGON:
            message.polygon.points.extend(_points(values))
    return message


def read_annotation(message: annotation_pb2.Annotation) -> Annotation | None:
    """An annotation as a caller sent it, not checked yet; None when it has no shape."""
    kind: AnnotationType
    values: tuple[float, ...]
    match message.WhichOneof("shape"):
        case "circle":
            circle = message.circle
            kind, values = AnnotationType.CIRCLE, (circle.x, circle.y, circle.radius)
        case "box":
            box = message.box
            kind, values = AnnotationType.BOX, (box.x_min, box.y_min, box.x_max, box.y_max)
        case "rectangle":
            kind, values = AnnotationType.RECTANGLE, _values(message.rectangle.corners)
        case "polygon":
            kind, values = AnnotationType.POLYGON, _values(message.polygon.points)
        case _:
            return None
    confidence = message.confidence if message.HasField("confidence") else None
    return Annotation(kind, values, message.class_label, confidence, message.source)


def problem_message(problem: Problem) -> problem_pb2.Problem:
    """A problem as the API shows it."""
    return problem_pb2.Problem(
        severity=_SEVERITIES[problem.severity],
        reason=problem.reason,
        file=problem.file,
        line=problem.line,
        message=problem.message,
        hint=problem.hint,
        path=problem.path,
    )


def report_message(report: ImportReport) -> problem_pb2.ImportReport:
    """An import's report as the API shows it."""
    return problem_pb2.ImportReport(
        format=report.format,
        images_added=report.images_added,
        images_skipped=report.images_skipped,
        annotations_added=report.annotations_added,
        classes=report.classes,
        problems=map(problem_message, report.problems),
        problems_omitted=report.problems_omitted,
        class_counts=[
            problem_pb2.ImportedClass(
                class_label=each.class_label,
                classified_image_count=each.images,
                circle_count=each.shapes[AnnotationType.CIRCLE],
                box_count=each.shapes[AnnotationType.BOX],
                rectangle_count=each.shapes[AnnotationType.RECTANGLE],
                polygon_count=each.shapes[AnnotationType.POLYGON],
            )
            for each in report.class_counts
        ],
        problem_counts=[
            problem_pb2.ProblemCount(
                severity=_SEVERITIES[each.severity], reason=each.reason, count=each.count
            )
            for each in report.problem_counts
        ],
    )


def _points(values: tuple[float, ...]) -> Iterable[annotation_pb2.Point]:
    return (annotation_pb2.Point(x=x, y=y) for x, y in zip(values[::2], values[1::2], strict=True))


def _values(points: Iterable[annotation_pb2.Point]) -> tuple[float, ...]:
    return tuple(value for point in points for value in (point.x, point.y))
