"""Numbers that Linux has room for."""

LARGEST_ID = 0xFFFFFFFE  # one more means "leave it" to chown(2), and is none to setuid(2)
_LARGEST_MAJOR = (1 << 12) - 1  # Linux kdev_t.h, MINORBITS
_LARGEST_MINOR = (1 << 20) - 1


def is_id(number: int) -> bool:
    """Tell whether there can be a user or group ``number``."""
    return 0 <= number <= LARGEST_ID


def is_device(device: tuple[int, int]) -> bool:
    """Tell whether there can be the device (major, minor); of more the kernel drops bits."""
    major, minor = device
    return 0 <= major <= _LARGEST_MAJOR and 0 <= minor <= _LARGEST_MINOR
