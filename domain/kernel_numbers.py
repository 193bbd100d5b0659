"""Ranges of numbers in Linux."""

LARGEST_ID = 0xFFFFFFFE  # the next one means "unchanged" in chown(2)
_LARGEST_MAJOR = (1 << 12) - 1  # Linux kdev_t.h, MINORBITS
_LARGEST_MINOR = (1 << 20) - 1


def is_id(number: int) -> bool:
    """Return whether ``number`` is a valid user or group id."""
    return 0 <= number <= LARGEST_ID


def is_device(device: tuple[int, int]) -> bool:
    """Return whether the device (major, minor) is valid; the kernel truncates larger numbers."""
    major, minor = device
    return 0 <= major <= _LARGEST_MAJOR and 0 <= minor <= _LARGEST_MINOR
