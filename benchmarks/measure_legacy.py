"""Measures the control: `python -m benchmarks.measure_legacy step|loader|memory`."""

import argparse
import logging
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn import functional

from benchmarks._interleaved import interleaved
from benchmarks._memory import peak_anonymous
from benchmarks.settings import experiment_settings, simulated
from bridge import build_trainer
from experiment.run import RunFolder
from experiment.settings import Settings
from experiment.system import Progress
from legacy.data import WindowLoader
from legacy.training import SyntheticTrainer

warnings.filterwarnings("ignore", category=DeprecationWarning)
logging.getLogger("Φ-ML").setLevel(logging.WARNING)
THREADS = 2


def training_step(folder: Path) -> None:
    """The trainer's step against a bare loop over the same network."""
    torch.set_num_threads(THREADS)
    for name, overrides in {
        "unet, 16 filters, batch norm": (
            "model.synthetic.architecture.batch_norm=true",
        ),
        "unet, 16 filters": (),
        "convnet, 3 layers of 32": ("model/synthetic=convnet",),
    }.items():
        settings = simulated(experiment_settings(folder, "burgers", *overrides))
        trainer, bare = _control(settings), _control(settings)
        windows = next(iter(WindowLoader(settings, [0], shuffle=True)))
        bare.model.train()
        trainer.model.train()
        ratio = interleaved(
            lambda t=trainer, w=windows: t.training_step(w, _nothing),
            _bare_step(bare.network, windows),
            calls=3,
        )
        print(f"trainer / bare loop, {name}: {ratio}")


def _control(settings: Settings) -> SyntheticTrainer:
    trainer = build_trainer(settings)
    assert isinstance(trainer, SyntheticTrainer)
    return trainer


def _nothing(loss: float) -> None:
    """Accepts any loss."""


def _bare_step(network: torch.nn.Module, windows: torch.Tensor) -> Callable[[], None]:
    """What a user would write by hand for Burgers, where every channel is dynamic."""
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    steps = windows.shape[2] - 1

    def step() -> None:
        optimiser.zero_grad()
        state = windows[:, :, 0]
        loss = torch.zeros(())
        for t in range(1, steps + 1):
            state = state + network(state)
            loss = loss + functional.mse_loss(state, windows[:, :, t])
        (loss / steps).backward()
        optimiser.step()

    return step


def loader(folder: Path) -> None:
    """Windows per second of the warm loader."""
    torch.set_num_threads(THREADS)
    settings = simulated(experiment_settings(folder, "burgers"))
    windows = WindowLoader(settings, settings.trainer.train_sim, shuffle=True)
    rates = []
    for epoch in range(12):
        windows.set_epoch(epoch)
        start, count = time.perf_counter(), 0
        for batch in windows:
            count += len(batch)
        rates.append(count / (time.perf_counter() - start))
    rates = rates[2:]
    print(
        f"windows/s of the warm loader, 64x64, batch 8, roll-out 4: median"
        f" {statistics.median(rates):,.0f}, lowest {min(rates):,.0f}, highest"
        f" {max(rates):,.0f} of {len(rates)} epochs"
    )


def memory(folder: Path) -> None:
    """Peak anonymous memory of training with 4 and with 40 simulations."""
    peaks = {}
    for simulations in (4, 40):
        settings = _memory_settings(folder, simulations)
        simulated(settings)
        command = [sys.executable, "-m", "benchmarks.measure_legacy", "train"]
        command += ["--folder", str(folder), "--simulations", str(simulations)]
        # The first run builds the cache files, the last one is measured.
        outputs = [
            subprocess.run(command, capture_output=True, text=True, check=True).stdout
            for _ in range(2)
        ]
        peaks[simulations] = float(outputs[-1].split()[-1])
        size = sum(f.stat().st_size for f in (folder / "cache").rglob("*.safetensors"))
        print(
            f"{simulations} simulations, {size / 1e6:.0f} MB: {peaks[simulations]} MB"
        )
    print(f"ratio of the peaks: {peaks[40] / peaks[4]:.3f}")


def _memory_settings(folder: Path, simulations: int) -> Settings:
    train = ",".join(str(i) for i in range(simulations - 1))
    return experiment_settings(
        folder,
        "burgers",
        "model/synthetic=convnet",
        "model.synthetic.architecture.layers=[4]",
        f"data.num_simulations={simulations}",
        "data.trajectory_length=101",
        f"trainer.train_sim=[{train}]",
        f"trainer.val_sim=[{simulations - 1}]",
        "evaluation.test_sim=[0]",
        "trainer.synthetic.epochs=1",
    )


def train_and_print_peak(folder: Path, simulations: int) -> None:
    """Trains and prints the peak of anonymous resident memory, in MB."""
    torch.set_num_threads(THREADS)
    settings = _memory_settings(folder, simulations)
    trainer = build_trainer(settings)
    print(peak_anonymous(lambda: trainer.train(RunFolder(settings), Progress())))


def main() -> None:
    """Measures one of them, in a folder that is removed afterwards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["step", "loader", "memory", "train"])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--simulations", type=int)
    chosen = parser.parse_args()
    if chosen.what == "train":
        train_and_print_peak(chosen.folder, chosen.simulations)
        return
    print(f"torch {torch.__version__}, {THREADS} threads")
    measure = {"step": training_step, "loader": loader, "memory": memory}
    with tempfile.TemporaryDirectory() as folder:
        measure[chosen.what](Path(folder))


if __name__ == "__main__":
    main()
