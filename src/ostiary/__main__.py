"""`python -m ostiary` is the same as `ostiary`."""

from ostiary.cli.main import main

if __name__ == "__main__":
    main()
