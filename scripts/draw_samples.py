"""Draw the three sample pictures that ship with the project; the same bytes every time.

    python -m scripts.draw_samples [FOLDER]

They are drawn at three times their size and reduced, which smooths every edge.
"""

import math
import random
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter

WIDTH, HEIGHT, FINER = 640, 480, 3
WATERLINE = 328  # of the reduced ship
SAMPLES = Path(__file__).resolve().parent.parent / "classifier" / "bundled" / "samples"
Point = tuple[float, float]
Colour = tuple[int, int, int] | tuple[int, int, int, int]


# --- Tools ---------------------------------------------------------------------------------------


def layer() -> Image.Image:
    """A transparent sheet of the whole picture's size."""
    return Image.new("RGBA", (WIDTH * FINER, HEIGHT * FINER))


def scaled(points: Iterable[Point]) -> list[Point]:
    return [(x * FINER, y * FINER) for x, y in points]


def gradient(stops: Sequence[tuple[float, Colour]]) -> Image.Image:
    """A sheet whose colour runs from top to bottom through stops (share of the height, colour)."""
    column = Image.new("RGBA", (1, HEIGHT * FINER))
    for y in range(column.height):
        share = y / column.height
        above = max((s for s in stops if s[0] <= share), key=lambda s: s[0], default=stops[0])
        below = min((s for s in stops if s[0] > share), key=lambda s: s[0], default=above)
        mix = (share - above[0]) / ((below[0] - above[0]) or 1)
        parts = zip(above[1], below[1], strict=True)
        colour = tuple(round(a + (b - a) * mix) for a, b in parts)
        column.putpixel((0, y), (*colour, 255)[:4])
    return column.resize((WIDTH * FINER, HEIGHT * FINER))


def curve(points: Sequence[Point], steps: int = 16) -> list[Point]:
    """A smooth closed outline through the points (Catmull-Rom)."""
    n, outline = len(points), []
    for i in range(n):
        a, b, c, d = (points[(i + k) % n] for k in (-1, 0, 1, 2))
        outline += [_between(a, b, c, d, step / steps) for step in range(steps)]
    return outline


def _between(a: Point, b: Point, c: Point, d: Point, t: float) -> Point:
    def axis(p: float, q: float, r: float, s: float) -> float:
        return 0.5 * (
            2 * q
            + (r - p) * t
            + (2 * p - 5 * q + 4 * r - s) * t**2
            + (3 * q - p - 3 * r + s) * t**3
        )

    return axis(a[0], b[0], c[0], d[0]), axis(a[1], b[1], c[1], d[1])


def fill(sheet: Image.Image, outline: Iterable[Point], colour: Colour) -> None:
    ImageDraw.Draw(sheet).polygon(scaled(outline), fill=colour)


def box(
    sheet: Image.Image, corners: tuple[Point, Point], colour: Colour, radius: float = 0
) -> None:
    (left, top), (right, bottom) = scaled(corners)
    area = (left, top, right, bottom)
    ImageDraw.Draw(sheet).rounded_rectangle(area, radius * FINER, fill=colour)


def disc(sheet: Image.Image, centre: Point, radius: float, colour: Colour, flat: float = 1) -> None:
    (x, y), r = scaled([centre])[0], radius * FINER
    ImageDraw.Draw(sheet).ellipse((x - r, y - r * flat, x + r, y + r * flat), fill=colour)


def shaded(sheet: Image.Image, stops: Sequence[tuple[float, Colour]]) -> Image.Image:
    """The sheet with light and shade that run from top to bottom, multiplied into its colours."""
    red, green, blue, alpha = ImageChops.multiply(sheet, gradient(stops)).split()
    return Image.merge("RGBA", (red, green, blue, alpha))


def smaller(sheet: Image.Image, share: float, level: float) -> Image.Image:
    """The sheet reduced around the point at half its width and `level` of its height."""
    size = (round(sheet.width * share), round(sheet.height * share))
    reduced = layer()
    place = (round(sheet.width * (1 - share) / 2), round(sheet.height * (1 - share) * level))
    reduced.paste(sheet.resize(size, Image.Resampling.LANCZOS), place)
    return reduced


def blurred(sheet: Image.Image, radius: float) -> Image.Image:
    # Premultiplied, so that the black of what is transparent does not bleed into the edges.
    return sheet.convert("RGBa").filter(ImageFilter.GaussianBlur(radius * FINER)).convert("RGBA")


def clouds(chance: random.Random, rows: Sequence[tuple[float, float, int]]) -> Image.Image:
    """Heaps of soft discs around (x, y), as many as asked for at each place."""
    sheet = Image.new("RGBA", (WIDTH * FINER, HEIGHT * FINER), (255, 255, 255, 0))
    for x, y, count in rows:
        for _ in range(count):
            across, up = chance.gauss(0, 45), abs(chance.gauss(0, 10))
            radius = max(8.0, 26 - abs(across) / 5) * chance.uniform(0.7, 1.1)
            disc(sheet, (x + across, y - up), radius, (255, 255, 255, 190), flat=0.55)
    return blurred(sheet, 7)


def grain(picture: Image.Image, chance: random.Random) -> Image.Image:
    """A little noise, as a camera's sensor adds it."""
    noise = Image.frombytes("L", picture.size, chance.randbytes(picture.width * picture.height))
    return Image.blend(picture, Image.merge("RGB", [noise] * 3), 0.018)


def stack(*sheets: Image.Image) -> Image.Image:
    picture = sheets[0]
    for sheet in sheets[1:]:
        picture = Image.alpha_composite(picture, sheet)
    return picture


# --- Pictures ------------------------------------------------------------------------------------


def airplane(chance: random.Random) -> Image.Image:
    """An airliner that climbs through a blue sky."""
    sky = gradient([(0, (46, 110, 190)), (0.6, (122, 175, 226)), (1, (196, 221, 240))])
    puffs = [(90, 430, 22), (330, 465, 26), (560, 420, 20), (520, 90, 8)]
    return stack(
        sky,
        clouds(chance, puffs),
        smaller(_airliner().rotate(11, Image.Resampling.BICUBIC), 0.86, 0.5),
    )


def _airliner() -> Image.Image:
    far_wing, body, near_wing = layer(), layer(), layer()
    fill(far_wing, [(318, 228), (372, 228), (300, 150), (276, 150)], (150, 160, 172))
    fill(far_wing, [(96, 214), (124, 214), (92, 176), (76, 176)], (140, 150, 162))
    hull = [
        *((60, 222), (110, 206), (200, 201), (330, 200), (450, 201), (520, 208), (556, 226)),
        *((566, 240), (552, 252), (510, 263), (430, 268), (300, 268), (190, 258), (110, 240)),
    ]
    fill(body, [(64, 224), (44, 118), (84, 118), (150, 206)], (30, 64, 124))
    fill(body, curve(hull), (246, 248, 250))
    stripe = [(70, 230), (300, 238), (560, 240), (552, 246), (300, 247), (110, 240)]
    fill(body, stripe, (30, 64, 124))
    for x in range(150, 500, 13):
        box(body, ((x, 222), (x + 5.5, 229)), (58, 76, 100), radius=2.5)
    fill(body, [(526, 216), (546, 224), (549, 231), (522, 229)], (34, 44, 58))
    light = [(0.4, (255, 255, 255)), (0.49, (250, 251, 253)), (0.57, (146, 156, 172))]
    fill(near_wing, [(300, 250), (384, 250), (236, 352), (208, 352)], (176, 186, 198))
    fill(near_wing, [(300, 250), (330, 250), (218, 352), (208, 352)], (132, 143, 158))
    box(near_wing, ((276, 284), (338, 308)), (212, 217, 224), radius=11)
    box(near_wing, ((326, 286), (340, 306)), (70, 80, 94), radius=6)
    fill(near_wing, [(92, 234), (130, 234), (68, 274), (50, 274)], (160, 170, 184))
    return stack(far_wing, shaded(body, light), near_wing)


def ship(chance: random.Random) -> Image.Image:
    """A freighter on a calm sea."""
    sky = gradient([(0, (112, 160, 208)), (0.5, (206, 221, 232)), (1, (206, 221, 232))])
    puffs = [(120, 110, 14), (470, 80, 16), (300, 160, 8)]
    vessel = smaller(_freighter(), 0.82, 0.6)
    mirrored = vessel.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    reflection = layer()
    reflection.paste(mirrored, (0, (2 * WATERLINE - HEIGHT) * FINER))
    faint = blurred(reflection, 5)
    faint.putalpha(faint.getchannel("A").point(lambda alpha: alpha * 0.42))
    return stack(sky, clouds(chance, puffs), _sea(), faint, _waves(chance), vessel, _wake(chance))


def _sea() -> Image.Image:
    sea = gradient([(0, (94, 136, 166)), (0.62, (94, 136, 166)), (1, (18, 58, 96))])
    cover = layer()
    box(cover, ((0, 300), (WIDTH, HEIGHT)), (255, 255, 255, 255))
    sea.putalpha(blurred(cover, 1).getchannel("A"))
    return sea


def _waves(chance: random.Random) -> Image.Image:
    sheet = layer()
    for _ in range(900):
        depth = chance.random() ** 1.6
        x, y = chance.uniform(-20, WIDTH), 302 + depth * 178
        length, tone = 6 + 46 * depth * chance.random(), chance.choice((255, 255, 0))
        colour = (tone, tone, tone, round(18 + 30 * chance.random()))
        disc(sheet, (x, y), length / 2, colour, flat=0.07)
    return blurred(sheet, 0.6)


def _freighter() -> Image.Image:
    hull, house = layer(), layer()
    fill(hull, [(52, 262), (600, 250), (566, 338), (84, 338)], (28, 46, 82))
    fill(hull, [(77, 322), (573, 320), (566, 338), (84, 338)], (150, 40, 38))
    fill(hull, [(52, 262), (600, 250), (598, 256), (53, 268)], (228, 232, 236))
    box(house, ((84, 150), (190, 264)), (240, 242, 244), radius=2)
    box(house, ((100, 122), (176, 152)), (248, 249, 250), radius=2)
    for y in (162, 184, 206, 228):
        for x in range(92, 184, 13):
            box(house, ((x, y), (x + 8, y + 9)), (52, 72, 98), radius=1)
    box(house, ((104, 130), (172, 140)), (44, 62, 88), radius=1)
    box(house, ((112, 76), (150, 124)), (196, 62, 46), radius=2)
    box(house, ((112, 76), (150, 90)), (34, 38, 46), radius=2)
    box(house, ((160, 66), (164, 124)), (206, 210, 214))
    tones = [(188, 74, 52), (58, 104, 140), (208, 168, 88), (92, 128, 98), (226, 228, 230)]
    for column in range(8):
        for row in range(2 if column in {0, 7} else 3):
            left, bottom = 206 + column * 44, 258 - row * 26
            tone = tones[(column * 3 + row * 2) % len(tones)]
            box(house, ((left, bottom - 24), (left + 42, bottom)), tone, radius=1)
    light = [(0.1, (255, 255, 255)), (0.5, (244, 246, 250)), (0.72, (168, 176, 192))]
    return shaded(stack(house, hull), light)


def _wake(chance: random.Random) -> Image.Image:
    sheet = layer()
    for _ in range(260):
        x = chance.uniform(116, 536)
        disc(
            sheet,
            (x, WATERLINE + 1 + abs(chance.gauss(0, 3))),
            chance.uniform(3, 12),
            (245, 250, 252, 90),
            0.2,
        )
    return blurred(sheet, 1.2)


def automobile(chance: random.Random) -> Image.Image:
    """A red car on a country road."""
    sky = gradient([(0, (120, 170, 220)), (0.55, (222, 232, 240)), (1, (222, 232, 240))])
    return stack(
        sky,
        clouds(chance, [(140, 90, 12), (480, 70, 16)]),
        _country(chance),
        smaller(_car(), 0.86, 0.85),
    )


def _country(chance: random.Random) -> Image.Image:
    sheet = layer()
    hills = [(-20, 260), (110, 214), (260, 244), (420, 206), (560, 236), (660, 214)]
    fill(sheet, [*hills, (660, 480), (-20, 480)], (112, 140, 120))
    for _ in range(90):
        tone = chance.randint(-14, 14)
        place = (chance.uniform(-10, 650), chance.uniform(262, 280))
        disc(sheet, place, chance.uniform(12, 26), (74 + tone, 108 + tone, 70 + tone), 0.8)
    soft = blurred(sheet, 4)
    fill(soft, [(-5, 282), (645, 282), (645, 330), (-5, 330)], (142, 158, 96))
    road = layer()
    fill(road, [(-5, 318), (645, 318), (645, 485), (-5, 485)], (112, 114, 120))
    fill(road, [(-5, 318), (645, 318), (645, 324), (-5, 324)], (196, 192, 180))
    fill(road, [(-5, 448), (645, 448), (645, 456), (-5, 456)], (228, 228, 224))
    return stack(blurred(soft, 1.5), blurred(road, 1))


def _car() -> Image.Image:
    shadow, body, glass, wheels = layer(), layer(), layer(), layer()
    disc(shadow, (322, 400), 268, (10, 12, 18, 190), flat=0.085)
    lower = [
        *((62, 352), (58, 316), (72, 288), (132, 272), (196, 262), (262, 205), (330, 192)),
        *((410, 195), (470, 218), (524, 262), (572, 276), (588, 310), (586, 356), (560, 376)),
        *((320, 380), (90, 376)),
    ]
    fill(body, curve(lower), (204, 30, 36))
    front = [(214, 262), (270, 213), (300, 204), (324, 202), (326, 230), (326, 260), (270, 263)]
    rear = [(340, 202), (404, 206), (452, 228), (486, 261), (410, 263), (340, 260), (339, 230)]
    fill(glass, curve(front), (52, 70, 90))
    fill(glass, curve(rear), (48, 64, 84))
    for x in (332, 440):
        box(glass, ((x - 1.2, 268), (x + 1.2, 366)), (126, 14, 20))
    for x in (350, 458):
        box(glass, ((x, 282), (x + 24, 287)), (232, 150, 150), radius=2)
    fill(glass, curve([(66, 300), (96, 286), (112, 296), (80, 312)]), (244, 246, 240))
    fill(glass, curve([(560, 288), (582, 290), (586, 308), (566, 306)]), (120, 8, 14))
    light = [
        (0.38, (255, 255, 255)),
        (0.6, (255, 250, 250)),
        (0.66, (226, 220, 220)),
        (0.8, (96, 84, 90)),
    ]
    for x in (160, 478):
        disc(wheels, (x, 368), 50, (22, 22, 26))
        disc(wheels, (x, 368), 43, (34, 35, 40))
        disc(wheels, (x, 368), 29, (196, 200, 206))
        for spoke in range(5):
            angle = spoke * math.tau / 5 + 0.3
            place = (x + 18 * math.cos(angle), 368 + 18 * math.sin(angle))
            disc(wheels, place, 6, (66, 70, 78))
        disc(wheels, (x, 368), 6, (90, 94, 100))
    return stack(blurred(shadow, 6), shaded(body, light), glass, wheels)


PICTURES: dict[str, Callable[[random.Random], Image.Image]] = {
    "airplane": airplane,
    "automobile": automobile,
    "ship": ship,
}


def main(folder: Path = SAMPLES) -> None:
    """Draw them all into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in PICTURES.items():
        chance = random.Random(name)
        reduced = draw(chance).convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
        grain(reduced, chance).save(folder / f"{name}.jpg", quality=90, subsampling=0)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
