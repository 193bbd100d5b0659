"""The plots of how builds grow."""

import xml.etree.ElementTree as ET

from tests.benchmarks.scaling_plot import Curve, Point, svg_of


def test_a_plot_has_a_line_for_each_curve_and_a_dot_for_each_point() -> None:
    def point(seconds: float) -> Point:
        return Point(seconds=seconds, processor=seconds, megabytes=40 + seconds)

    curves = [
        Curve("a <b>", [(1, point(0.2)), (10, point(3.5))]),
        Curve("c", [(10, point(0.02))]),
    ]

    picture = ET.fromstring(svg_of([("files", curves), ("one", curves[1:])]))

    names = [element.tag.rpartition("}")[2] for element in picture.iter()]
    assert names.count("polyline") == 9
    assert names.count("circle") == 12
    assert "seconds by files" in "".join(picture.itertext())
    places = [float(dot.get("cy", "nan")) for dot in picture.iter() if dot.tag.endswith("circle")]
    assert all(0 < place < 240 for place in places)
