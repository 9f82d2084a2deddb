"""Pictures that look like something, and copies of them such as people leave in their folders."""

import io
import random

from PIL import Image, ImageDraw, ImageFilter, ImageOps

from annotateforge.dataset.images import ImageLimits
from annotateforge.dataset.inspection import inspect

_LIMITS = ImageLimits(size_bytes=1 << 26, pixels=10_000_000)
COPIES = ("resized", "recompressed", "mirrored")


def picture(seed: int, width: int = 320, height: int = 240) -> Image.Image:
    """A scene of coloured shapes; every seed gives another one."""
    dice = random.Random(seed)

    def colour() -> tuple[int, int, int]:
        return (dice.randrange(256), dice.randrange(256), dice.randrange(256))

    image = Image.new("RGB", (width, height), colour())
    draw = ImageDraw.Draw(image)
    for _ in range(30):
        x, y = dice.randrange(width), dice.randrange(height)
        across, down = dice.randrange(8, width // 3), dice.randrange(8, height // 3)
        shape = dice.choice([draw.ellipse, draw.rectangle])
        shape((x - across // 2, y - down // 2, x + across // 2, y + down // 2), fill=colour())
    return image.filter(ImageFilter.GaussianBlur(1.5))


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def copy_of(data: bytes, how: str) -> bytes:
    """A copy of an encoded image, see COPIES."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    match how:
        case "resized":
            half = (max(1, image.width // 2), max(1, image.height // 2))
            return encoded(image.resize(half, Image.Resampling.BICUBIC), quality=90)
        case "recompressed":
            return encoded(image, quality=40)
        case "mirrored":
            return encoded(ImageOps.mirror(image), quality=90)
    raise ValueError(how)


def look_of(data: bytes) -> bytes:
    """The fingerprint that an image gets when it is taken in."""
    look = inspect(data, _LIMITS).fingerprint
    assert look is not None
    return look
