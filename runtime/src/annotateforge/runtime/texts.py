"""What a text from outside must be before it is kept."""

import re
import unicodedata

# Sequences that move a terminal's cursor, colour what follows, or name its window (ECMA-48), then what is
# left of control characters, line separators, and marks that turn the direction of what follows.
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?")
_CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LINE_BREAKS_AND_TABS = "\n\r\t"


def text_defect(text: str, longest: int, *, required: bool = False, lines: bool = False) -> str | None:
    """What is wrong with a text, as the end of a sentence about it; None when nothing is.

    `longest` counts characters. Control characters are refused, because names and labels end up in file
    names, label files and terminals, and Postgres cannot keep U+0000; `lines` allows line breaks and tabs.
    """
    if required and not text.strip():
        return "is required and may not be blank"
    if len(text) > longest:
        return f"has {len(text):,} characters, and at most {longest:,} are allowed"
    if text.isprintable():
        # Nothing printable is refused, and nearly every text is printable.
        return None
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs") and not (
            lines and character in _LINE_BREAKS_AND_TABS
        ):
            return f"contains the control character U+{ord(character):04X}, which is not allowed"
    return None


def plain_line(text: str, longest: int) -> str:
    """What a program printed, as one line that does nothing but stand there: without escape sequences and
    control characters, tabs as blanks, cut to `longest` characters.
    """
    if not text.isprintable():
        text = _CONTROLS.sub("", _ESCAPES.sub("", text)).replace("\t", "    ")
    return text if len(text) <= longest else text[: longest - 1] + "…"
