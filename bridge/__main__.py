"""`python -m bridge verify|selftest|settings|bench|status|promote|rollback`."""

import argparse
import importlib
import json
import logging
import sys
import tomllib
import warnings
from pathlib import Path
from typing import Any

import torch
from rich.table import Table

from experiment.run import console
from experiment.system import UserError, write_whole

warnings.filterwarnings("ignore", category=DeprecationWarning)
logging.getLogger("Φ-ML").setLevel(logging.WARNING)
_STEPS = ("step1", "step2", "step3", "physics", "hybrid")
_PRESETS = ("step1", "step2", "step3", "full")


def verify(step: str, json_file: str | None) -> int:
    """Climbs the ladder in every case; 0 pass, 1 failure, 2 not judged."""
    from bridge._evidence import write_evidence
    from bridge.verify import (
        CaseResult,
        as_json,
        case_names,
        climb,
        climb_data,
        climb_hybrid,
        climb_physics,
        climb_training,
        data_case_names,
        exit_code,
        physics_case_names,
        training_case_names,
    )

    ladders = {
        "step1": (climb, case_names()),
        "step2": (climb_training, training_case_names()),
        "step3": (climb_data, data_case_names()),
        "physics": (climb_physics, physics_case_names()),
        "hybrid": (climb_hybrid, physics_case_names()),
    }
    every: list[CaseResult] = []
    for name in ladders if step == "all" else (step,):
        climbing, cases = ladders[name]
        results: list[CaseResult] = []
        for case in cases:
            result = climbing(case)
            results.append(result)
            print(f"{result.case}: {result.verdict.value}")
            for rung in result.rungs:
                print(rung.line())
        code = exit_code(results)
        path = write_evidence(name, code, json.loads(as_json(results)))
        passed = sum(exit_code([r]) == 0 for r in results)
        print(f"{name}: {passed}/{len(results)} cases pass; evidence in {path.name}")
        every += results
    if json_file:
        write_whole(Path(json_file), as_json(every))
    return exit_code(every)


def promote(step: str) -> int:
    """Makes a step the default, on fresh green evidence for it and those below."""
    from bridge._evidence import problems
    from bridge._status import PRESETS, choose_preset, default_preset

    needed = [p for p in PRESETS[1 : PRESETS.index(step) + 1] if p != "full"]
    needed += ["physics", "hybrid"] if step == "full" else []
    found = [problem for name in needed for problem in problems(name)]
    if found:
        raise UserError(f"{step} is not promoted:\n  " + "\n  ".join(found))
    print(choose_preset(step) or f"{default_preset()} is the default already")
    return 0


def rollback(step: str) -> int:
    """Makes the preset before a step the default; never asks for evidence."""
    from bridge._status import PRESETS, below, choose_preset, default_preset

    now = default_preset()
    if PRESETS.index(now) < PRESETS.index(step):
        print(f"{now} is the default; {step} is not in use")
        return 0
    print(choose_preset(below(step)))
    return 0


def selftest() -> int:
    """Plants every fault; 0 if all are caught by name and A/A gives no alarm."""
    from bridge.verify._selftest import AA_RUNS, Caught, false_alarms, plant_all

    def report(caught: Caught) -> None:
        mark = "caught" if caught.caught else "MISSED"
        print(f"{mark}  {caught.rung}  {caught.name}")
        if not caught.caught:
            print(f"        seen instead: {caught.seen}")

    results = plant_all(report)
    alarms = false_alarms()
    caught = [r for r in results if r.caught]
    weakest = min(caught, key=lambda r: r.margin, default=None)
    margin = f"{weakest.name}, {weakest.margin:.0f}x over the limit" if weakest else "-"
    print(f"A/A, control against its copy: {alarms} false alarms in {AA_RUNS}")
    print(f"{len(caught)}/{len(results)} faults caught; weakest margin: {margin}")
    return 0 if len(caught) == len(results) and results and not alarms else 1


def settings() -> int:
    """The semantic settings of both sides, a row each; 1 if one is unequal."""
    from bridge.verify._describe import ROWS_PER_CASE, described, sources, unread_keys

    rows, shown = described(), console()
    for case in dict.fromkeys(row.case for row in rows):
        table = Table(title=f"{case}\n{sources(case)}", title_justify="left")
        for heading in ("setting", "control", "candidate", ""):
            table.add_column(heading, overflow="fold")
        for row in rows:
            if row.case == case:
                table.add_row(row.setting, row.control, row.candidate, row.mark)
        shown.print(table)
    unequal = sum(row.unequal for row in rows)
    unread = unread_keys()
    shown.print(f"config keys that nobody reads: {', '.join(unread) or 'none'}")
    shown.print(f"{len(rows)} settings, {unequal} unequal without a known reason")
    return 1 if unequal or unread or len(rows) < ROWS_PER_CASE else 0


def status() -> int:
    """What is built, and which preset a run uses by default."""
    from bridge._status import status_table

    console().print(status_table())
    return 0


def benchmarks() -> Any:
    """What `pyproject.toml` names as `bench`; loaded by name, as no part of the bridge.

    Raises:
        UserError: The folder is not there.
    """
    table = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["bridge"]
    module, _, name = table["bench"].partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise UserError(
            f"`{error.name}` is not here; run `bench` in the project's folder, with"
            " `pip install -e '.[dev]'`."
        ) from error


def main() -> int:
    """Runs one command; 2 if its arguments or files don't fit."""
    parser = argparse.ArgumentParser(prog="python -m bridge", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    verifying = commands.add_parser("verify", help="prove a step, rung by rung")
    verifying.add_argument("step", choices=[*_STEPS, "all"])
    verifying.add_argument("--json", metavar="FILE", help="write the same facts")
    commands.add_parser("selftest", help="plant every fault and see it found")
    commands.add_parser("settings", help="compare the settings of both sides")
    commands.add_parser("status", help="what is built, and what runs by default")
    measuring = commands.add_parser("bench", help="measure what each side costs")
    if sys.argv[1:2] == ["bench"]:
        benchmarks().add_arguments(measuring)
    for name, text in (("promote", "make it the default"), ("rollback", "go back")):
        command = commands.add_parser(name, help=text)
        command.add_argument("step", choices=_PRESETS)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    # Verifying changes Scenes on purpose; that a cache is built again is no news.
    for room in ("legacy", "phiml_port"):
        logging.getLogger(room).setLevel(logging.ERROR)
    try:
        match chosen.command:
            case "verify":
                return verify(chosen.step, chosen.json)
            case "selftest":
                return selftest()
            case "settings":
                return settings()
            case "bench":
                return benchmarks().run(chosen)
            case "promote":
                return promote(chosen.step)
            case "rollback":
                return rollback(chosen.step)
            case _:
                return status()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.status


if __name__ == "__main__":
    sys.exit(main())
