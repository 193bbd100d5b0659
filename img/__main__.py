"""``python -m img``."""

from img.entrypoints.start import main

if __name__ == "__main__":
    main()
