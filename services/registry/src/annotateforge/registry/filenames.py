"""Under which name a model's weights would be saved."""

import unicodedata

from annotateforge.registry.models import WEIGHTS

_NOT_IN_FILENAMES = frozenset('/\\:*?"<>|')
_LONGEST_STEM = 150


def weights_filename(model_name: str) -> str:
    """`<model name>.pt`, without what file systems or headers refuse; `best.pt` where nothing is left of the
    name.
    """
    kept = "".join(
        "_" if character in _NOT_IN_FILENAMES or unicodedata.category(character)[0] == "C" else character
        for character in model_name
    )
    stem = kept[:_LONGEST_STEM].strip(" .")
    return f"{stem}.pt" if stem.strip("_") else WEIGHTS
