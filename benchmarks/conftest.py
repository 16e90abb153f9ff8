"""Pins threads and quietens libraries before anything is measured."""

from benchmarks.harness.machine import device, prepare, threads


def pytest_configure() -> None:
    prepare()


def pytest_report_header() -> str:
    return f"benchmarks on {device()}, {threads()} threads of torch"


def pytest_sessionfinish() -> None:
    from benchmarks.test_speed import CURRENT

    CURRENT.remove()
