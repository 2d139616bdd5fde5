"""Rows as lines of text, for commands that list."""

from collections.abc import Collection, Iterator, Sequence


def table(rows: Sequence[tuple[str, ...]], numeric: Collection[int] = ()) -> Iterator[str]:
    """Lines with the columns aligned, those whose numbers are in `numeric` to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.rjust(width) if column in numeric else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
