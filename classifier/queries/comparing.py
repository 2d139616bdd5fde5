"""Whether one model version is better than another on the same images, or only luckier."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from classifier.models import Evaluation

LIKELY = 1.96  # standard deviations, for 95 %
CHANCE = 0.05  # the usual level of significance


@dataclass(frozen=True)
class Comparison:
    """Two evaluations over the images that both have; a gain above 0 is the second one's."""

    images: int
    only_first: int  # images that the first alone has right
    only_second: int

    @property
    def gain(self) -> float:
        """Of accuracy, as a share."""
        return (self.only_second - self.only_first) / self.images

    @property
    def low(self) -> float:
        """The lower end of the gain's 95 % interval.

        Agresti and Min's for paired shares (2005), which is Wald's with half an image more of each
        kind: it keeps its promise with few images, too.
        """
        return max(-1.0, self._shrunk - self._margin)

    @property
    def high(self) -> float:
        """The upper end of the gain's 95 % interval."""
        return min(1.0, self._shrunk + self._margin)

    @property
    def p_value(self) -> float:
        """The exact two-sided p-value of McNemar's test (1947).

        Were the two equally good, each image that they differ on would be either one's as a coin
        falls.
        """
        n, fewer = self.only_first + self.only_second, min(self.only_first, self.only_second)
        if self.only_first == self.only_second:
            return 1.0
        logs = (_log_choose(n, k) - n * math.log(2) for k in range(fewer + 1))
        return min(1.0, 2 * math.fsum(math.exp(log) for log in logs))

    @property
    def is_significant(self) -> bool:
        """Whether chance alone would hardly ever give such a difference."""
        return self.p_value < CHANCE

    @property
    def _shrunk(self) -> float:
        return (self.only_second - self.only_first) / (self.images + 2)

    @property
    def _margin(self) -> float:
        images, differing = self.images + 2, self.only_first + self.only_second + 1
        return LIKELY * math.sqrt(differing - images * self._shrunk**2) / images


def compare(first: Evaluation, second: Evaluation) -> Comparison | None:
    """Compare by the images that both have; None where they share none."""
    one, other = _right(first.answers), _right(second.answers)
    shared = one.keys() & other.keys()
    if not shared:
        return None
    return Comparison(
        len(shared),
        sum(one[key] and not other[key] for key in shared),
        sum(other[key] and not one[key] for key in shared),
    )


def _right(answers: Iterable[tuple[str, str, str, float]]) -> dict[str, bool]:
    """Whether each image, by its digest, is answered rightly."""
    return {digest: truth == guess for digest, truth, guess, _ in answers}


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
