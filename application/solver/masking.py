"""Masking of secrets in the output of processes."""

from collections.abc import Iterable

from img.application.ports.executor import OutputSink

MASK = b"****"
_SHORTEST = 4  # bytes; shorter values are too common


class MaskedOutput:
    """An output sink that masks secrets, even if two chunks of output share one.

    Each line of a secret is masked by itself, as tools print single lines.
    """

    def __init__(self, output: OutputSink, secrets: Iterable[bytes]) -> None:
        self._output = output
        lines = {part.strip() for secret in secrets for part in secret.splitlines()}
        self._secrets = sorted((s for s in lines if len(s) >= _SHORTEST), key=len, reverse=True)
        self._held: dict[int, bytes] = {}

    def __call__(self, stream: int, data: bytes) -> None:
        """Write output; hold back its end if it may be the start of a secret."""
        data = self._masked(self._held.pop(stream, b"") + data)
        keep = max((_overlap(data, secret) for secret in self._secrets), default=0)
        if keep:
            self._held[stream] = data[-keep:]
            data = data[:-keep]
        if data:
            self._output(stream, data)

    def end(self) -> None:
        """Write the output that was held back."""
        for stream, data in sorted(self._held.items()):
            self._output(stream, data)
        self._held.clear()

    def _masked(self, data: bytes) -> bytes:
        for secret in self._secrets:
            data = data.replace(secret, MASK)
        return data


def _overlap(data: bytes, secret: bytes) -> int:
    """Return the number of bytes at the end of ``data`` that ``secret`` begins with."""
    for size in range(min(len(secret) - 1, len(data)), 0, -1):
        if data.endswith(secret[:size]):
            return size
    return 0
