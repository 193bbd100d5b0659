"""Calls of decoders, which fail each in its own way."""

from collections.abc import Callable

from img.application.ports.layer_archive import InvalidLayer


def decode(decompress: Callable[..., bytes], *arguments: object) -> bytes:
    """Call a decoder. Raises InvalidLayer for whatever it raises."""
    try:
        return decompress(*arguments)
    except MemoryError:
        raise
    except Exception as error:  # each library has errors of its own, some of them plain OSError
        raise InvalidLayer(f"the compressed data are damaged: {error}") from error
