"""Text can be read on every ground that the stylesheet gives it, in both themes."""

import re
from pathlib import Path

import pytest
from django.conf import settings

CSS = (Path(settings.BASE_DIR) / "static" / "css" / "sightline.css").read_text()
TOKENS = {
    name: {"light": light, "dark": dark}
    for name, light, dark in re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);", CSS)
}
GROUNDS = ["ground", "surface", "sunken"]
TEXTS = ["text", "quiet", "accent", "accent-strong", "good", "waiting", "bad"]
READ = [(text, ground) for text in TEXTS for ground in GROUNDS] + [
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("bad", "bad-soft"),
    ("text", "accent-soft"),
    ("quiet", "accent-soft"),
]


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_has_contrast_aa_on_every_ground(theme: str) -> None:
    for text, ground in READ:
        assert contrast(TOKENS[text][theme], TOKENS[ground][theme]) >= 4.5, (text, ground)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_edges_of_controls_can_be_seen(theme: str) -> None:
    for ground in GROUNDS:
        assert contrast(TOKENS["line-strong"][theme], TOKENS[ground][theme]) >= 3


def test_colours_are_named_once_and_used_by_name() -> None:
    rules = CSS.split("\n}\n", 1)[1]
    assert not re.search(r"#[0-9a-f]{3,8}\b", rules)


def test_there_are_six_sizes_of_type() -> None:
    assert len(set(re.findall(r"--size-\d", CSS))) == 6
    assert not re.search(r"font-size: [\d.]", CSS)
