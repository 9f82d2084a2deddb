"""Handlers of images and their annotations."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import grpc

from annotateforge.api.content.v1.content_pb2 import ContentInfo
from annotateforge.api.dataset.v1 import annotation_pb2
from annotateforge.api.dataset.v1 import dataset_service_pb2 as api
from annotateforge.dataset.annotations import LONGEST_LABEL, MOST_PER_IMAGE, Annotation, defects
from annotateforge.dataset.drawn_thumbnails import DrawnThumbnails
from annotateforge.dataset.images import LONGEST_CLASS, LONGEST_FILENAME, LONGEST_GROUP, clean_filename
from annotateforge.dataset.inspector import Inspector
from annotateforge.dataset.rpc.image_filter import check_texts, read_filter
from annotateforge.dataset.rpc.messages import (
    annotation_message,
    image_message,
    problem_message,
    read_annotation,
)
from annotateforge.dataset.rpc.streams import chunk_of, messages, unexpected_part
from annotateforge.dataset.store import images as store
from annotateforge.dataset.store.image_lists import list_images
from annotateforge.dataset.store.projects import get_project
from annotateforge.dataset.thumbnails import DEFAULT_SIZE, LARGEST, SMALLEST, thumbnail_etag
from annotateforge.dataset.uploads import MOST_VIOLATIONS, UploadedFile, Uploader
from annotateforge.runtime.blob_sweep import BlobSweep
from annotateforge.runtime.blobs import BlobStore
from annotateforge.runtime.database import Pool
from annotateforge.runtime.errors import FieldViolation, InvalidArgument
from annotateforge.runtime.ids import parse_id
from annotateforge.runtime.paging import read_page
from annotateforge.runtime.ranges import requested_range
from annotateforge.runtime.wire import gets_content

Context = grpc.aio.ServicerContext[Any, Any]
UploadPart = api.UploadImagesRequest | memoryview
"""A message, or what its chunk holds."""

_MOST_DELETED = 10_000
_DELETE_TIMEOUT = 120.0


class ImageHandlers:
    """UploadImages, ListImages to GetThumbnail, ListAnnotations and SetAnnotations."""

    def __init__(
        self,
        pool: Pool,
        blobs: BlobStore,
        inspector: Inspector,
        uploader: Uploader,
        sweep: BlobSweep,
        stall_seconds: float,
    ) -> None:
        self._pool = pool
        self._blobs = blobs
        self._inspector = inspector
        self._uploader = uploader
        self._sweep = sweep
        self._stall_seconds = stall_seconds
        self._thumbnails = DrawnThumbnails(pool, blobs, inspector)

    @gets_content(api.UploadImagesRequest, "chunk")
    async def UploadImages(
        self, request_iterator: AsyncIterator[UploadPart], context: Context
    ) -> api.UploadImagesResponse:
        parts = messages(request_iterator, self._stall_seconds)
        first = await anext(parts, None)
        if not isinstance(first, api.UploadImagesRequest) or first.WhichOneof("part") != "header":
            raise unexpected_part("a header must come first")
        project_id = parse_id(first.header.project_id, "header.project_id")
        async with self._pool.acquire() as connection:
            await get_project(connection, project_id)
        files = _files(first.header, parts, self._inspector.limits.size_bytes)
        uploaded = await self._uploader.upload(project_id, files)
        return api.UploadImagesResponse(
            images=map(image_message, uploaded.images), problems=map(problem_message, uploaded.problems)
        )

    async def ListImages(self, request: api.ListImagesRequest, context: Context) -> api.ListImagesResponse:
        project_id = parse_id(request.project_id, "project_id")
        page = read_page(request.page_size, request.page_token, (str,))
        check_texts(
            "INVALID_FILTER",
            ("class_label", request.class_label, LONGEST_LABEL),
            ("filename_contains", request.filename_contains, LONGEST_FILENAME),
        )
        chosen = read_filter(request)
        async with self._pool.acquire() as connection:
            await get_project(connection, project_id)
            found = await list_images(
                connection,
                project_id,
                chosen,
                after=page.cursor[0] if page.cursor else None,
                limit=page.limit,
            )
        images, next_page_token = page.cut(found, lambda image: (image.filename,))
        return api.ListImagesResponse(images=map(image_message, images), next_page_token=next_page_token)

    async def GetImage(self, request: api.GetImageRequest, context: Context) -> api.GetImageResponse:
        image_id = parse_id(request.image_id, "image_id")
        async with self._pool.acquire() as connection:
            image = await store.get_image(connection, image_id)
        return api.GetImageResponse(image=image_message(image))

    async def UpdateImage(self, request: api.UpdateImageRequest, context: Context) -> api.UpdateImageResponse:
        image_id = parse_id(request.image_id, "image_id")
        image_class = request.image_class if request.HasField("image_class") else None
        group = request.group if request.HasField("group") else None
        check_texts(
            "INVALID_IMAGE",
            ("image_class", image_class or "", LONGEST_CLASS),
            ("group", group or "", LONGEST_GROUP),
        )
        reviewed = request.reviewed if request.HasField("reviewed") else None
        async with self._pool.acquire() as connection, connection.transaction():
            image = await store.update_image(connection, image_id, image_class, group, reviewed)
        return api.UpdateImageResponse(image=image_message(image))

    async def DeleteImage(self, request: api.DeleteImageRequest, context: Context) -> api.DeleteImageResponse:
        image_id = parse_id(request.image_id, "image_id")
        async with self._pool.acquire() as connection, connection.transaction():
            await store.delete_image(connection, image_id)
        self._sweep.wake()
        return api.DeleteImageResponse()

    async def DeleteImages(
        self, request: api.DeleteImagesRequest, context: Context
    ) -> api.DeleteImagesResponse:
        project_id = parse_id(request.project_id, "project_id")
        if not 1 <= len(request.image_ids) <= _MOST_DELETED:
            raise InvalidArgument.of_field(
                "INVALID_ID", "image_ids", f"must name 1 to {_MOST_DELETED:,} images"
            )
        image_ids = [parse_id(text, f"image_ids[{number}]") for number, text in enumerate(request.image_ids)]
        async with self._pool.acquire() as connection, connection.transaction():
            deleted = await store.delete_images(connection, project_id, image_ids, _DELETE_TIMEOUT)
        self._sweep.wake()
        return api.DeleteImagesResponse(deleted_count=deleted)

    async def DownloadImage(
        self, request: api.DownloadImageRequest, context: Context
    ) -> AsyncIterator[api.DownloadImageResponse]:
        image_id = parse_id(request.image_id, "image_id")
        async with self._pool.acquire() as connection:
            image = await store.get_image(connection, image_id)
        facts = image.facts
        part = requested_range(request.offset, request.length, facts.size_bytes)
        digest = facts.sha256.hex()
        yield api.DownloadImageResponse(
            info=ContentInfo(
                content_type=facts.format.media_type,
                filename=image.filename.rsplit("/", 1)[-1],
                total_size=facts.size_bytes,
                etag=digest,
                offset=part.offset,
                length=part.length,
            )
        )
        if part.length:
            async for chunk in self._blobs.stream(digest, part.offset, part.length):
                yield api.DownloadImageResponse(chunk=chunk)

    async def GetThumbnail(
        self, request: api.GetThumbnailRequest, context: Context
    ) -> AsyncIterator[api.GetThumbnailResponse]:
        image_id = parse_id(request.image_id, "image_id")
        size = request.size or DEFAULT_SIZE
        if not SMALLEST <= size <= LARGEST:
            raise InvalidArgument.of_field(
                "INVALID_SIZE",
                "size",
                f"must be {SMALLEST} to {LARGEST} pixels; leave it out for {DEFAULT_SIZE}",
            )
        async with self._pool.acquire() as connection:
            image = await store.get_image(connection, image_id)
        thumbnail = await self._thumbnails.get(image.facts, size)
        yield api.GetThumbnailResponse(
            info=ContentInfo(
                content_type="image/jpeg",
                filename=f"{image.filename.rsplit('/', 1)[-1].rsplit('.', 1)[0]}_{size}.jpg",
                total_size=len(thumbnail),
                etag=thumbnail_etag(image.facts.sha256, size),
                offset=0,
                length=len(thumbnail),
            )
        )
        # At most a few hundred KiB, which is one message.
        yield api.GetThumbnailResponse(chunk=thumbnail)

    async def ListAnnotations(
        self, request: api.ListAnnotationsRequest, context: Context
    ) -> api.ListAnnotationsResponse:
        image_id = parse_id(request.image_id, "image_id")
        async with self._pool.acquire() as connection:
            annotations = await store.list_annotations(connection, image_id)
        return api.ListAnnotationsResponse(annotations=map(annotation_message, annotations))

    async def SetAnnotations(
        self, request: api.SetAnnotationsRequest, context: Context
    ) -> api.SetAnnotationsResponse:
        image_id = parse_id(request.image_id, "image_id")
        sent = _annotations(request.annotations)
        async with self._pool.acquire() as connection, connection.transaction():
            annotations = await store.replace_annotations(connection, image_id, sent)
        return api.SetAnnotationsResponse(annotations=map(annotation_message, annotations))


async def _files(
    header: api.UploadImagesHeader, parts: AsyncIterator[UploadPart], most_bytes: int
) -> AsyncIterator[tuple[UploadedFile, bytes]]:
    """The images of a stream. Of one that is too large only as much is kept as shows that it is."""
    project_id = header.project_id
    file = _uploaded_file(header)
    content = bytearray()
    async for part in parts:
        if (chunk := chunk_of(part)) is not None:
            if len(content) <= most_bytes:
                content += chunk
        elif isinstance(part, api.UploadImagesRequest) and part.WhichOneof("part") == "header":
            yield file, bytes(content)
            if part.header.project_id != project_id:
                raise InvalidArgument.of_field(
                    "INVALID_UPLOAD", "header.project_id", "must be the same in every header of a stream"
                )
            file, content = _uploaded_file(part.header), bytearray()
        else:
            raise unexpected_part("each message must be a header or a chunk")
    yield file, bytes(content)


def _uploaded_file(header: api.UploadImagesHeader) -> UploadedFile:
    try:
        filename = clean_filename(header.filename)
    except ValueError as error:
        raise InvalidArgument.of_field("INVALID_FILENAME", "header.filename", str(error)) from error
    check_texts(
        "INVALID_IMAGE",
        ("header.image_class", header.image_class, LONGEST_CLASS),
        ("header.group", header.group, LONGEST_GROUP),
    )
    return UploadedFile(filename, header.image_class, header.group)


def _annotations(sent: Sequence[annotation_pb2.Annotation]) -> list[Annotation]:
    if len(sent) > MOST_PER_IMAGE:
        raise InvalidArgument.of_field(
            "INVALID_ANNOTATIONS",
            "annotations",
            f"must be at most {MOST_PER_IMAGE:,}, and there are {len(sent):,}",
        )
    annotations = [read_annotation(message) for message in sent]
    violations = []
    for violation in _violations(annotations):
        violations.append(violation)
        if len(violations) == MOST_VIOLATIONS:
            break
    if violations:
        raise InvalidArgument.of_fields("INVALID_ANNOTATIONS", violations)
    return [annotation for annotation in annotations if annotation is not None]


def _violations(annotations: Sequence[Annotation | None]) -> Iterator[FieldViolation]:
    for index, annotation in enumerate(annotations):
        place = f"annotations[{index}]"
        if annotation is None:
            yield FieldViolation(f"{place}.shape", "is required: circle, box, rectangle or polygon")
            continue
        for path, description in defects(annotation):
            yield FieldViolation(f"{place}.{path}", description)
