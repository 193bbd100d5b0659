"""Dispatch of intercepted system calls to their handlers."""

import errno
import struct
from collections.abc import Callable, Mapping, Set

from img.adapters.syscall_supervisor import bpf
from img.adapters.syscall_supervisor.listener import Listener, Notification
from img.adapters.syscall_supervisor.replies import Answer, Reply

Handler = Callable[[Notification], Answer]
"""Raises LookupError if the kernel should execute the call, OSError if the call fails."""


class Dispatcher:
    """Calls the handler of each intercepted call, and sends its result as the answer.

    ``final_errors`` returns the errors of a call's handler that the caller gets; after all other
    errors the kernel executes the call, or reports the error itself. None: all errors are final.
    ``foreign`` gets the calls of 32-bit programs that have no handler for that number; ``finish``
    is called after each call.
    """

    def __init__(
        self,
        listener: Listener,
        handlers: Mapping[str, Handler],
        *,
        final_errors: Callable[[str], Set[int] | None] = lambda _: None,
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
            (architecture, number): (handlers[name], final_errors(name))
            for architecture, calls in tables.items()
            for name, number in calls.items()
            if name in handlers
        }

    def attend(self) -> None:
        """Wait for the next call and answer it. Raises NoProcessLeft."""
        call = self._listener.receive()
        if call is None:
            return
        found = self._handlers.get((call.architecture, call.number))
        if found is None:
            assert self._foreign is not None, call
            found = self._foreign, None
        handler, final_errors = found
        try:
            answer = handler(call)
        except LookupError:
            answer = Reply.LET_PASS
        except (OSError, ValueError, OverflowError, struct.error) as error:
            # Everything but OSError: a number or a text of the caller that Python cannot convert.
            code = error.errno or errno.EIO if isinstance(error, OSError) else errno.EINVAL
            if final_errors is None or code in final_errors:
                self._listener.refuse(call, code)
                return
            answer = Reply.LET_PASS
        finally:
            self._finish()
        if answer is Reply.LET_PASS:
            self._listener.let_pass(call)
        elif not isinstance(answer, Reply):
            self._listener.answer(call, answer)
