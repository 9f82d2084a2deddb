"""What a Pascal VOC file says, before anything is made of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from annotateforge.dataset.imports.label_format import Size
from annotateforge.dataset.imports.xml_stream import XML_ERRORS, XmlMalformed, XmlParser, malformed


@dataclass(slots=True)
class VocObject:
    """One object of a VOC file as it is written."""

    line: int
    name: str = ""
    box: dict[str, str] = field(default_factory=dict)
    polygon: dict[str, str] = field(default_factory=dict)
    """Roboflow's polygon: x1, y1, x2, y2, …"""
    turned: dict[str, str] = field(default_factory=dict)
    """roLabelImg's turned box: cx, cy, w, h, angle."""


@dataclass(slots=True)
class VocDocument:
    """What a VOC file says."""

    filename: str = ""
    path: str = ""
    """Path of the image on the machine of whoever labelled it."""
    size_texts: dict[str, str] = field(default_factory=dict)
    objects: list[VocObject] = field(default_factory=list)

    @property
    def size(self) -> Size | None:
        """The stated size of the image; None when there is none."""
        try:
            return Size(round(float(self.size_texts["width"])), round(float(self.size_texts["height"])))
        except (KeyError, ValueError, OverflowError):
            return None


_BLANKS = r"[ \t\n]*+"
# ASCII alone: what else XML allows is left to the parser.
_TEXT = r"[\t\n -%'-;=?-~]*+"
_FLAG = "|".join(f"<{name}>TEXT</{name}>" for name in ("pose", "truncated", "difficult", "occluded"))
_FLAGS = f"(?: (?:{_FLAG}))*+"
_SIDES = " ".join(rf"<(?P<side{n}>[xy]m(?:in|ax))>(TEXT)</(?P=side{n})>" for n in range(4))
_LAYOUT = f" (?P<tag><)object> <name>(TEXT)</name>{_FLAGS} <bndbox> {_SIDES} </bndbox>{_FLAGS} </object>"
_OBJECT = re.compile(_LAYOUT.replace(" ", _BLANKS).replace("TEXT", _TEXT))
_END_TAG = "</annotation>"
_END = re.compile(_BLANKS + _END_TAG + _BLANKS + r"\Z")


def parse_voc(content: bytes) -> VocDocument | None:
    """Read a VOC file; None when it is XML of another kind. Raises XmlMalformed, also for entity
    declarations.
    """
    document = read_usual(content)
    return parse_any(content) if document is None else document


def parse_any(content: bytes) -> VocDocument | None:
    """The same without looking for what is usual."""
    parser = _VocParser()
    try:
        parser.feed(content)
        parser.close()
    except XML_ERRORS as error:
        raise malformed(error) from error
    return parser.document if parser.is_voc else None


def read_usual(content: bytes) -> VocDocument | None:
    """The same for a file that ends in objects of a name, flags and a box, as nearly all do: a pattern
    reads these in a fraction of the time. None for any other.
    """
    # A byte a character, so that places in one are places in the other.
    text = content.replace(b"\r\n", b"\n").decode("latin-1")
    begin = text.find("<object>")
    if begin < 0 or "\r" in text:
        return None
    objects = []
    at, line = begin, 1 + text.count("\n", 0, begin)
    while (found := _OBJECT.match(text, at)) is not None:
        tag, end = found.start("tag"), found.end()
        line += text.count("\n", at, tag)
        _, name, one, first, two, second, three, third, four, fourth = found.groups()
        box = {one: first.strip(), two: second.strip(), three: third.strip(), four: fourth.strip()}
        objects.append(VocObject(line, name.strip(), box))
        line += text.count("\n", tag, end)
        at = end
    if _END.match(text, at) is None:
        return None
    try:
        # Only where the objects are right below the root does this end the document.
        document = parse_any((text[:begin] + _END_TAG).encode("latin-1"))
    except XmlMalformed:
        return None
    if document is not None:
        document.objects = objects
    return document


class _VocParser(XmlParser):
    """Picks the few elements that matter by their depth, with the lines of objects."""

    def __init__(self) -> None:
        super().__init__()
        self.document = VocDocument()
        self.is_voc = False
        self._depth = 0
        self._below_root = ""
        self._below_object = ""

    def start_element(self, name: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        self.text.clear()
        if self._depth == 1:
            self.is_voc = name.lower() == "annotation"
        elif self._depth == 2:
            self._below_root = name.lower()
            if self._below_root == "object":
                self.document.objects.append(VocObject(self.line))
        elif self._depth == 3:
            self._below_object = name.lower()

    def end_element(self, name: str) -> None:
        depth = self._depth
        self._depth -= 1
        if depth == 4 and self._below_root == "object":
            if (numbers := self._numbers()) is not None:
                numbers[name.lower()] = self.taken_text()
        elif depth == 3 and self._below_root == "object" and self._below_object == "name":
            self.document.objects[-1].name = self.taken_text()
        elif depth == 3 and self._below_root == "size":
            self.document.size_texts[name.lower()] = self.taken_text()
        elif depth == 2 and self._below_root == "filename":
            self.document.filename = self.taken_text()
        elif depth == 2 and self._below_root == "path":
            self.document.path = self.taken_text()
        self.text.clear()

    def _numbers(self) -> dict[str, str] | None:
        """Where the numbers of the shape go that an object is being described by."""
        item = self.document.objects[-1]
        match self._below_object:
            case "bndbox":
                return item.box
            case "polygon":
                return item.polygon
            case "robndbox":
                return item.turned
        return None
