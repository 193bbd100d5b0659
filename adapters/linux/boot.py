"""The identity of the current boot of the kernel."""


def boot_name() -> str:
    """Return a name that changes with every boot of the machine.

    All containers of the machine have the same name (random(4), boot_id).
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return f"boot-{file.read(8)}"
    except (OSError, ValueError):
        return "boot-unknown"
