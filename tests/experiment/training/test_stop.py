"""Signals inside signals: a comparison's, around those of its trainings."""

import signal

from experiment.training import StopSignal


def test_the_outer_learns_what_the_inner_caught() -> None:
    with StopSignal() as outer:
        with StopSignal() as inner:
            signal.raise_signal(signal.SIGTERM)
            assert inner.name == "SIGTERM"
        assert outer.name == "SIGTERM"


def test_the_inner_knows_what_the_outer_caught() -> None:
    """Else a training that begins after the signal would run to its end."""
    with StopSignal() as outer:
        signal.raise_signal(signal.SIGINT)
        with StopSignal() as inner:
            assert inner.name == outer.name == "SIGINT"


def test_one_alone_restores_what_was_there() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with StopSignal() as stop:
        assert stop.name is None
    assert signal.getsignal(signal.SIGTERM) == before
