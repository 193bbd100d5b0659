"""Secrets kept out of what a process prints."""

from collections.abc import Iterable

from img.application.ports.executor import OutputSink

_MASK = b"****"
_SHORTEST = 4  # bytes; shorter values are part of everything


class MaskedOutput:
    """Passes output on with the secrets in it masked, even those cut in two by a pipe's bounds.

    The values are those that were handed out for one step; lines of a value count on their own,
    since that is how tools print them.
    """

    def __init__(self, output: OutputSink, secrets: Iterable[bytes]) -> None:
        self._output = output
        lines = {part.strip() for secret in secrets for part in secret.splitlines()}
        self._secrets = sorted((s for s in lines if len(s) >= _SHORTEST), key=len, reverse=True)
        self._held: dict[int, bytes] = {}

    def __call__(self, stream: int, data: bytes) -> None:
        """Take some output; the end of it may be held back until it is sure what it is."""
        data = self._masked(self._held.pop(stream, b"") + data)
        keep = max((_overlap(data, secret) for secret in self._secrets), default=0)
        if keep:
            self._held[stream] = data[-keep:]
            data = data[:-keep]
        if data:
            self._output(stream, data)

    def end(self) -> None:
        """Pass on what was held back."""
        for stream, data in sorted(self._held.items()):
            self._output(stream, data)
        self._held.clear()

    def _masked(self, data: bytes) -> bytes:
        for secret in self._secrets:
            data = data.replace(secret, _MASK)
        return data


def _overlap(data: bytes, secret: bytes) -> int:
    """Return how many bytes at the end of ``data`` may be the beginning of ``secret``."""
    for size in range(min(len(secret) - 1, len(data)), 0, -1):
        if data.endswith(secret[:size]):
            return size
    return 0
