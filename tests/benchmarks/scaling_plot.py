"""Plots of measurements as SVG, with logarithmic axes."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 430, 240  # of one plot
_LEFT, _RIGHT, _TOP, _BOTTOM = 55, 20, 30, 60
_COLOURS = ("#1668b8", "#c2410c", "#15803d", "#7e22ce")


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Point:
    """The cost of one run."""

    seconds: float
    processor: float  # seconds of user and system time
    megabytes: float  # the largest resident set

    def __str__(self) -> str:
        return f"{self.seconds:7.2f} s  {self.processor:7.2f} s CPU  {self.megabytes:6.0f} MB"


@dataclass(frozen=True, slots=True)
class Curve:
    """The costs by the number on the x axis, ascending."""

    name: str
    points: list[tuple[int, Point]]


@dataclass(frozen=True, slots=True)
class Axis:
    """A logarithmic axis from ``least`` to ``most``, drawn from ``start`` to ``end``."""

    least: float
    most: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return the coordinate of ``value``."""
        part = math.log(value / self.least) / math.log(self.most / self.least)
        return self.start + part * (self.end - self.start)


_MEASURES: Sequence[tuple[str, Callable[[Point], float]]] = (
    ("seconds", lambda point: point.seconds),
    ("seconds of processors", lambda point: point.processor),
    ("MB of memory", lambda point: point.megabytes),
)


def svg_of(plots: Sequence[tuple[str, Sequence[Curve]]], *, wall: bool = True) -> str:
    """Return a picture with a row for each label and its curves: times, and memory.

    Without ``wall`` the elapsed time is left out.
    """
    measures = _MEASURES if wall else _MEASURES[1:]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{len(measures) * _WIDTH}"',
        f'height="{len(plots) * _HEIGHT}" font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for row, (label, curves) in enumerate(plots):
        for column, (measure, value_of) in enumerate(measures):
            parts.append(f'<g transform="translate({column * _WIDTH},{row * _HEIGHT})">')
            parts += _plot(label, measure, curves, value_of)
            parts.append("</g>")
    return "\n".join([*parts, "</svg>", ""])


def _plot(
    label: str, measure: str, curves: Sequence[Curve], value_of: Callable[[Point], float]
) -> Iterator[str]:
    numbers = sorted({number for curve in curves for number, _ in curve.points})
    values = [value_of(point) for curve in curves for _, point in curve.points]
    least, most = 10 ** math.floor(math.log10(min(values))), max(values) * 1.1
    x = Axis(numbers[0], max(numbers[-1], numbers[0] * 2), _LEFT, _WIDTH - _RIGHT)
    y = Axis(least, max(most, least * 10), _HEIGHT - _BOTTOM, _TOP)
    yield f'<text x="{_LEFT}" y="18" font-weight="bold">{escape(measure)} by {escape(label)}</text>'
    for number in numbers:
        yield _line(x.at(number), y.start, x.at(number), y.end, "#e5e5e5")
        yield _text(x.at(number), y.start + 14, f"{number:,}", "middle")
    for tick in _ticks(y):
        yield _line(x.start, y.at(tick), x.end, y.at(tick), "#e5e5e5")
        yield _text(x.start - 4, y.at(tick) + 4, f"{tick:g}", "end")
    for place, curve in enumerate(curves):
        colour = _COLOURS[place % len(_COLOURS)]
        line = [(x.at(number), y.at(value_of(point))) for number, point in curve.points]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in line)
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        for a, b in line:
            yield f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>'
        at = x.start + place * 120
        yield _line(at, y.start + 30, at + 14, y.start + 30, colour)
        yield _text(at + 18, y.start + 34, curve.name, "start")


def _ticks(axis: Axis) -> Iterator[float]:
    tick = axis.least
    while tick <= axis.most:
        yield tick
        tick *= 10


def _line(a: float, b: float, c: float, d: float, colour: str) -> str:
    return f'<line x1="{a:.1f}" y1="{b:.1f}" x2="{c:.1f}" y2="{d:.1f}" stroke="{colour}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
