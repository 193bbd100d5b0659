"""Excerpts of a Dockerfile for error messages."""

_RULE = "-" * 20


def render_excerpt(name: str, text: str, lines: tuple[int, int]) -> str:
    """Return ``name:line`` and the marked lines, in BuildKit's format.

    A single line is shown with two lines before and after it, a range with one (BuildKit
    solver/errdefs/source.go, "Print").
    """
    source = text.split("\n")
    first = min(max(lines[0], 1), len(source))
    last = min(max(lines[1], first), len(source))
    around = 2 if first == last else 1
    begin, end = max(first - around, 1), min(last + around, len(source))
    shown = []
    for number in range(begin, end + 1):
        mark = ">>>" if first <= number <= last else "   "
        shown.append(f" {number:3d} | {mark} {source[number - 1].rstrip()}")
    return "\n".join([f"{name}:{first}", _RULE, *shown, _RULE])
