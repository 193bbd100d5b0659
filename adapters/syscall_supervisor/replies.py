"""What the supervisor says to a call."""

from enum import Enum


class Reply(Enum):
    """Answers that are no value; a call that fails is an OSError."""

    LET_PASS = "let pass"  # the kernel does it
    SENT = "sent"  # answered already


Answer = int | Reply
