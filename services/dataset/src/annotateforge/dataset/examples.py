"""Examples of a finding: some of the images that show it."""

from annotateforge.dataset.columns import Images, Longs

MOST_EXAMPLES = 10


def examples(images: Images, chosen: Longs) -> tuple[bytes, ...]:
    """The ids of the first ten of some images, 16 bytes each; `chosen` are their indices, each once."""
    return tuple(images.id[index].tobytes() for index in chosen[:MOST_EXAMPLES].tolist())
