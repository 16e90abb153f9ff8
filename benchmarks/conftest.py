"""Pins threads and quietens libraries before anything is measured."""

from benchmarks._machine import device, prepare, threads


def pytest_configure() -> None:
    prepare()


def pytest_report_header() -> str:
    return f"benchmarks on {device()}, {threads()} threads of torch"
