"""Images and their annotations over gRPC."""

import hashlib
import io
import math
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from PIL import Image as Pillow

from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.api.dataset.v1.annotation_pb2 import (
    Annotation,
    Box,
    Circle,
    Point,
    Polygon,
    Rectangle,
)
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.api.dataset.v1.image_pb2 import (
    IMAGE_FORMAT_BMP,
    IMAGE_FORMAT_JPEG,
    IMAGE_FORMAT_PNG,
    IMAGE_FORMAT_TIFF,
    IMAGE_FORMAT_WEBP,
)
from annotateforge.runtime.errors import Code
from tests.integration.dataset.calls import (
    Sent,
    all_images,
    downloaded,
    new_project,
    reasons,
    refusal,
    upload,
)
from tests.unit.dataset.archives import HEIC, encoded, png

ROTATED = Pillow.Exif()
ROTATED[0x0112] = 6

AVIF = b"\0\0\0\x1cftypavif" + bytes(50)


async def test_an_upload_records_what_follows_from_the_bytes(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)
    content = encoded("JPEG", 40, 30, exif=ROTATED)
    response = await upload(editor, project_id, [Sent("day 1/ä.jpg", content, "good", "patient 7")])
    (image,) = response.images
    assert not response.problems
    assert image.filename == "day 1/ä.jpg"
    assert image.sha256 == hashlib.sha256(content).hexdigest()
    assert image.crc32 == zlib.crc32(content)
    assert image.size_bytes == len(content)
    assert image.format == IMAGE_FORMAT_JPEG
    assert (image.width, image.height) == (30, 40), "the EXIF orientation is applied"
    assert (image.image_class, image.group, image.annotation_count) == ("good", "patient 7", 0)
    read = (await editor.GetImage(api.GetImageRequest(image_id=image.id))).image
    assert read == image


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("JPEG", IMAGE_FORMAT_JPEG),
        ("PNG", IMAGE_FORMAT_PNG),
        ("BMP", IMAGE_FORMAT_BMP),
        ("TIFF", IMAGE_FORMAT_TIFF),
        ("WEBP", IMAGE_FORMAT_WEBP),
    ],
)
async def test_formats_are_told_by_the_bytes_and_not_by_the_name(
    editor: DatasetServiceStub, kind: str, expected: int
) -> None:
    project_id = await new_project(editor)
    (image,) = (await upload(editor, project_id, [Sent("photo.gif", encoded(kind, 20, 10))])).images
    assert (image.format, image.width, image.height) == (expected, 20, 10)


async def test_files_that_cannot_be_taken_are_reported_and_the_others_land(
    editor: DatasetServiceStub,
) -> None:
    project_id = await new_project(editor)
    response = await upload(
        editor,
        project_id,
        [
            Sent("good.png", png()),
            Sent("cut.jpg", encoded("JPEG", 300, 200)[:-200]),
            Sent("modern.avif", AVIF),
            Sent("empty.png", b""),
            Sent("notes.png", b"these are no pixels"),
            Sent("better.bmp", encoded("BMP")),
        ],
    )
    assert [image.filename for image in response.images] == ["good.png", "better.bmp"]
    assert {problem.file: problem.reason for problem in response.problems} == {
        "cut.jpg": "IMAGE_UNREADABLE",
        "modern.avif": "IMAGE_FORMAT_UNSUPPORTED",
        "empty.png": "IMAGE_EMPTY",
        "notes.png": "IMAGE_UNREADABLE",
    }
    assert all(problem.message and problem.hint for problem in response.problems)


async def test_an_upload_of_which_nothing_can_be_taken_is_an_error(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)
    error = await refusal(upload(editor, project_id, [Sent("a.avif", AVIF)]))
    assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "IMAGE_FORMAT_UNSUPPORTED")
    assert [violation.field for violation in error.violations] == ["a.avif"]
    error = await refusal(upload(editor, project_id, [Sent("a.avif", AVIF), Sent("b.png", b"x")]))
    assert error.reason == "NO_IMAGE_TAKEN"
    assert await all_images(editor, project_id) == []


async def test_gif_and_heic_are_converted_and_said_to_be(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)
    sent = [Sent("a.gif", encoded("GIF", 20, 10)), Sent("b.HEIC", HEIC)]
    response = await upload(editor, project_id, sent)
    gif, heic = response.images
    assert (gif.format, gif.width, gif.height) == (IMAGE_FORMAT_PNG, 20, 10)
    assert (heic.format, heic.width, heic.height) == (IMAGE_FORMAT_JPEG, 64, 48)
    assert reasons(response.problems) == ["IMAGE_CONVERTED"] * 2
    again = await upload(editor, project_id, sent)
    assert not again.images
    assert reasons(again.problems) == ["IMAGE_EXISTS"] * 2


async def test_sending_an_upload_again_adds_nothing(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)
    images = [Sent(f"{n}.png", png()) for n in range(3)]
    await upload(editor, project_id, images)
    again = await upload(editor, project_id, images)
    assert not again.images
    assert reasons(again.problems) == ["IMAGE_EXISTS"] * 3
    other = await upload(editor, project_id, [Sent("0.png", png()), Sent("3.png", png())])
    assert [image.filename for image in other.images] == ["3.png"]
    assert reasons(other.problems) == ["IMAGE_NAME_TAKEN"]
    assert len(await all_images(editor, project_id)) == 4


async def test_an_upload_that_breaks_off_leaves_nothing(
    editor: DatasetServiceStub,
    stored: Callable[[], set[str]],
    eventually: Callable[[Callable[[], bool]], Awaitable[None]],
) -> None:
    project_id = await new_project(editor)
    error = await refusal(
        upload(editor, project_id, [Sent("a.png", png()), Sent("../b.png", png()), Sent("c.png", png())])
    )
    assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "INVALID_FILENAME")
    assert await all_images(editor, project_id) == []
    await editor.DeleteProject(api.DeleteProjectRequest(project_id=project_id))
    await eventually(lambda: not stored())


@pytest.mark.parametrize("filename", ["", "/etc/passwd", "a/../../b.png", "C:\\x.png", "a\0.png", "x" * 1001])
async def test_file_names_that_lead_elsewhere_are_refused(editor: DatasetServiceStub, filename: str) -> None:
    project_id = await new_project(editor)
    error = await refusal(upload(editor, project_id, [Sent(filename, png())]))
    assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "INVALID_FILENAME")
    assert [violation.field for violation in error.violations] == ["header.filename"]


async def test_an_upload_into_no_project_is_refused_before_its_bytes(editor: DatasetServiceStub) -> None:
    unknown = "01890a5d-ac96-774b-bcce-b302099a8057"
    error = await refusal(upload(editor, unknown, [Sent("a.png", png())]))
    assert (error.code, error.reason) == (Code.NOT_FOUND, "PROJECT_NOT_FOUND")


async def test_images_come_in_pieces_of_which_some_have_fields_of_a_later_version(
    editor: DatasetServiceStub,
) -> None:
    project_id = await new_project(editor)
    content = png()

    async def parts() -> AsyncIterator[api.UploadImagesRequest]:
        header = api.UploadImagesHeader(project_id=project_id, filename="a.png")
        yield api.UploadImagesRequest(header=header)
        for piece, more in ((content[:7], b""), (content[7:20], b"\x98\x06\x01"), (content[20:], b"")):
            part = api.UploadImagesRequest(chunk=piece).SerializeToString() + more
            yield api.UploadImagesRequest.FromString(part)

    (image,) = (await editor.UploadImages(parts())).images
    assert image.sha256 == hashlib.sha256(content).hexdigest()


async def test_a_message_without_a_part_is_refused(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)

    async def parts() -> AsyncIterator[api.UploadImagesRequest]:
        header = api.UploadImagesHeader(project_id=project_id, filename="a.png")
        yield api.UploadImagesRequest(header=header)
        yield api.UploadImagesRequest()

    error = await refusal(editor.UploadImages(parts()))
    assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "UNEXPECTED_PART")


async def test_a_chunk_before_any_header_is_refused(editor: DatasetServiceStub) -> None:
    async def parts() -> AsyncIterator[api.UploadImagesRequest]:
        yield api.UploadImagesRequest(chunk=b"x")

    error = await refusal(editor.UploadImages(parts()))
    assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "UNEXPECTED_PART")


async def test_images_are_listed_by_name_page_by_page_and_filtered(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)
    names = [f"{n:02}_100%_{'Left' if n % 2 else 'right'}.png" for n in range(11)]
    images = (
        await upload(
            editor,
            project_id,
            [Sent(name, png(), "good" if n < 3 else "") for n, name in enumerate(names)][::-1],
        )
    ).images
    by_name = {image.filename: image for image in images}
    await editor.SetAnnotations(
        api.SetAnnotationsRequest(
            image_id=by_name[names[5]].id,
            annotations=[Annotation(class_label="good", circle=Circle(x=1, y=1, radius=1))],
        )
    )
    seen = []
    token = ""
    for _ in range(3):
        page = await editor.ListImages(
            api.ListImagesRequest(project_id=project_id, page_size=4, page_token=token)
        )
        seen += [image.filename for image in page.images]
        token = page.next_page_token
    assert token == ""
    assert seen == names

    async def found(**filters: object) -> list[str]:
        return [image.filename for image in await all_images(editor, project_id, **filters)]

    assert await found(class_label="good") == [*names[:3], names[5]]
    assert await found(annotated=True) == [names[5]]
    assert await found(annotated=False) == [name for name in names if name != names[5]]
    assert await found(filename_contains="LEFT") == [name for name in names if "Left" in name]
    assert await found(filename_contains="100%_l") == [name for name in names if "Left" in name]
    assert await found(filename_contains="100__l") == []
    assert await found(class_label="nobody's") == []


async def test_class_and_group_of_an_image_can_be_changed_one_by_one(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)
    (image,) = (await upload(editor, project_id, [Sent("a.png", png(), "good", "g")])).images
    changed = (await editor.UpdateImage(api.UpdateImageRequest(image_id=image.id, image_class=""))).image
    assert (changed.image_class, changed.group) == ("", "g")
    changed = (await editor.UpdateImage(api.UpdateImageRequest(image_id=image.id, group="h"))).image
    assert (changed.image_class, changed.group) == ("", "h")
    error = await refusal(
        editor.UpdateImage(api.UpdateImageRequest(image_id=image.id, image_class="x" * 201, group="a\0"))
    )
    assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "INVALID_IMAGE")
    assert [violation.field for violation in error.violations] == ["image_class", "group"]


async def test_any_range_of_an_image_comes_as_it_is(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)
    content = encoded("BMP", 500, 400)
    (image,) = (await upload(editor, project_id, [Sent("in/a.bmp", content)])).images
    info, whole = await downloaded(editor.DownloadImage(api.DownloadImageRequest(image_id=image.id)))
    assert whole == content
    assert (info.content_type, info.filename, info.etag) == ("image/bmp", "a.bmp", image.sha256)
    assert (info.total_size, info.offset, info.length) == (len(content), 0, len(content))
    for offset, length in ((1, 0), (599_999, 7), (100, 500_000), (len(content) - 1, 10)):
        info, part = await downloaded(
            editor.DownloadImage(api.DownloadImageRequest(image_id=image.id, offset=offset, length=length))
        )
        assert part == content[offset : offset + length if length else None]
        assert (info.total_size, info.offset, info.length) == (len(content), offset, len(part))

    async def drained(request: api.DownloadImageRequest) -> None:
        await downloaded(editor.DownloadImage(request))

    error = await refusal(drained(api.DownloadImageRequest(image_id=image.id, offset=len(content))))
    assert (error.code, error.reason) == (Code.OUT_OF_RANGE, "OFFSET_BEYOND_END")
    error = await refusal(drained(api.DownloadImageRequest(image_id=image.id, offset=-1)))
    assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "INVALID_RANGE")


async def test_a_thumbnail_is_a_small_upright_jpeg(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)
    picture = Pillow.new("RGB", (400, 200), "blue")
    picture.paste("red", (0, 0, 100, 200))
    target = io.BytesIO()
    picture.save(target, "JPEG", exif=ROTATED)
    (image,) = (await upload(editor, project_id, [Sent("a.jpg", target.getvalue())])).images
    info, content = await downloaded(editor.GetThumbnail(api.GetThumbnailRequest(image_id=image.id, size=64)))
    small = Pillow.open(io.BytesIO(content))
    assert (small.format, small.size) == ("JPEG", (32, 64))
    red, _, blue = small.convert("RGB").getpixel((16, 4))  # type: ignore[misc]  # a colour
    assert red > 150 > blue, "orientation 6 turns the left edge up"
    assert info.content_type == "image/jpeg"
    other, _ = await downloaded(editor.GetThumbnail(api.GetThumbnailRequest(image_id=image.id)))
    assert other.etag != info.etag

    async def drained(size: int) -> None:
        await downloaded(editor.GetThumbnail(api.GetThumbnailRequest(image_id=image.id, size=size)))

    for size in (15, 1025, -1):
        error = await refusal(drained(size))
        assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "INVALID_SIZE")


async def test_annotations_come_back_as_they_were_set_in_their_order(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)
    (image,) = (await upload(editor, project_id, [Sent("a.png", png())])).images
    sent = [
        Annotation(class_label="cell", circle=Circle(x=1.25, y=-2, radius=0.1), source="manual"),
        Annotation(box=Box(x_min=-1, y_min=0, x_max=1e6, y_max=1 / 3), confidence=0.0),
        Annotation(
            class_label="cell",
            rectangle=Rectangle(corners=[Point(x=x, y=y) for x, y in ((0, 1), (2, 0), (3, 2), (1, 3))]),
            confidence=1.0,
        ),
        Annotation(
            class_label="Zelle 細胞", polygon=Polygon(points=[Point(x=n, y=n * n) for n in range(50)])
        ),
    ]
    request = api.SetAnnotationsRequest(image_id=image.id, annotations=sent)
    answered = (await editor.SetAnnotations(request)).annotations
    listed = (await editor.ListAnnotations(api.ListAnnotationsRequest(image_id=image.id))).annotations
    assert list(answered) == list(listed)
    assert len({annotation.id for annotation in listed}) == 4
    for annotation in listed:
        annotation.ClearField("id")
    assert list(listed) == sent
    await editor.SetAnnotations(api.SetAnnotationsRequest(image_id=image.id))
    listed = (await editor.ListAnnotations(api.ListAnnotationsRequest(image_id=image.id))).annotations
    assert not listed


POINTS = [Point(x=0, y=0), Point(x=1, y=0), Point(x=1, y=1)]


@pytest.mark.parametrize(
    ("annotation", "field"),
    [
        (Annotation(), "annotations[1].shape"),
        (Annotation(circle=Circle(x=1, y=1, radius=0)), "annotations[1].circle.radius"),
        (Annotation(circle=Circle(x=1, y=1, radius=-3)), "annotations[1].circle.radius"),
        (Annotation(circle=Circle(x=math.nan, y=1, radius=1)), "annotations[1].circle.x"),
        (Annotation(circle=Circle(x=1, y=math.inf, radius=1)), "annotations[1].circle.y"),
        (Annotation(circle=Circle(x=1, y=1e300, radius=1)), "annotations[1].circle.y"),
        (Annotation(box=Box(x_min=3, y_min=0, x_max=3, y_max=1)), "annotations[1].box.x_max"),
        (Annotation(box=Box(x_min=0, y_min=2, x_max=3, y_max=1)), "annotations[1].box.y_max"),
        (Annotation(box=Box(x_min=math.nan, y_min=0, x_max=3, y_max=1)), "annotations[1].box.x_min"),
        (Annotation(rectangle=Rectangle(corners=POINTS)), "annotations[1].rectangle.corners"),
        (Annotation(polygon=Polygon(points=POINTS[:2])), "annotations[1].polygon.points"),
        (
            Annotation(polygon=Polygon(points=[*POINTS, Point(x=1, y=math.nan)])),
            "annotations[1].polygon.points[3].y",
        ),
        (Annotation(polygon=Polygon(points=POINTS * 3334)), "annotations[1].polygon.points"),
        (Annotation(polygon=Polygon(points=POINTS), class_label="x" * 201), "annotations[1].class_label"),
        (Annotation(polygon=Polygon(points=POINTS), class_label="a\0"), "annotations[1].class_label"),
        (Annotation(polygon=Polygon(points=POINTS), source="x" * 201), "annotations[1].source"),
        (Annotation(polygon=Polygon(points=POINTS), confidence=1.5), "annotations[1].confidence"),
        (Annotation(polygon=Polygon(points=POINTS), confidence=math.nan), "annotations[1].confidence"),
    ],
)
async def test_wrong_annotations_are_refused_by_field_and_change_nothing(
    editor: DatasetServiceStub, annotation: Annotation, field: str
) -> None:
    project_id = await new_project(editor)
    (image,) = (await upload(editor, project_id, [Sent("a.png", png())])).images
    good = Annotation(circle=Circle(x=1, y=1, radius=1))
    await editor.SetAnnotations(api.SetAnnotationsRequest(image_id=image.id, annotations=[good]))
    error = await refusal(
        editor.SetAnnotations(
            api.SetAnnotationsRequest(image_id=image.id, annotations=[good, annotation, good])
        )
    )
    assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "INVALID_ANNOTATIONS")
    assert [violation.field for violation in error.violations] == [field]
    listed = (await editor.ListAnnotations(api.ListAnnotationsRequest(image_id=image.id))).annotations
    assert len(listed) == 1


async def test_more_annotations_than_an_image_may_have_are_refused(editor: DatasetServiceStub) -> None:
    project_id = await new_project(editor)
    (image,) = (await upload(editor, project_id, [Sent("a.png", png())])).images
    circle = Annotation(circle=Circle(x=1, y=1, radius=1))
    request = api.SetAnnotationsRequest(image_id=image.id, annotations=[circle] * 10_000)
    assert len((await editor.SetAnnotations(request)).annotations) == 10_000
    request.annotations.append(circle)
    error = await refusal(editor.SetAnnotations(request))
    assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "INVALID_ANNOTATIONS")


async def test_what_is_not_there_is_not_found(editor: DatasetServiceStub) -> None:
    unknown = "01890a5d-ac96-774b-bcce-b302099a8057"

    async def drained(stream: object) -> None:
        await downloaded(stream)

    for call in (
        editor.GetImage(api.GetImageRequest(image_id=unknown)),
        editor.UpdateImage(api.UpdateImageRequest(image_id=unknown, group="x")),
        editor.DeleteImage(api.DeleteImageRequest(image_id=unknown)),
        editor.ListAnnotations(api.ListAnnotationsRequest(image_id=unknown)),
        editor.SetAnnotations(api.SetAnnotationsRequest(image_id=unknown)),
        drained(editor.DownloadImage(api.DownloadImageRequest(image_id=unknown))),
        drained(editor.GetThumbnail(api.GetThumbnailRequest(image_id=unknown))),
    ):
        error = await refusal(call)
        assert (error.code, error.reason) == (Code.NOT_FOUND, "IMAGE_NOT_FOUND")
