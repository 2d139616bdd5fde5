"""What training may do to an image, and what it may not."""

from dataclasses import replace

import pytest
import torch

from classifier.ml.augmentation import NOTHING, SYMBOLS


@pytest.fixture
def bars() -> torch.Tensor:
    """Bright upright bars (16, 3, 32, 32), left of the middle of black images."""
    torch.manual_seed(0)
    images = torch.zeros(16, 3, 32, 32)
    images[:, :, 4:28, 8:12] = 1
    return images


def columns(images: torch.Tensor) -> torch.Tensor:
    """Where the brightness of each row (n, h) is, in pixels from the left."""
    rows = images[:, 0]
    return (rows * torch.arange(32)).sum(dim=2) / rows.sum(dim=2).clamp(min=1e-6)


def test_nothing_changes_nothing(bars):
    assert torch.allclose(NOTHING(bars), bars, atol=1e-6)


def test_a_symbol_is_never_mirrored(bars):
    assert (columns(SYMBOLS(bars))[:, 16] < 16).all()


def test_what_moves_in_from_beyond_a_symbol_is_black(bars):
    bars[..., 0] = 1  # on the edge, which lies at the eighth column of what is shrunk
    shrunk = replace(NOTHING, zoom=(0.5, 0.5))
    assert shrunk(bars)[..., :7].sum() > 0
    assert replace(shrunk, beyond=SYMBOLS.beyond)(bars)[..., :7].sum() == 0


def test_a_slant_moves_the_top_one_way_and_the_bottom_the_other(bars):
    found = columns(replace(NOTHING, slant=0.3, beyond="zeros")(bars))
    top, middle, bottom = found[:, 6], found[:, 16], found[:, 25]
    assert (middle - 9.5).abs().max() < 0.5
    assert (top - middle).abs().max() > 1
    assert torch.allclose(top - middle, (middle - bottom) * 10 / 9, atol=0.5)


def test_a_rotation_keeps_what_is_in_the_middle_there():
    torch.manual_seed(0)
    images = torch.zeros(8, 3, 32, 32)
    images[:, :, :, 15:17] = 1
    turned = replace(NOTHING, rotation=30, beyond="zeros")(images)
    assert (turned[:, 0, 15:17, 15:17] > 0.6).all()
    assert (columns(turned)[:, 4] - 15.5).abs().max() > 2


def test_strokes_become_thicker_and_thinner_by_at_most_as_much_as_is_said(bars):
    widths = replace(NOTHING, stroke=1)(bars)[:, 0, 16].sum(dim=1)
    assert widths.max() > 4.5
    assert widths.min() < 3.5
    assert widths.min() >= 2
    assert widths.max() <= 6


def test_half_of_the_photos_get_noise_more_and_less_of_it():
    torch.manual_seed(0)
    images = torch.full((400, 3, 16, 16), 0.5)
    deviations = replace(NOTHING, noise=0.1)(images).std(dim=(1, 2, 3))
    assert 0.4 < (deviations < 1e-6).float().mean() < 0.6
    assert 0.08 < deviations.max() < 0.11


def test_half_of_the_photos_are_mirrored_and_the_others_stay(bars):
    flipped = replace(NOTHING, flip=True)(bars.repeat(10, 1, 1, 1))
    left = torch.isclose(columns(flipped)[:, 16], torch.tensor(9.5))
    right = torch.isclose(columns(flipped)[:, 16], torch.tensor(21.5))
    assert (left | right).all()
    assert 0.3 < left.float().mean() < 0.7


def test_a_zoom_enlarges_or_shrinks_by_at_most_as_much_as_is_said(bars):
    zoomed = replace(NOTHING, zoom=(0.5, 2), beyond="zeros")(bars.repeat(10, 1, 1, 1))
    widths = zoomed[:, 0, 16].sum(dim=1)
    assert 2 <= widths.min() < 3
    assert 6 < widths.max() <= 8


def test_a_shift_moves_by_at_most_as_much_as_is_said():
    torch.manual_seed(0)
    images = torch.zeros(160, 3, 32, 32)
    images[:, :, 12:20, 12:20] = 1
    shifted = replace(NOTHING, shift=0.25)(images)
    for found in (columns(shifted), columns(shifted.transpose(2, 3))):
        moved = found.amax(dim=1) - 15.5
        assert 7 < moved.abs().max() <= 8.01
        assert moved.min() < 0 < moved.max()


def test_colours_change_in_brightness_and_saturation_by_at_most_as_much_as_is_said():
    torch.manual_seed(0)
    images = torch.tensor([0.6, 0.4, 0.5])[None, :, None, None].repeat(400, 1, 4, 4)
    found = replace(NOTHING, colour=0.2)(images)
    levels = found.mean(dim=(1, 2, 3))
    assert 0.4 <= levels.min() < 0.42
    assert 0.58 < levels.max() <= 0.6
    saturations = (found[:, 0] - found[:, 1]).mean(dim=(1, 2)) / levels / 0.4
    assert 0.64 <= saturations.min() < 0.75
    assert 1.3 < saturations.max() <= 1.44


def test_some_photos_lose_their_colour():
    torch.manual_seed(0)
    images = torch.tensor([0.9, 0.1, 0.5])[None, :, None, None].repeat(400, 1, 4, 4)
    grey = replace(NOTHING, grey=0.25)(images)[:, 0] == 0.5
    assert 0.15 < grey.all(dim=(1, 2)).float().mean() < 0.35


def test_a_square_of_each_photo_is_blanked_by_its_mean(bars):
    blanked = replace(NOTHING, cutout=0.5)(1 - bars)
    changed = (blanked != 1 - bars).any(dim=1)
    assert changed.flatten(1).any(dim=1).all()
    assert torch.allclose(blanked.masked_select(changed[:, None]), (1 - bars).mean())
    assert changed.flatten(1).sum(dim=1).max() <= 16 * 16
    for each in changed:
        rows, inside = each.any(dim=1).nonzero(), each.any(dim=0).nonzero()
        assert rows.max() - rows.min() < 16
        assert inside.max() - inside.min() < 16
