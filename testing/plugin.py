"""Fixtures for tests of images: a plug-in of pytest (docs/testing.md).

pytest loads it in each environment with img. Nothing else of img is imported before a test asks
for a fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from typing import BinaryIO, Unpack

    import img
    from img.entrypoints.api.options import BuildOptions, PathText
    from img.testing.loopback_registry import LoopbackRegistry

_STATE = "img_state"
_SHOWN_LINES = 50


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting of the state directory."""
    parser.addini(_STATE, "State directory of img in tests, kept between runs.", default="")


@pytest.fixture(scope="session")
def img_state(pytestconfig: pytest.Config) -> Iterator[Path]:
    """Return the state directory: that of the setting ``img_state``, or one for this run."""
    if kept := pytestconfig.getini(_STATE):
        yield pytestconfig.rootpath / kept
        return
    from img.testing.temporary_state import temporary_state

    with temporary_state() as state:
        yield state


class ImageBuilder:
    """``img.build`` with the state of the tests; the output of a failed build is in its traceback.

    ``state`` is the directory, for other functions of img.
    """

    def __init__(self, state: Path) -> None:
        self.state = state

    def __call__(
        self,
        context: PathText | BinaryIO,
        *,
        file: PathText | BinaryIO | None = None,
        **options: Unpack[BuildOptions],
    ) -> img.Image:
        """Build an image and return it. Raises as ``img.build`` does."""
        import img

        output: list[str] = []

        def keep(event: img.Progress) -> None:
            match event:
                case img.VertexStarted():
                    output.append(event.name)
                case img.VertexOutput():
                    output.append(event.data.decode("utf-8", "replace").rstrip())

        options.setdefault("state", self.state)
        try:
            return img.build(context, file=file, on_progress=keep, **options)
        except img.ImgError as error:
            from img.domain.shown_text import shown

            error.add_note(shown("\n".join(output[-_SHOWN_LINES:])))
            raise


@pytest.fixture(scope="session")
def img_build(img_state: Path) -> ImageBuilder:
    """Return a function that builds an image: ``img_build(context, tag=…)``."""
    return ImageBuilder(img_state)


@pytest.fixture(scope="session")
def img_registry() -> Iterator[LoopbackRegistry]:
    """Return a registry in memory, on loopback."""
    from img.testing.loopback_registry import LoopbackRegistry

    with LoopbackRegistry() as registry:
        yield registry
