"""Listing: what the formats share whose label files name an image in every row: which image is meant, and
what is told about it once instead of in every row.
"""

from collections.abc import Callable, Mapping

from annotateforge.dataset.imports.label_format import Size
from annotateforge.dataset.imports.members import Member
from annotateforge.dataset.imports.pairing import ImagePaths
from annotateforge.dataset.imports.report import Report
from annotateforge.dataset.imports.text_lines import LineTooLong

_MOST_REMEMBERED = 200_000
"""References of one archive; a file that names more images than that has each looked up again."""


class Listing:
    """One pass over the label files of an archive."""

    def __init__(self, report: Report, paths: ImagePaths, sizes: Mapping[str, Size]) -> None:
        self._report = report
        self._paths = paths
        self._sizes = sizes
        self._found: dict[tuple[str, str], str | None] = {}
        self._checked: set[str] = set()
        self._described: set[str] = set()
        self._tallies: dict[tuple[str, str], tuple[int, int]] = {}

    def image(self, reference: str, file: str, line: int) -> str | None:
        """The path of the image that a row means; None when it cannot be told, which is reported once."""
        key = (file, reference)
        if key in self._found:
            return self._found[key]
        found = self._paths.meant(reference, file)
        path = found[0] if len(found) == 1 else None
        if path is not None:
            self._described.add(path)
        elif found:
            self._report.warn(
                "LABEL_AMBIGUOUS",
                file,
                f"Several images of the archive may be {reference[:300]!r}, such as {found[0]!r} and"
                f" {found[1]!r}; what is said of it was left out.",
                "Write the folder into the name, or give the images different names.",
                line=line,
            )
        else:
            self._report.warn(
                "IMAGE_MISSING",
                file,
                f"The image {reference[:300]!r} is not in the archive; what is said of it was left out.",
                "Add the image, or leave its labels out.",
                line=line,
            )
        if len(self._found) < _MOST_REMEMBERED:
            self._found[key] = path
        return path

    def describe(self, path: str) -> None:
        """Take note that a label file speaks of an image."""
        self._described.add(path)

    def check_size(self, image: str, stated: Size, file: str, line: int) -> None:
        """Report, once for each image, that a file states another size than the image has."""
        size = self._sizes.get(image)
        if size is None or image in self._checked:
            return
        self._checked.add(image)
        if stated != size:
            self._report.warn(
                "IMAGE_SIZE_DIFFERS",
                file,
                f"It states {stated.width} × {stated.height} pixels for {image!r}, whose upright size is"
                f" {size.width} × {size.height}. The coordinates were kept as they are written.",
                "Check that the annotations lie where they should; the image may have been scaled or turned"
                " after it was labelled.",
                line=line,
            )

    def malformed(self, file: str, line: int, message: str, hint: str) -> None:
        """Report that a row is no label."""
        self._report.warn("LABEL_MALFORMED", file, message, hint, line=line)

    def too_long(self, member: Member, error: LineTooLong) -> None:
        """Report that a file could not be read to its end."""
        self._report.warn(
            "LABEL_FILE_MALFORMED",
            member.name,
            "A line has more than 4 MiB; it and what comes after it were left out.",
            "Export the file again.",
            line=error.line,
        )

    def count(self, what: str, file: str, line: int) -> None:
        """Count what is told once for a file at the end; see `finish`."""
        number, first = self._tallies.get((file, what), (0, line))
        self._tallies[file, what] = (number + 1, first)

    def finish(self, tell: Callable[[str, str, int, int], None]) -> None:
        """Hand each count over as file, what was counted, how many, line of the first; then report images of
        which no file speaks.
        """
        for (file, what), (number, first) in self._tallies.items():
            tell(file, what, number, first)
        undescribed = self._sizes.keys() - self._described
        if undescribed:
            self._report.inform(
                "IMAGES_WITHOUT_LABELS",
                "",
                f"Images of which no label file speaks: {len(undescribed):,}, such as {min(undescribed)!r};"
                " they came in without annotations.",
                "Nothing needs to be done if nothing is to be seen on them.",
            )
