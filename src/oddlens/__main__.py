"""`python -m oddlens`."""

from oddlens.cli import main

if __name__ == "__main__":
    main()
