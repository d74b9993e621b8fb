"""Pixels: those of Pillow; bad pictures are refused, unusual ones come out as people see them."""

import io
import struct
import zlib

import numpy as np
import pytest
from celeba_like import aligned_pictures, encode
from PIL import Image

from data_prep import pixels
from data_prep.crops import CROPS, FACE_CROPS
from data_prep.pixels import BadPicture, crop_picture, decode, resize


@pytest.fixture(params=["simplejpeg", "Pillow"])
def decoder(request, monkeypatch):
    """Both ways: with the fast decoder, and as where it is not installed."""
    if request.param == "Pillow":
        monkeypatch.setattr(pixels, "simplejpeg", None)
    else:
        pytest.importorskip("simplejpeg")
    assert pixels.decoder_name() == request.param


# ---- agreement with Pillow ------------------------------------------------------------------


@pytest.mark.parametrize("scale", ["full", "half"])
@pytest.mark.parametrize(
    "crop, boxes",
    [
        ("centre-178", {"full": (0, 20, 178, 198), "half": (0, 10, 89, 99)}),
        ("centre-108", {"full": (35, 55, 143, 163), "half": (17, 27, 71, 81)}),
        ("squeeze", {"full": (0, 0, 178, 218), "half": (0, 0, 89, 109)}),
    ],
)
@pytest.mark.parametrize("size", [32, 64, 89, 128])
def test_pixels_are_those_of_pillow(request, decoder, scale, crop, boxes, size):
    encoded = request.getfixturevalue(scale)
    mine = resize([crop_picture(data, CROPS[crop]) for data in encoded], size).astype(float)
    assert mine.shape == (6, size, size, 3)
    for image, data in zip(mine, encoded, strict=True):
        with Image.open(io.BytesIO(data)) as opened:
            face = opened.crop(boxes[scale])
            theirs = np.array(face.resize((size, size), Image.Resampling.BILINEAR))
        difference = np.abs(image - theirs)
        # Rounding may differ by one; a crop off by a pixel differs by several on average.
        assert difference.mean() <= 0.1 and difference.max() <= 1


def test_a_crop_off_by_a_pixel_would_be_noticed(half):
    with Image.open(io.BytesIO(half[0])) as image:
        one, other = (
            np.array(image.resize((64, 64), Image.Resampling.BILINEAR, box=(0, top, 89, top + 89)))
            for top in (10, 11)
        )
    assert np.abs(one.astype(float) - other).mean() > 1


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("quality", [40, 75, 96])
@pytest.mark.parametrize("progressive", [False, True])
def test_both_decoders_give_the_same_bytes(subsampling, quality, progressive):
    pytest.importorskip("simplejpeg")
    (picture,) = aligned_pictures(1, 179, 217, seed=5)
    data = encode(picture, "PNG")
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=quality, subsampling=subsampling, progressive=progressive)
    data = encoded.getvalue()
    assert np.array_equal(pixels._decode_jpeg(data), pixels._decode_any(data))


def test_a_picture_is_resized_the_same_alone_and_in_company(full):
    pictures = [crop_picture(data, CROPS["centre-178"]) for data in full]
    together = resize(pictures, 64)
    assert all(
        np.array_equal(resize([p], 64)[0], t) for p, t in zip(pictures, together, strict=True)
    )


def test_a_picture_of_the_right_size_stays_as_it_is(full):
    picture = crop_picture(full[0], CROPS["centre-178"])
    assert np.array_equal(resize([picture], 178)[0], picture)


# ---- unusual pictures -----------------------------------------------------------------------


def test_grey_pictures_become_rgb(decoder):
    grey = Image.linear_gradient("L").resize((89, 109))
    for data in (encode(grey), encode(grey, "PNG"), encode(grey.convert("1"), "PNG")):
        pixels_ = decode(data)
        assert pixels_.shape == (109, 89, 3) and (pixels_ == pixels_[..., :1]).all()
        assert pixels_[0].mean() < 10 and pixels_[-1].mean() > 245


def test_sixteen_bit_pictures_keep_their_greys(decoder):
    deep = (np.linspace(0, 65535, 109)[:, None] * np.ones(89)).astype(np.uint16)
    decoded = decode(encode(Image.fromarray(deep), "PNG"))
    assert np.array_equal(decoded[..., 0], (deep >> 8).astype(np.uint8))


def test_cmyk_pictures_become_rgb(decoder, half):
    with Image.open(io.BytesIO(half[0])) as image:
        expected = np.asarray(image).astype(float)
        decoded = decode(encode(image.convert("CMYK")))
    assert decoded.shape == expected.shape
    assert np.abs(decoded - expected).mean() < 4


def test_turned_pictures_are_set_upright(decoder, half):
    with Image.open(io.BytesIO(half[0])) as image:
        upright = np.asarray(image).astype(float)
        for orientation, turned in (
            (3, image.transpose(Image.Transpose.ROTATE_180)),
            (6, image.transpose(Image.Transpose.ROTATE_90)),
            (8, image.transpose(Image.Transpose.ROTATE_270)),
        ):
            exif = Image.Exif()
            exif[0x0112] = orientation
            decoded = decode(encode(turned, exif=exif))
            assert decoded.shape == upright.shape
            assert np.abs(decoded - upright).mean() < 4


def test_see_through_pictures_are_shown_on_white(decoder):
    clear = Image.new("RGBA", (20, 20), (10, 20, 30, 0))
    clear.paste((200, 0, 0, 255), (0, 0, 20, 10))
    decoded = decode(encode(clear, "PNG"))
    assert (decoded[:10] == (200, 0, 0)).all() and (decoded[10:] == 255).all()
    palette = clear.convert("RGB").quantize(4)
    palette.info["transparency"] = palette.getpixel((0, 15))
    assert (decode(encode(palette, "PNG"))[10:] == 255).all()


# ---- bad pictures ---------------------------------------------------------------------------


def bomb():
    """A PNG of 40 kB that says, truthfully, that it is 100 megapixels."""

    def part(kind, content):
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    packer = zlib.compressobj(9)
    row = bytes(1 + 10_000)
    rows = b"".join(packer.compress(row) for _ in range(10_000)) + packer.flush()
    header = struct.pack(">IIBBBBB", 10_000, 10_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", rows) + part(b"IEND", b"")


def jpeg_bomb():
    """A JPEG whose header says 60,000×60,000 pixels."""
    data = bytearray(encode(Image.new("RGB", (16, 16))))
    place = data.index(b"\xff\xc0")
    data[place + 5 : place + 9] = struct.pack(">HH", 60_000, 60_000)
    return bytes(data)


BAD = {
    "empty": (lambda data: b"", "the file is empty"),
    "text": (lambda data: b"no JPEG at all, but long enough", "no picture, or of an unknown kind"),
    "web page": (lambda data: b"<!DOCTYPE html><html>", "no picture, or of an unknown kind"),
    "cut in the head": (lambda data: data[:100], "."),
    "cut in half": (lambda data: data[: len(data) // 2], "truncated"),
    "cut at the end": (lambda data: data[:-40], "truncated"),
    "png cut": (lambda data: encode(Image.open(io.BytesIO(data)), "PNG")[:-900], "."),
    "png bomb": (lambda data: bomb(), "10000×10000 pixels"),
    "jpeg bomb": (lambda data: jpeg_bomb(), "60000×60000 pixels|3600000000 pixels"),
    "only a head": (lambda data: b"\xff\xd8\xff\xe0", "."),
    "pdf": (lambda data: b"%PDF-1.4 " + data, "unknown kind"),
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.filterwarnings("error")
def test_bad_pictures_are_refused_with_the_reason(decoder, full, kind):
    spoil, reason = BAD[kind]
    with pytest.raises(BadPicture, match=reason) as caught:
        decode(spoil(full[0]))
    assert len(str(caught.value)) > 5


def test_damage_within_a_jpeg_is_noticed_by_the_fast_decoder(full):
    """Not always: a JPEG has no checksum, and what is damaged may be a valid code by chance."""
    pytest.importorskip("simplejpeg")
    noticed = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        data = bytearray(full[0])
        for place in rng.integers(800, len(data) - 2, 12):
            data[place] = rng.integers(256)
        try:
            decode(bytes(data))
        except BadPicture as error:
            assert any(word in str(error) for word in ("damaged: ", "truncated", "broken"))
            noticed += 1
    assert noticed >= 15


def test_harmless_bytes_between_a_jpegs_parts_are_no_damage(decoder, full):
    clean = decode(full[0])
    assert np.array_equal(decode(full[0][:-2] + b"\0\0\xff\xd9"), clean)
    assert np.array_equal(decode(full[0] + b"left over"), clean)


# ---- which pictures a crop is for -----------------------------------------------------------


@pytest.mark.parametrize("size", [(178, 178), (218, 178), (178, 200), (64, 64), (409, 687)])
def test_pictures_that_are_not_of_the_aligned_set_are_refused_for_its_crops(size):
    data = encode(Image.new("RGB", size))
    with pytest.raises(BadPicture, match=rf"is {size[0]}×{size[1]}, not 178×218.*data_prep faces"):
        crop_picture(data, CROPS["centre-178"])
    for crop in FACE_CROPS.values():
        assert crop_picture(data, crop).size


@pytest.mark.parametrize("width, height", [(178, 218), (89, 109), (64, 78), (356, 436), (45, 55)])
def test_scaled_copies_of_the_aligned_set_are_taken(width, height):
    data = encode(Image.new("RGB", (width, height)))
    assert crop_picture(data, CROPS["centre-178"]).shape[:2] == (width, width)


def test_a_small_part_of_a_large_picture_does_not_hold_the_whole():
    data = encode(Image.new("RGB", (5000, 50)))
    square = crop_picture(data, FACE_CROPS["centre-square"])
    assert square.shape == (50, 50, 3) and square.base is None
