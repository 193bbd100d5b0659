"""Runs the BPF programs of seccomp filters as the kernel does, on any machine."""

import struct
from collections.abc import Sequence
from functools import lru_cache


def verdict(
    program: bytes,
    architecture: int,
    number: int,
    arguments: Sequence[int] = (),
    *,
    executed: list[int] | None = None,
) -> int:
    """Return the program's answer to a call (struct seccomp_data).

    ``executed`` gets the places of the instructions that are executed.
    """
    data = struct.pack("IIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    code = _instructions(program)
    accumulator = place = 0
    while True:
        if executed is not None:
            executed.append(place)
        operation, if_true, if_false, operand = code[place]
        place += 1
        match operation:
            case 32:
                (accumulator,) = struct.unpack_from("I", data, operand)
            case 84:
                accumulator &= operand
            case 5:
                place += operand
            case 21:
                place += if_true if accumulator == operand else if_false
            case 53:
                place += if_true if accumulator >= operand else if_false
            case 69:
                place += if_true if accumulator & operand else if_false
            case 6:
                return int(operand)
            case _:
                raise ValueError(operation)


@lru_cache(maxsize=16)
def _instructions(program: bytes) -> list[tuple[int, int, int, int]]:
    return list(struct.iter_unpack("HBBI", program))
