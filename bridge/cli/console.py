"""Where tables are printed."""

from rich.console import Console


def console() -> Console:
    """The terminal; 80 columns wide where the output is no terminal."""
    shown = Console(highlight=False, soft_wrap=False)
    return shown if shown.is_terminal else Console(highlight=False, width=80)
