"""`python -m sscard` is `sscard`."""

from sscard.cli import main

if __name__ == "__main__":
    main()
