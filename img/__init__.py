"""Builds OCI container images from Dockerfiles: no daemon, no root, no set-up.

The Python API (docs/api.md) is entrypoints/api/public.py. It is imported when a program first uses
one of its names, so that ``import img`` takes no time.
"""

__version__ = "0.1.0"

TYPE_CHECKING = False  # of type checkers; the module typing takes a moment to import
if TYPE_CHECKING:
    from img.entrypoints.api.public import *  # noqa: F403
else:

    def __getattr__(name: str) -> object:
        if name.startswith("_") and name != "__all__":
            raise AttributeError(f"module 'img' has no attribute {name!r}")
        from img.entrypoints.api import public

        if name != "__all__" and name not in public.__all__:
            raise AttributeError(f"module 'img' has no attribute {name!r}")
        return getattr(public, name)

    def __dir__() -> list[str]:
        from img.entrypoints.api import public

        return sorted({*globals(), *public.__all__})
