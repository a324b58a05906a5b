"""The command line."""

__all__ = ["main"]


def main() -> None:
    """The command ``clearhead``."""
    from clearhead.cli.app import main as run

    run()
