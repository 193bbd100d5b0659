"""The size of buffers for copying files."""

CHUNK = 1 << 20  # bytes; larger ones are no faster, and each thread of a copy holds one
