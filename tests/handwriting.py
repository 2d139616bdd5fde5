"""Digits as a pen writes them, in several hands: for the model that reads them.

Nobody's handwriting: lines and arcs after the ways in which people write in different countries.
Training sees none of it. How pictures are framed was chosen by how well the careful hand is read;
the quick one was written afterwards.
"""

import io
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

Point = tuple[float, float]  # of a box 1 high, from its upper left corner
Stroke = list[Point]
Colour = tuple[int, int, int]


def arc(x: float, y: float, wide: float, high: float, start: float, end: float) -> Stroke:
    """Part of an ellipse around (x, y), in degrees clockwise from its right."""
    angles = (math.radians(start + (end - start) * step / 24) for step in range(25))
    return [(x + wide * math.cos(a), y + high * math.sin(a)) for a in angles]


CAREFUL: dict[str, list[list[Stroke]]] = {
    "0": [
        [arc(0.3, 0.5, 0.3, 0.5, -90, 270)],
        [arc(0.22, 0.5, 0.22, 0.5, -60, 300)],
    ],
    "1": [
        [[(0.3, 0), (0.3, 1)]],
        [[(0.1, 0.22), (0.32, 0), (0.32, 1)]],
        [[(0.12, 0.2), (0.3, 0), (0.3, 1)], [(0.12, 1), (0.48, 1)]],
    ],
    "2": [
        [[*arc(0.3, 0.27, 0.27, 0.27, -170, 40), (0.02, 1), (0.58, 1)]],
        [
            [
                *arc(0.3, 0.25, 0.25, 0.25, -150, 45),
                *arc(0.15, 0.9, 0.13, 0.1, 180, 430),
                (0.6, 0.97),
            ]
        ],
    ],
    "3": [
        [arc(0.26, 0.25, 0.26, 0.25, -150, 90) + arc(0.26, 0.74, 0.3, 0.26, -90, 150)],
        [[(0.04, 0), (0.52, 0), (0.26, 0.38), *arc(0.26, 0.69, 0.3, 0.31, -80, 145)]],
    ],
    "4": [
        [[(0.14, 0), (0.02, 0.6), (0.58, 0.6)], [(0.42, 0.3), (0.42, 1)]],
        [[(0.42, 1), (0.42, 0), (0, 0.66), (0.6, 0.66)]],
    ],
    "5": [
        [[(0.12, 0), (0.08, 0.42), *arc(0.26, 0.69, 0.3, 0.31, -125, 145)], [(0.12, 0), (0.54, 0)]],
        [[(0.54, 0), (0.1, 0), (0.1, 0.45), *arc(0.24, 0.7, 0.28, 0.3, -110, 130)]],
    ],
    "6": [
        [arc(0.5, 0.68, 0.48, 0.68, -85, -180) + arc(0.3, 0.7, 0.28, 0.3, 180, -180)],
        [[(0.42, 0), (0.08, 0.58), *arc(0.3, 0.72, 0.26, 0.28, 200, -160)]],
    ],
    "7": [
        [[(0.02, 0), (0.58, 0), (0.22, 1)]],
        [[(0.02, 0.02), (0.56, 0), (0.24, 1)], [(0.14, 0.5), (0.52, 0.5)]],
    ],
    "8": [
        [arc(0.3, 0.24, 0.22, 0.24, 90, 450) + arc(0.3, 0.74, 0.28, 0.26, -90, 270)],
        [
            [
                (0.3 + 0.27 * math.sin(2 * t), 0.5 - 0.5 * math.cos(t))
                for t in (math.tau * step / 48 for step in range(49))
            ]
        ],
    ],
    "9": [
        [[*arc(0.3, 0.3, 0.26, 0.3, 0, -360), (0.52, 1)]],
        [arc(0.3, 0.3, 0.27, 0.3, 0, -360) + arc(0.17, 0.5, 0.4, 0.5, -20, 105)],
    ],
}

QUICK: dict[str, list[list[Stroke]]] = {
    "0": [[arc(0.3, 0.5, 0.29, 0.48, -50, 295)], [arc(0.3, 0.5, 0.36, 0.5, -110, 240)]],
    "1": [[[(0, 0.4), (0.33, 0), (0.3, 1)]], [[(0.31, 0), (0.27, 1)], [(0.08, 0.99), (0.5, 1)]]],
    "2": [[[(0.04, 0.14), (0.28, 0), (0.5, 0.2), (0.38, 0.5), (0.04, 1), (0.58, 0.96)]]],
    "3": [[[(0.05, 0.06), (0.5, 0), (0.24, 0.42), (0.54, 0.7), (0.32, 1), (0, 0.9)]]],
    "4": [[[(0.12, 0), (0.06, 0.5), (0.56, 0.46)], [(0.46, 0.06), (0.4, 1)]]],
    "5": [
        [[(0.56, 0.02), (0.15, 0.05), (0.1, 0.44), (0.44, 0.5), (0.52, 0.78), (0.28, 1), (0, 0.92)]]
    ],
    "6": [[[(0.4, 0), (0.1, 0.5), (0.08, 0.85), (0.3, 1), (0.48, 0.8), (0.3, 0.6), (0.08, 0.8)]]],
    "7": [
        [[(0, 0.12), (0.04, 0), (0.56, 0.03), (0.34, 0.5), (0.24, 1)]],
        [[(0, 0.05), (0.58, 0), (0.3, 0.55), (0.2, 1)], [(0.16, 0.54), (0.5, 0.46)]],
    ],
    "8": [[arc(0.32, 0.22, 0.18, 0.22, -60, 290), arc(0.28, 0.72, 0.26, 0.28, -80, 270)]],
    "9": [[[(0.5, 0.1), (0.26, 0), (0.06, 0.24), (0.26, 0.48), (0.5, 0.3), (0.5, 0.1), (0.46, 1)]]],
}
HANDS = {"careful": CAREFUL, "quick": QUICK}


@dataclass(frozen=True)
class Style:
    """Who writes on what: sizes in pixels, the rest as shares of the writing's height."""

    width: int = 400
    height: int = 400
    writing: int = 280  # its height
    centre: Point = (0.5, 0.5)  # share of the picture
    pen: float = 0.09
    slant: float = 0.0  # how far the top leans to the right
    ink: Colour = (0, 0, 0)
    paper: Colour = (255, 255, 255)
    shade: float = 0.0  # how much darker the paper is on its right, in grey levels
    noise: float = 0.0  # standard deviation, in grey levels


STYLES = {
    "on the pad": Style(),
    "with a pencil": Style(700, 500, 180, (0.3, 0.6), pen=0.03, ink=(90, 90, 95)),
    "with a marker": Style(pen=0.17),
    "as chalk": Style(
        320, 480, 200, (0.6, 0.35), 0.1, 0.1, ink=(240, 240, 230), paper=(30, 50, 40)
    ),
    "leaning": Style(writing=220, pen=0.07, slant=0.25, ink=(20, 40, 160)),
    "upright, wide sheet": Style(900, 300, 90, (0.8, 0.5), 0.08, -0.08),
    "as MNIST": Style(28, 28, 20, pen=0.12, ink=(255, 255, 255), paper=(0, 0, 0)),
    "photographed": Style(
        480, 360, 170, (0.45, 0.5), 0.06, 0.12, (40, 50, 110), (205, 200, 190), 50, 6
    ),
}


def write(strokes: list[Stroke], style: Style) -> Image.Image:
    """The strokes on paper: RGB, with smooth edges."""
    fine = 2
    image = Image.new("RGB", (style.width * fine, style.height * fine), style.paper)
    canvas = ImageDraw.Draw(image)
    radius = style.pen * style.writing * fine / 2
    for stroke in strokes:
        points = [_place(point, style, fine) for point in stroke]
        canvas.line(points, style.ink, round(2 * radius), joint="curve")
        for x, y in points:
            canvas.ellipse((x - radius, y - radius, x + radius, y + radius), style.ink)
    return _photographed(image.resize((style.width, style.height), Image.Resampling.BOX), style)


def _place(point: Point, style: Style, fine: int) -> Point:
    x, y = point
    x += style.slant * (0.5 - y) - 0.3  # the middle of most shapes
    left, top = style.centre[0] * style.width, style.centre[1] * style.height
    return (left + x * style.writing) * fine, (top + (y - 0.5) * style.writing) * fine


def _photographed(image: Image.Image, style: Style) -> Image.Image:
    if not style.shade and not style.noise:
        return image
    pixels = np.asarray(image).astype(np.float32)
    pixels -= np.linspace(0, style.shade, style.width)[:, None]
    pixels += np.random.default_rng(0).normal(0, style.noise, pixels.shape)
    return Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8))


def as_png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
