"""Which run of the kernel this is."""


def boot_name() -> str:
    """Return a name that is another one after the machine has started anew.

    It is the same in all containers of the machine (random(4), boot_id).
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return f"boot-{file.read(8)}"
    except (OSError, ValueError):
        return "boot-unknown"
