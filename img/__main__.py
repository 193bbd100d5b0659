"""``python -m img``."""

from img.entrypoints.cli.app import main

if __name__ == "__main__":
    main()
