"""Numbers of things in a sentence."""


def amount(number: int, one: str, many: str) -> str:
    """`1 image has`, `1,200 images have`: the number and, of the two wordings, the one that fits it."""
    return f"{number:,} {one if number == 1 else many}"
