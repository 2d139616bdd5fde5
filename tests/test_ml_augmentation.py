"""What training may do to an image of a symbol, and what it may not."""

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
