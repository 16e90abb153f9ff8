"""Arguments of the commands that take a run's own words."""

import argparse

from bridge.harness.errors import HarnessError
from bridge.harness.words import SIZES, Words


def add_word_arguments(parser: argparse.ArgumentParser) -> None:
    """The configuration and the settings that a run is started with."""
    parser.add_argument(
        "words",
        nargs="*",
        metavar="key=value",
        help="settings, as run.py takes them; without any, the ladder's own cases",
    )
    parser.add_argument(
        *("--config-name", "-cn"),
        metavar="NAME",
        help="the run's configuration; burgers.yaml if there are settings alone",
    )
    parser.add_argument(
        *("--config-dir", "-cd"),
        metavar="FOLDER",
        help="another folder with configurations",
    )


def words_of(options: argparse.Namespace, others: list[str]) -> Words:
    """What was given of a run.

    Args:
        options: The parsed arguments; `ladder` may have taken the first word.
        others: What the parser left over: words behind an option.

    Raises:
        HarnessError: An option that doesn't exist, or no ladder.
    """
    unknown = [word for word in others if word.startswith("-")]
    if unknown:
        raise HarnessError(
            f"`{unknown[0]}` is no option of `{options.command}`; see"
            f" `python -m bridge {options.command} --help`"
        )
    words = [*options.words, *others]
    if options.ladder is not None and ("=" in options.ladder or "~" in options.ladder):
        words.insert(0, options.ladder)
        options.ladder = options.no_ladder
        if options.ladder is None:
            raise HarnessError(
                f"which ladder? `{words[0]}` is a setting; name a ladder before it:"
                f" `python -m bridge {options.command} step2 {words[0]}`"
            )
    for word in words:
        if "=" not in word and not word.startswith("~"):
            raise HarnessError(
                f"`{word}` is no setting; expected `key=value`, and the ladder before"
                f" them: `python -m bridge {options.command} step2 key=value`"
            )
    return Words(
        options.config_name,
        tuple(words),
        options.config_dir,
        getattr(options, "sizes", SIZES[0]),
    )
