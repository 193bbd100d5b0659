"""Answers of the supervisor to a call."""

from enum import Enum


class Reply(Enum):
    """Answers that are not a value; a handler that fails raises OSError."""

    LET_PASS = "let pass"  # the kernel executes the call
    SENT = "sent"  # the answer is sent already


Answer = int | Reply
