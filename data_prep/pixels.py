"""From an encoded picture to pixels: decode, crop, resize.

JPEGs are decoded by simplejpeg where it is installed (2.4 times as fast as Pillow), everything
else by Pillow. Both stand on libjpeg-turbo and give the same bytes for undamaged pictures.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageOps
from torch.nn.functional import interpolate

from data_prep.crops import AnyCrop, Crop

try:
    import simplejpeg
except ImportError:  # an extra: Pillow does its work, slower
    simplejpeg = None

MAX_BYTES = 64 << 20  # of an encoded picture
MAX_PIXELS = 50_000_000  # of a decoded one: 150 MB
PADDING = 4  # bytes between the data and the end of a JPEG that are no sign of damage
RESIZE = "bilinear, antialiased"


class BadPicture(ValueError):
    """A picture that is left out; the message is the reason."""


def decoder_name() -> str:
    """What decodes JPEGs here: "simplejpeg" or "Pillow"."""
    return "simplejpeg" if simplejpeg else "Pillow"


def decode(encoded: bytes) -> np.ndarray:
    """The picture as people see it, uint8 `(H, W, 3)`: turned as its EXIF data say, on white.

    Raises:
        BadPicture: the bytes are no complete, undamaged picture of a reasonable size.
    """
    if not encoded:
        raise BadPicture("the file is empty")
    if simplejpeg and encoded[:3] == b"\xff\xd8\xff" and b"Exif\0\0" not in encoded:
        pixels = _decode_jpeg(encoded)
        if pixels is not None:
            return pixels
    return _decode_any(encoded)


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise BadPicture(f"{width}×{height} pixels when decoded; at most {MAX_PIXELS} are read")


def _decode_jpeg(encoded: bytes) -> np.ndarray | None:
    """As `decode`; None for a JPEG that Pillow should judge."""
    try:
        height, width, *_ = simplejpeg.decode_jpeg_header(encoded)
        _check_size(width, height)
        return simplejpeg.decode_jpeg(encoded)
    except BadPicture:
        raise
    except ValueError as error:
        # Damage within the data, which Pillow would take for a picture. A few bytes too many at
        # its end do no harm, and what else it refuses (CMYK) Pillow reads, or knows a reason.
        too_many = re.search(r"(\d+) extraneous bytes", str(error))
        if too_many and int(too_many[1]) <= PADDING:
            return None
        if "Corrupt JPEG data" in str(error):
            raise BadPicture(f"damaged: {error}") from error
        return None


def _decode_any(encoded: bytes) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            # Of a size between its two limits Pillow only warns; _check_size refuses it.
            warnings.simplefilter("ignore")
            opened = Image.open(io.BytesIO(encoded))
            with opened:
                _check_size(*opened.size)
                return np.asarray(_to_rgb(ImageOps.exif_transpose(opened)))
    except (BadPicture, MemoryError):
        raise
    except Image.UnidentifiedImageError as error:
        raise BadPicture(f"no picture, or of an unknown kind: begins {encoded[:12]!r}") from error
    except Exception as error:  # Pillow's plugins end in any kind of error on damaged data
        raise BadPicture(str(error) or type(error).__name__) from error


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits; `convert` would clip them to 255
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if "A" in image.getbands() or "transparency" in image.info:
        layer = image.convert("RGBA")
        image = Image.new("RGBA", layer.size, "white")
        image.alpha_composite(layer)
    return image.convert("RGB")


def crop_picture(encoded: bytes, crop: Crop | AnyCrop) -> np.ndarray:
    """The cropped picture, uint8 `(h, w, 3)`.

    Raises:
        BadPicture: it can't be decoded, or isn't of a kind that the crop is made for.
    """
    pixels = decode(encoded)
    height, width, _ = pixels.shape
    reason = crop.refusal(width, height)
    if reason:
        raise BadPicture(reason)
    top, left, box_height, box_width = crop.box(width, height)
    cropped = pixels[top : top + box_height, left : left + box_width]
    # A view would hold the whole of a panorama in memory.
    return cropped if cropped.size * 2 > pixels.size else cropped.copy()


def resize(pictures: Sequence[np.ndarray], size: int) -> np.ndarray:
    """Pictures `(h, w, 3)`, all of one size, as uint8 `(N, size, size, 3)`.

    Bilinear with antialiasing, Pillow's definition, by torch's uint8 kernel: within one grey level.
    """
    batch = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    if batch.shape[2:] != (size, size):
        batch = interpolate(batch, (size, size), mode="bilinear", antialias=True)
    return batch.permute(0, 2, 3, 1).numpy()
