"""Where the process begins: before anything that takes time to import."""

import signal


def main() -> None:
    """Run the command line and end the process with its exit code."""
    # Ctrl-C ends this process without a word until there is somebody who says it well (app.main).
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from img.entrypoints.cli import app

    app.main()
