"""Detection: which label format an archive holds, when nobody says so."""

from collections import Counter
from collections.abc import Iterator, Sequence

from annotateforge.dataset.imports.folders import Folders
from annotateforge.dataset.imports.images import PlainImages
from annotateforge.dataset.imports.json_stream import LARGEST_VALUE, JsonMalformed, JsonPath, entries
from annotateforge.dataset.imports.label_format import LabelFormat
from annotateforge.dataset.imports.report import Report
from annotateforge.dataset.imports.tree import Tree, extension, stem
from annotateforge.dataset.imports.xml_stream import XmlMalformed, xml_events
from annotateforge.runtime.errors import InvalidArgument

AUTO = "auto"
_NO_LABELS = ("readme", "license", "licence", "requirements", "changelog")
_MOST_TRIED = 50
"""Files that are read to say why no format was recognised."""
_FOREIGN_LABELS = ("json", "xml", "csv", "txt", "jsonl", "xlsx", "mat", "tfrecord")


def choose_format(
    tree: Tree, formats: Sequence[type[LabelFormat]], wanted: str, report: Report
) -> type[LabelFormat]:
    """The format to read an archive as: the wanted one, or for "auto" the one that labels most images.

    Label files count for more than folders, because annotated images often lie in folders too. What else was
    found goes to the report. InvalidArgument LABELS_NOT_FOUND when the wanted format is not there.
    """
    wanted = wanted or AUTO
    by_name = {each.name: each for each in formats}
    if wanted == PlainImages.name:
        return PlainImages
    if wanted == Folders.name and tree.images:
        return Folders
    found = {each: count for each in formats if (count := each.labelled_images(tree))}
    if wanted != AUTO:
        if by_name[wanted] not in found:
            raise InvalidArgument(
                "LABELS_NOT_FOUND",
                f"The archive holds no {by_name[wanted].title} labels."
                + (
                    f" It looks like {next(iter(found)).title}; leave the format out."
                    if found
                    else " Leave the format out to let it be found."
                ),
            )
        return by_name[wanted]
    with_label_files = {each: count for each, count in found.items() if each is not Folders}
    if with_label_files:
        # max takes the first of equals, so the order of the registry decides between them.
        chosen = max(with_label_files, key=lambda each: with_label_files[each])
        for other in with_label_files.keys() - {chosen}:
            report.inform(
                "LABELS_OF_OTHER_FORMAT",
                "",
                f"The archive also holds {other.title} labels; {chosen.title} was read.",
                f"Import it with format={other.name} into another project to have those instead.",
            )
        return chosen
    _report_foreign_labels(tree, report)
    _report_broken_files(tree, report)
    if Folders in found:
        return Folders
    return PlainImages


def _report_foreign_labels(tree: Tree, report: Report) -> None:
    foreign = Counter(
        extension(member.name)
        for member in tree.having(*_FOREIGN_LABELS)
        if not stem(member.name).lower().startswith(_NO_LABELS)
    )
    if foreign:
        listed = ", ".join(f"{count:,} .{name}" for name, count in sorted(foreign.items()))
        report.warn(
            "LABELS_NOT_RECOGNISED",
            "",
            f"The archive holds files that may be labels ({listed}), but none of a format that is read; the"
            " images came in without annotations.",
            "Convert the labels to YOLO, COCO or another format of docs/import-formats.md, or arrange the"
            " images in one folder per class.",
        )


def _report_broken_files(tree: Tree, report: Report) -> None:
    """Say of JSON and XML that cannot be read to the end why: it may be all that keeps a format from being
    recognised.
    """
    for member in tree.having("json", "xml")[:_MOST_TRIED]:
        blocks = tree.blocks(member)
        parts: Iterator[object] = (
            xml_events(blocks)
            if extension(member.name) == "xml"
            else entries(blocks, _is_near_the_top, LARGEST_VALUE)
        )
        try:
            for _ in parts:
                pass
        except (JsonMalformed, XmlMalformed) as error:
            report.warn(
                "LABEL_FILE_MALFORMED",
                member.name,
                f"{error.message} Nothing was read from the file.",
                "Export the file again.",
                line=error.line,
            )


def _is_near_the_top(path: JsonPath) -> bool:
    return len(path) < 2
