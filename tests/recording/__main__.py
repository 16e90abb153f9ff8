"""`python -m tests.recording --write FILE | --compare FILE [--only PREFIX ...]`."""

import argparse
import sys
from pathlib import Path

from tests.recording.entries import read_recording, write_recording
from tests.recording.recorder import chosen, differences, record, table


def main() -> int:
    """Writes or compares a recording; 1 if anything differs or failed."""
    parser = argparse.ArgumentParser(prog="tests.recording", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", type=Path, metavar="FILE")
    what.add_argument("--compare", type=Path, metavar="FILE")
    parser.add_argument(
        "--only",
        action="append",
        metavar="PREFIX",
        help="only entries whose names begin so, as `synthetic/`; may be repeated",
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    given = parser.parse_args()
    only = given.only or [""]
    stored = read_recording(given.compare) if given.compare else {}
    found, failed = record(only, quiet=given.quiet)
    if failed:
        print(f"{len(failed)} cases failed: {', '.join(failed)}")
    if given.write:
        write_recording(given.write, found)
        print(f"{len(found)} entries written to {given.write}")
        return 1 if failed else 0
    expected = {n: e for n, e in stored.items() if chosen(n, only)}
    rows = differences(expected, found)
    if rows:
        print(table(rows))
    names = {row[0] for row in rows}
    equal = len({*expected, *found}) - len(names)
    print(f"{equal} entries are the same, {len(names)} differ")
    return 1 if rows or failed else 0


if __name__ == "__main__":
    sys.exit(main())
