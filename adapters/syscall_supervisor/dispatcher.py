"""Answers the calls that a filter tells, each by what is known of it."""

import errno
import struct
from collections.abc import Callable, Mapping, Set

from img.adapters.syscall_supervisor import bpf
from img.adapters.syscall_supervisor.listener import Listener, Notification
from img.adapters.syscall_supervisor.replies import Answer, Reply

Handler = Callable[[Notification], Answer]
"""Raises LookupError for what is the kernel's to do, OSError for what fails."""


class Answerer:
    """Finds the handler of a call by its name, and says what that says.

    ``passing`` tells of a call which of its handler's errors mean that the kernel shall do it, or
    say itself what is wrong with it: all but those returned; None: no error does. ``foreign`` gets
    the calls of 32-bit programs that have no handler of that number; ``finish`` is called after
    each.
    """

    def __init__(
        self,
        listener: Listener,
        handlers: Mapping[str, Handler],
        *,
        refusals: Callable[[str], Set[int] | None] = lambda _: None,
        foreign: Handler | None = None,
        finish: Callable[[], None] = lambda: None,
    ) -> None:
        machine = bpf.this_machine()
        assert machine is not None
        self._listener = listener
        self._finish = finish
        self._foreign = foreign
        tables = {machine.native: machine.calls}
        if foreign is None:
            tables[machine.compat] = machine.compat_calls
        self._handlers = {
            (architecture, number): (handlers[name], refusals(name))
            for architecture, calls in tables.items()
            for name, number in calls.items()
            if name in handlers
        }

    def attend(self) -> None:
        """Wait for the next call and answer it. Raises EverybodyGone."""
        call = self._listener.receive()
        if call is None:
            return
        found = self._handlers.get((call.architecture, call.number))
        if found is None:
            assert self._foreign is not None, call
            found = self._foreign, None
        handler, refusals = found
        try:
            answer = handler(call)
        except LookupError:
            answer = Reply.LET_PASS
        except (OSError, ValueError, OverflowError, struct.error) as error:
            # All but OSError: a number or a text of the caller's that is none for Python.
            code = error.errno or errno.EIO if isinstance(error, OSError) else errno.EINVAL
            if refusals is None or code in refusals:
                self._listener.refuse(call, code)
                return
            answer = Reply.LET_PASS
        finally:
            self._finish()
        if answer is Reply.LET_PASS:
            self._listener.let_pass(call)
        elif not isinstance(answer, Reply):
            self._listener.answer(call, answer)
