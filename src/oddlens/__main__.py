"""The program: `oddlens`, or `python -m oddlens`."""

import sys


def main() -> None:
    """Run the command line. Ctrl-C counts from the first moment: the command line itself takes a while to import."""
    try:
        from oddlens.cli import main as run

        run()
    except KeyboardInterrupt:
        if sys.stderr is not None:
            print("stopped", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
