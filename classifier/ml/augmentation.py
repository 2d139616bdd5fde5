"""Random changes to a batch of training images, on whatever device the batch is on.

The everyday model is trained on 32-pixel pictures that are tightly framed and softly compressed,
and then meets photographs. Zoom, shift, sharpness and colour cover the difference between them.
Symbols, such as digits, mean something else when they are mirrored; hands differ in slant and pen.
"""

from dataclasses import dataclass, replace

import torch
from torch.nn import functional as F


@dataclass(frozen=True)
class Augmentation:
    """How far an image may be changed; every amount is drawn per image."""

    flip: bool = True
    shift: float = 0.125  # share of the side, in both directions
    zoom: tuple[float, float] = (0.8, 1.25)  # above 1 enlarges the object
    stretch: float = 0.1  # change of the aspect ratio
    colour: float = 0.2  # brightness, contrast and saturation, each by 1 +- this
    grey: float = 0.05  # share of images that lose their colour
    sharpness: tuple[float, float] = (-0.5, 1.0)  # below 0 blurs, above 0 sharpens
    cutout: float = 0.25  # side of the square that is blanked, as a share of the side
    noise: float = 0.0  # most deviation of the values of half of the images
    rotation: float = 0.0  # degrees, either way
    slant: float = 0.0  # how far the top moves aside, either way, as a share of the height
    stroke: float = 0.0  # pixels by which bright strokes gain or lose on each side
    beyond: str = "reflection"  # what is seen outside of the image, or `zeros`

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Change float images (n, 3, h, w) of values 0 to 1; the result may go a little beyond."""
        images = self._reframe(images)
        if self.stroke:
            images = self._change_pen(images)
        images = self._recolour(images)
        images = self._cut_out(self._sharpen(images))
        return self._roughen(images) if self.noise else images

    def _reframe(self, images: torch.Tensor) -> torch.Tensor:
        n = len(images)
        scale = torch.exp(_uniform(n, *(torch.tensor(self.zoom).log().tolist())))
        aspect = torch.exp(_uniform(n, -self.stretch, self.stretch) / 2)
        mirror = torch.where(torch.rand(n) < 0.5, -1.0, 1.0) if self.flip else torch.ones(n)
        theta = torch.zeros(n, 2, 3)
        theta[:, 0, 0] = mirror * aspect / scale
        theta[:, 1, 1] = 1 / (aspect * scale)
        theta[:, :, 2] = _uniform(2 * n, -2 * self.shift, 2 * self.shift).view(n, 2)
        if self.rotation or self.slant:
            theta[:, :, :2] = self._leaning(n) @ theta[:, :, :2]
        grid = F.affine_grid(theta.to(images.device), list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, padding_mode=self.beyond, align_corners=False)

    def _leaning(self, n: int) -> torch.Tensor:
        """Matrices (n, 2, 2) that turn and slant."""
        angle = _uniform(n, -self.rotation, self.rotation).deg2rad()
        matrices = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], dim=1)
        matrices = matrices.view(n, 2, 2)
        slant = torch.eye(2).repeat(n, 1, 1)
        slant[:, 0, 1] = _uniform(n, -self.slant, self.slant)
        return matrices @ slant

    def _change_pen(self, images: torch.Tensor) -> torch.Tensor:
        """Between the image and the brightest, or the darkest, of each pixel's surroundings."""
        amount = _uniform(len(images), -self.stroke, self.stroke).to(images.device)
        amount = amount[:, None, None, None]
        thicker = F.max_pool2d(images, 3, stride=1, padding=1)
        thinner = -F.max_pool2d(-images, 3, stride=1, padding=1)
        return images + (thicker - images) * amount.relu() + (thinner - images) * (-amount).relu()

    def _recolour(self, images: torch.Tensor) -> torch.Tensor:
        def amount() -> torch.Tensor:
            factor = 1 + _uniform(len(images), -self.colour, self.colour)
            return factor.to(images.device)[:, None, None, None]

        grey = images.mean(dim=1, keepdim=True)
        saturation = amount()
        saturation[(torch.rand(len(images)) < self.grey).to(images.device)] = 0
        images = grey + (images - grey) * saturation
        level = images.mean(dim=(1, 2, 3), keepdim=True)
        return (level + (images - level) * amount()) * amount()

    def _sharpen(self, images: torch.Tensor) -> torch.Tensor:
        blurred = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
        amount = _uniform(len(images), *self.sharpness).to(images.device)[:, None, None, None]
        return images + (images - blurred) * amount

    def _cut_out(self, images: torch.Tensor) -> torch.Tensor:
        n, _, height, width = images.shape
        centre = torch.rand(n, 2)
        rows = (torch.arange(height) / height - centre[:, :1]).abs() < self.cutout / 2
        columns = (torch.arange(width) / width - centre[:, 1:]).abs() < self.cutout / 2
        hole = (rows[:, :, None] & columns[:, None, :]).to(images.device)[:, None]
        return torch.where(hole, images.mean(dim=(2, 3), keepdim=True), images)

    def _roughen(self, images: torch.Tensor) -> torch.Tensor:
        """Noise as of a sensor in the dark, more and less of it, and none on half of the images."""
        deviation = _uniform(len(images), -self.noise, self.noise).relu().to(images.device)
        return images + deviation[:, None, None, None] * torch.randn_like(images)


def _uniform(n: int, low: float, high: float) -> torch.Tensor:
    return low + (high - low) * torch.rand(n)


NOTHING = Augmentation(
    flip=False,
    shift=0,
    zoom=(1, 1),
    stretch=0,
    colour=0,
    grey=0,
    sharpness=(0, 0),
    cutout=0,
)
SYMBOLS = replace(
    NOTHING,
    shift=0.08,
    zoom=(0.75, 1.25),
    stretch=0.1,
    colour=0.2,
    sharpness=(-0.8, 0.5),
    rotation=12,
    slant=0.2,
    stroke=1,
    beyond="zeros",
)
AUGMENTATIONS = {"photos": Augmentation(), "symbols": SYMBOLS, "none": NOTHING}
