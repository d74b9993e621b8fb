"""Crops: the same part of the face at any scale of the aligned set."""

import pytest

from data_prep.crops import CROPS, FACE_CROPS, Crop


@pytest.mark.parametrize(
    "crop, full, half",
    [
        ("centre-178", (20, 0, 178, 178), (10, 0, 89, 89)),
        ("centre-108", (55, 35, 108, 108), (27, 17, 54, 54)),
        ("squeeze", (0, 0, 218, 178), (0, 0, 109, 89)),
    ],
)
def test_boxes_at_full_and_half_scale(crop, full, half):
    assert CROPS[crop].box(178, 218) == full
    assert CROPS[crop].box(89, 109) == half


@pytest.mark.parametrize("crop", CROPS)
@pytest.mark.parametrize("width", [1, 2, 45, 89, 90, 177, 178, 179, 356, 1000])
@pytest.mark.parametrize("aspect", [0.4, 1.0, 109 / 89, 218 / 178, 3.0])
def test_boxes_lie_within_any_picture(crop, width, aspect):
    height = max(1, round(width * aspect))
    top, left, box_height, box_width = CROPS[crop].box(width, height)
    assert box_height >= 1 and box_width >= 1
    assert top >= 0 and top + box_height <= height
    assert left >= 0 and left + box_width <= width
    # in the middle, to the pixel that an odd margin leaves
    assert 0 <= height - box_height - 2 * top <= 1
    assert 0 <= width - box_width - 2 * left <= 1
    if CROPS[crop].width == CROPS[crop].height:
        assert box_height == box_width


def test_a_crop_of_ones_own():
    assert Crop(178, 109, "the middle half").box(356, 436) == (109, 0, 218, 356)


@pytest.mark.parametrize(
    "width, height, box", [(100, 60, (0, 20, 60, 60)), (60, 101, (20, 0, 60, 60))]
)
def test_any_picture_has_a_centred_square(width, height, box):
    assert FACE_CROPS["centre-square"].box(width, height) == box
    assert FACE_CROPS["squeeze"].box(width, height) == (0, 0, height, width)
