"""What a text from outside must be before it is kept."""

import unicodedata

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
