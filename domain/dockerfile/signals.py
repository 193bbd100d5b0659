"""Signal names of STOPSIGNAL (moby/sys signal.ParseSignal, on Linux)."""

from img.domain.errors import DockerfileError

_STANDARD = (
    "ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT "
    "STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX"
)
_NAMES = {
    *_STANDARD.split(),
    *(f"RTMIN+{number}" for number in range(1, 16)),
    *(f"RTMAX-{number}" for number in range(1, 15)),
}


def check_signal(signal: str, lines: tuple[int, int] | None = None) -> None:
    """Accept a number, ``TERM`` or ``SIGTERM`` in any case. Raises DockerfileError."""
    digits = signal[1:] if signal[:1] in ("+", "-") else signal
    is_number = digits.isascii() and digits.isdigit() and int(digits[:10]) != 0
    if not is_number and signal.upper().removeprefix("SIG") not in _NAMES:
        raise DockerfileError(f"invalid signal: {signal}", lines=lines)
