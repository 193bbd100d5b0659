"""Calls of decoders, with a common error."""

from collections.abc import Callable

from img.application.ports.layer_archive import InvalidLayer


def decode(decompress: Callable[..., bytes], *arguments: object) -> bytes:
    """Call a decoder. Raises InvalidLayer for any error."""
    try:
        return decompress(*arguments)
    except MemoryError:
        raise
    except Exception as error:  # each library has its own errors, some of them plain OSError
        raise InvalidLayer(f"the compressed data are damaged: {error}") from error
