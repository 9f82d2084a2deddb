"""Pascal VOC annotations beside their images or apart from them."""

from pathlib import Path

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from annotateforge.dataset.annotations import AnnotationType
from annotateforge.dataset.imports.voc_document import VocDocument, parse_any, parse_voc, read_usual
from annotateforge.dataset.imports.xml_stream import XmlMalformed
from tests.unit.dataset.archives import Files, png, read_archive, zipped


def item(name: str = "cell", box: str = "<xmin>1</xmin><ymin>2.5</ymin><xmax>9</xmax><ymax>8</ymax>") -> str:
    return f"<object><name>{name}</name><bndbox>{box}</bndbox></object>"


def voc(*objects: str, filename: str = "a.png", size: tuple[int, int] = (100, 50)) -> str:
    return (
        f"<annotation>\n<folder>x</folder><filename>{filename}</filename><path>/home/pi/{filename}</path>"
        f"<size><width>{size[0]}</width><height>{size[1]}</height><depth></depth></size>\n"
        + "\n".join(objects)
        + "\n</annotation>"
    )


def test_numbers_are_kept_as_they_are_written(tmp_path: Path) -> None:
    read = read_archive(zipped({"a.png": png(100, 50), "a.xml": voc(item(), item("dust"))}), tmp_path)
    assert (read.format, read.classes, read.problems) == ("voc", ["cell", "dust"], [])
    first, second = read.annotations["a.png"]
    assert (first.type, first.coordinates) == (AnnotationType.BOX, (1, 2.5, 9, 8))
    assert (first.class_label, second.class_label, first.source) == ("cell", "dust", "import:voc")


@pytest.mark.parametrize(
    ("image", "label", "filename"),
    [
        ("JPEGImages/a.png", "Annotations/a.xml", "a.png"),
        ("deep/set/images/a.png", "deep/set/annotations/a.xml", "a.png"),
        ("train/a.png", "train/a.xml", "a"),
        ("a.PNG", "A.xml", "a.png"),
        ("images/a.png", "xml/1.xml", "a.png"),
        ("images/a.png", "xml/1.xml", "A.JPG"),
        ("images/a.png", "xml/1.xml", "C:\\photos\\a.png"),
        ("images/a.png", "xml/a.xml", "renamed-since.png"),
        ("images/a.png", "xml/a.xml", ""),
    ],
)
def test_images_are_found_by_name_or_by_file_name(
    image: str, label: str, filename: str, tmp_path: Path
) -> None:
    read = read_archive(zipped({image: png(100, 50), label: voc(item(), filename=filename)}), tmp_path)
    assert {path: len(found) for path, found in read.annotations.items()} == {image: 1}
    assert not read.problems


def test_masks_of_voc_are_no_images(tmp_path: Path) -> None:
    files: Files = {
        "JPEGImages/a.png": png(100, 50),
        "Annotations/a.xml": voc(item()),
        "SegmentationClass/a.png": png(100, 50),
        "SegmentationObject/a.png": png(100, 50),
    }
    read = read_archive(zipped(files), tmp_path)
    assert list(read.images) == ["JPEGImages/a.png"]
    assert read.count == 1


def test_boxes_of_parts_are_not_those_of_the_object(tmp_path: Path) -> None:
    person = (
        "<object><name>person</name><part><name>head</name>"
        "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part>"
        "<bndbox><xmin>3</xmin><ymin>3</ymin><xmax>4</xmax><ymax>4</ymax></bndbox></object>"
    )
    read = read_archive(zipped({"a.png": png(100, 50), "a.xml": voc(person)}), tmp_path)
    (annotation,) = read.annotations["a.png"]
    assert (annotation.class_label, annotation.coordinates) == ("person", (3, 3, 4, 4))


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (item(box="<xmin>5</xmin><ymin>5</ymin><xmax>5</xmax><ymax>5</ymax>"), "ANNOTATION_INVALID"),
        (item(box="<xmin>5</xmin><ymin>5</ymin><xmax>nan</xmax><ymax>7</ymax>"), "ANNOTATION_INVALID"),
        (item(box="<xmin>5</xmin><ymin>5</ymin><xmax>9</xmax>"), "LABEL_MALFORMED"),
        (item(box="<xmin>five</xmin><ymin>5</ymin><xmax>9</xmax><ymax>7</ymax>"), "LABEL_MALFORMED"),
        (item(name=""), "LABEL_MALFORMED"),
        ("<object><name>cell</name><polygon><x1>1</x1></polygon></object>", "LABEL_MALFORMED"),
    ],
)
def test_a_wrong_object_is_reported_with_its_line_and_left_out(
    wrong: str, reason: str, tmp_path: Path
) -> None:
    read = read_archive(zipped({"a.png": png(100, 50), "a.xml": voc(item(), wrong, item())}), tmp_path)
    assert read.count == 2
    assert [(problem.reason, problem.file, problem.line) for problem in read.problems] == [
        (reason, "a.xml", 4)
    ]


def test_a_box_by_any_two_corners_is_the_same_box(tmp_path: Path) -> None:
    swapped = item(box="<xmin>9</xmin><ymin>8</ymin><xmax>1</xmax><ymax>2.5</ymax>")
    read = read_archive(zipped({"a.png": png(100, 50), "a.xml": voc(swapped)}), tmp_path)
    assert read.annotations["a.png"][0].coordinates == (1, 2.5, 9, 8)


def test_trouble_with_whole_files_is_reported_and_the_rest_goes_in(tmp_path: Path) -> None:
    files: Files = {
        "a.png": png(100, 50),
        "a.xml": voc(item()),
        "b.png": png(50, 100),
        "b.xml": voc(item(), filename="b.png"),
        "c.png": png(100, 50),
        "c.xml": voc(item())[:-20],
        "d.png": png(100, 50),
        "nobody.xml": voc(item(), filename="nobody.png"),
        "notes.xml": "<notes/>",
    }
    read = read_archive(zipped(files), tmp_path)
    assert set(read.annotations) == {"a.png", "b.png"}
    assert {(problem.file, problem.reason) for problem in read.problems} == {
        ("b.xml", "IMAGE_SIZE_DIFFERS"),
        ("c.xml", "LABEL_FILE_MALFORMED"),
        ("nobody.xml", "LABEL_WITHOUT_IMAGE"),
        ("notes.xml", "LABEL_FILE_IGNORED"),
        ("", "IMAGES_WITHOUT_LABELS"),
    }


@pytest.mark.parametrize(
    "content",
    [
        b'<!DOCTYPE a [<!ENTITY x "y">]><annotation><filename>&x;</filename></annotation>',
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation>&x;</annotation>',
        b'<?xml version="1.0" encoding="martian"?><annotation/>',
        b"<annotation>",
        b"",
        b"\x00\x01",
    ],
)
def test_hostile_and_broken_xml_is_refused(content: bytes) -> None:
    with pytest.raises(XmlMalformed):
        parse_voc(content)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: voc(text).encode()))
def test_any_bytes_are_a_document_no_voc_or_malformed(content: bytes) -> None:
    try:
        document = parse_voc(content)
    except XmlMalformed:
        return
    assert document is None or isinstance(document, VocDocument)


def mostly(usual: list[str], odd: list[str]) -> st.SearchStrategy[str]:
    return st.sampled_from(usual * 30 + odd)


FLAG = mostly(["", "<pose>Left</pose>", "<truncated>0</truncated>\n<difficult>1</difficult>\n"], ["<part/>"])
BLANKS = mostly(["", " ", "\n\t", "\r\n"], ["\r", "<!-- <object> -->"])
NUMBER = mostly(["-3", "0.5", "1e2", "700", " 7 "], ["\u0663", "&#49;", ""])
NAME = mostly(["cell", " a b\n", "a]b"], ["caf\u00e9", "<![CDATA[x]]>", "R&amp;D"])


@st.composite
def usual_documents(draw: st.DrawFn) -> bytes:
    """Nearly what labelImg writes."""
    objects = []
    for _ in range(draw(st.integers(0, 3))):
        name = draw(NAME)
        sides = "".join(
            f"{draw(BLANKS)}<{side}>{draw(NUMBER)}</{side}>"
            for side in draw(st.permutations(["xmin", "ymin", "xmax", "ymax"]))
        )
        shape = f"{draw(FLAG)}<bndbox>{sides}</bndbox>{draw(FLAG)}"
        objects.append(
            f"{draw(BLANKS)}<object>{draw(BLANKS)}<name>{name}</name>{draw(BLANKS)}{shape}</object>"
        )
    document = voc(*objects, filename=draw(st.sampled_from(["a.png", "\u56fe.png", "<b/>"])))
    declared = draw(st.sampled_from(["", '<?xml version="1.0" encoding="latin-1"?>', "\ufeff"]))
    encoded = (declared + document + draw(BLANKS)).encode()
    if draw(st.booleans()):
        return encoded
    at = draw(st.integers(0, len(encoded)))
    return encoded[:at] + draw(st.binary(max_size=4)) + encoded[at + draw(st.integers(0, 9)) :]


@given(usual_documents())
def test_a_pattern_reads_what_the_parser_reads_or_leaves_it_alone(content: bytes) -> None:
    found = read_usual(content)
    event("read by the pattern" if found else "left alone")
    if found is not None:
        assert found == parse_any(content)


def test_what_labelling_tools_write_is_read_by_the_pattern() -> None:
    flags = "<pose>Unspecified</pose>\n<truncated>0</truncated>\n<difficult>0</difficult>\n"
    written = voc(item().replace("<bndbox>", f"{flags}<bndbox>"), item("dust"))
    for content in (written, written.replace("\n", "\r\n"), written.replace("<folder>x", "<folder>\u56fe")):
        found = read_usual(content.encode())
        assert found is not None
        assert [(each.name, each.line) for each in found.objects] == [("cell", 3), ("dust", 7)]
        assert found == parse_any(content.encode())


@pytest.mark.parametrize("filename", ["A.B c", "a.b C.JPG", "\u56fe/a.b c.png", "D:\\x\\a.b c.bmp"])
def test_file_names_without_extension_with_dots_and_blanks_find_their_image(
    filename: str, tmp_path: Path
) -> None:
    files: Files = {"set/JPEGImages/a.b c.PNG": png(100, 50), "set/x/1.xml": voc(item(), filename=filename)}
    read = read_archive(zipped(files), tmp_path)
    assert (read.count, read.problems) == (1, [])


def test_an_image_is_found_by_the_foreign_path_where_there_is_no_file_name(tmp_path: Path) -> None:
    document = voc(item()).replace("<filename>a.png</filename>", "")
    read = read_archive(zipped({"images/a.png": png(100, 50), "xml/1.xml": document}), tmp_path)
    assert (read.count, read.problems) == (1, [])


def test_turned_boxes_keep_their_angle(tmp_path: Path) -> None:
    turned = (
        "<object><type>robndbox</type><name>ship</name><robndbox><cx>50</cx><cy>20</cy><w>20</w><h>10</h>"
        "<angle>1.5707963267948966</angle></robndbox></object>"
    )
    read = read_archive(zipped({"a.png": png(100, 50), "a.xml": voc(turned)}), tmp_path)
    (found,) = read.annotations["a.png"]
    assert (read.format, found.type) == ("voc", AnnotationType.RECTANGLE)
    assert found.coordinates == pytest.approx((55, 10, 55, 30, 45, 30, 45, 10))
