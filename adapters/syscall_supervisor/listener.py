"""Receiving and answering the system calls of other processes (seccomp_unotify(2))."""

import contextlib
import errno
import fcntl
import os
import select
import struct
from typing import NamedTuple

# linux/seccomp.h; the sizes in them are those of the structures below.
_RECEIVE = 0xC050_2100
_SEND = 0xC018_2101
_ID_VALID = 0x4008_2102
_ADD_DESCRIPTOR = 0x4018_2103
_SET_FLAGS = 0x4008_2104
_SYNC_WAKE_UP = 1
_CONTINUE = 1
_ADD_AND_SEND = 2  # since Linux 5.14, the others since 5.9

_NOTIFICATION = struct.Struct("QIIiIQ6Q")
_RESPONSE = struct.Struct("QqiI")
_DESCRIPTOR = struct.Struct("QIIII")


class Notification(NamedTuple):
    """An intercepted call that waits for an answer."""

    id: int
    pid: int  # of the thread, in the receiver's pid namespace
    number: int
    architecture: int
    arguments: tuple[int, ...]  # six, unsigned


class NoProcessLeft(Exception):
    """No process with the filter is left."""


class Listener:
    """Receives the calls that a filter intercepts, and answers them.

    A caller may be killed at any time: an answer to a call that is gone is no error.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._request = bytearray(_NOTIFICATION.size)
        self._empty = bytes(_NOTIFICATION.size)

    def share_processor(self) -> None:
        """Run caller and receiver on one processor, in turns: a call takes 15 % less time."""
        with contextlib.suppress(OSError):  # before Linux 6.6
            fcntl.ioctl(self.descriptor, _SET_FLAGS, _SYNC_WAKE_UP)

    def receive(self) -> Notification | None:
        """Wait for the next call; return None if the call was given up meanwhile.

        Raises NoProcessLeft.
        """
        request = self._request
        request[:] = self._empty  # the kernel requires zeros
        try:
            fcntl.ioctl(self.descriptor, _RECEIVE, request)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EINTR, errno.ENOTCONN):
                raise
            # Linux 6.11 and later give up at once then, with ENOENT.
            if error.errno == errno.ENOTCONN or self._is_abandoned():
                raise NoProcessLeft from None
            return None
        found = _NOTIFICATION.unpack(request)
        return Notification(found[0], found[1], found[3], found[4], found[6:])

    def let_pass(self, call: Notification) -> None:
        """Let the kernel execute the call."""
        self._send(_RESPONSE.pack(call.id, 0, 0, _CONTINUE))

    def answer(self, call: Notification, value: int) -> None:
        """Let the call return ``value``; the kernel does not execute it."""
        self._send(_RESPONSE.pack(call.id, value, 0, 0))

    def refuse(self, call: Notification, error: int) -> None:
        """Let the call fail with errno ``error``."""
        self._send(_RESPONSE.pack(call.id, 0, -error, 0))

    def hand_over(self, call: Notification, descriptor: int, *, inheritable: bool) -> None:
        """Let the call return a new descriptor for the file of ``descriptor``."""
        flags = 0 if inheritable else os.O_CLOEXEC
        request = _DESCRIPTOR.pack(call.id, _ADD_AND_SEND, descriptor, 0, flags)
        try:
            fcntl.ioctl(self.descriptor, _ADD_DESCRIPTOR, request)
        except OSError as error:
            if error.errno == errno.EINVAL:
                self._hand_over_in_two(call, descriptor, flags)
            elif error.errno != errno.ENOENT:
                raise

    def _hand_over_in_two(self, call: Notification, descriptor: int, flags: int) -> None:
        request = bytearray(_DESCRIPTOR.pack(call.id, 0, descriptor, 0, flags))
        try:
            number = fcntl.ioctl(self.descriptor, _ADD_DESCRIPTOR, request)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
        else:
            # If a signal interrupts the caller right here, it keeps a descriptor that it does not
            # know of.
            self.answer(call, number)

    def is_waiting(self, call: Notification) -> bool:
        """Tell whether the caller still waits, so that the pid is still that of the caller."""
        try:
            fcntl.ioctl(self.descriptor, _ID_VALID, struct.pack("Q", call.id))
        except OSError:
            return False
        return True

    def _is_abandoned(self) -> bool:
        poll = select.poll()
        poll.register(self.descriptor, 0)
        return bool(poll.poll(0))  # of no events but POLLHUP

    def _send(self, response: bytes) -> None:
        try:
            fcntl.ioctl(self.descriptor, _SEND, response)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
