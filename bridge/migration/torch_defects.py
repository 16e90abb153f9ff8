"""Faults of torch's operations and optimisers: each setting flipped, one by one."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from bridge.migration.defects import Defect, changing
from bridge.migration.pair import Pair
from bridge.migration.subject import Subject
from bridge.migration.torch_modules import TorchSubject

_ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": torch.relu,
    "gelu": functional.gelu,
    "gelu with tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "silu": functional.silu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "elu": functional.elu,
    "leaky_relu": functional.leaky_relu,
    "softplus": functional.softplus,
}
#: Names under which torch calls an activation.
_ALIASES = {"relu_": "relu", "silu_": "silu", "tanh_": "tanh", "sigmoid_": "sigmoid"}
#: Floats whose size is a choice.
_FLOATS = ("eps", "momentum", "negative_slope", "alpha", "p", "scale")
#: Words that are a choice, with what else they may be.
_WORDS: dict[str, Sequence[Any]] = {
    "mode": ("constant", "circular", "reflect", "replicate", "nearest", "bilinear"),
    "norm": (None, "forward", "backward", "ortho"),
    "align_corners": (True, False),
    "is_causal": (True, False),
    "training": (True, False),
    "count_include_pad": (True, False),
    "ceil_mode": (True, False),
    "antialias": (True, False),
}


class _Flipped(TorchFunctionMode):
    """Calls of one operation answered by another function."""

    def __init__(self, name: str, answer: Callable[..., Any]) -> None:
        super().__init__()
        self._name, self._answer, self._inside = name, answer, False

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") == self._name:
            return self._answer(func, *args, **kwargs)
        return func(*args, **kwargs)


class _Recorded(TorchFunctionMode):
    """The operations that are called, with the names and values of their settings."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: dict[str, dict[str, Any]] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        if name:
            self.calls.setdefault(name, {}).update(_settings(func, args, kwargs or {}))
        return func(*args, **(kwargs or {}))


def _settings(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Settings by name, also those that were given by place."""
    names = _names(func)
    given = dict(zip(names, args, strict=False)) | kwargs
    defaults = _defaults(func)
    return {
        k: v
        for k, v in (defaults | given).items()
        if k in _FLOATS or k in _WORDS or k == "approximate"
    }


def _names(func: Any) -> list[str]:
    import inspect

    try:
        return list(inspect.signature(func).parameters)
    except (TypeError, ValueError):
        return _BUILTINS.get(getattr(func, "__name__", ""), [])


def _defaults(func: Any) -> dict[str, Any]:
    import inspect

    try:
        parameters = inspect.signature(func).parameters
    except (TypeError, ValueError):
        name = getattr(func, "__name__", "")
        return {"norm": None} if "fft" in name else {}
    return {n: p.default for n, p in parameters.items() if p.default is not p.empty}


#: Places of the arguments of functions that don't tell.
_BUILTINS = {
    "batch_norm": [
        "input",
        "weight",
        "bias",
        "running_mean",
        "running_var",
        "training",
        "momentum",
        "eps",
        "cudnn_enabled",
    ],
    "layer_norm": ["input", "normalized_shape", "weight", "bias", "eps"],
    "gelu": ["input"],
    **{
        n: ["input", "n" if "n" not in n[-1] and "2" not in n else "s", "dim", "norm"]
        for n in (
            "fft_fft",
            "fft_ifft",
            "fft_rfft",
            "fft_irfft",
            "fft_fft2",
            "fft_rfft2",
            "fft_irfft2",
            "fft_fftn",
            "fft_ifftn",
            "fft_rfftn",
            "fft_irfftn",
        )
    },
}


def of_operations(pair: Pair) -> Iterator[Defect]:
    """Each setting of each operation that the control calls, flipped everywhere."""
    subject = pair.oracle
    assert isinstance(subject, TorchSubject)
    recorder = _Recorded()
    pair.refill(subject)
    inputs, _ = pair.batch(max(pair.migration.sizes))
    try:
        with torch.no_grad(), recorder:
            subject._call([subject.tensor(v) for v in inputs], True)
    except Exception:
        return
    for name, settings in list(recorder.calls.items()):
        kind = _ALIASES.get(name, name)
        if kind in _ACTIVATIONS:
            own = "gelu with tanh" if settings.get("approximate") == "tanh" else kind
            for other, function in _ACTIVATIONS.items():
                if other != own:
                    yield _operation(
                        f"{other} for {own}",
                        name,
                        lambda func, x, *a, f=function, **k: f(x),
                    )
        for key, value in settings.items():
            yield from _of_setting(name, key, value)
    for dtype in (torch.bfloat16, torch.float16):
        word = str(dtype).removeprefix("torch.")
        yield changing(
            f"computed in {word} (autocast)",
            context=lambda d=dtype: torch.autocast("cpu", d),
        )
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        word = str(dtype).removeprefix("torch.")
        yield changing(
            f"inputs rounded to {word}",
            inputs=lambda values, d=dtype: [
                v.to(d).to(v.dtype) if v.is_floating_point() else v for v in values
            ],
        )


def _of_setting(name: str, key: str, value: Any) -> Iterator[Defect]:
    others: list[Any] = []
    if key in _FLOATS and isinstance(value, float | int):
        others = [value * 10, value / 10]
        others += [1 - value] if key in ("momentum", "p") and 0 < value < 1 else []
        others += [0.0] if value and key == "p" else []
    elif key in _WORDS:
        same = {None, "backward"} if key == "norm" else {value}
        others = [
            w for w in _WORDS[key] if w != value and not (value in same and w in same)
        ]
    for other in others:

        def answer(func: Any, *args: Any, k: str = key, o: Any = other, **kwargs: Any):
            names = _names(func)
            place = names.index(k) if k in names else len(args)
            if place < len(args):
                args = (*args[:place], o, *args[place + 1 :])
            else:
                kwargs[k] = o
            return func(*args, **kwargs)

        shown = name.removeprefix("fft_")
        was = "none" if value is None else value
        yield _operation(
            f"{key} of {shown} {_show(other)} for {_show(was)}", name, answer
        )


def _show(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _operation(title: str, name: str, answer: Callable[..., Any]) -> Defect:
    return changing(title, context=lambda: _Flipped(name, answer))


def of_optimiser(pair: Pair) -> Iterator[Defect]:
    """Each setting of the control's optimiser, flipped."""
    subject = pair.oracle
    assert isinstance(subject, TorchSubject)
    subject.start()
    optimiser = subject.optimiser()
    kind = type(optimiser).__name__
    for key, value in optimiser.defaults.items():
        for other in _other_values(key, value):

            def change(made: Any, k: str = key, o: Any = other) -> Any:
                for group in made.param_groups:
                    group[k] = o
                return made

            yield changing(
                f"{kind}'s {key} {_shown(other)} for {_shown(value)}", optimiser=change
            )
    for other_kind in (torch.optim.SGD, torch.optim.AdamW, torch.optim.Adam):
        if not isinstance(optimiser, other_kind):
            rate = optimiser.defaults["lr"]
            yield changing(
                f"{other_kind.__name__} for {kind}",
                optimiser=lambda made, c=other_kind, r=rate: c(
                    [p for g in made.param_groups for p in g["params"]], lr=r
                ),
            )


def _other_values(key: str, value: Any) -> list[Any]:
    if key in (
        "amsgrad",
        "nesterov",
        "maximize",
        "decoupled_weight_decay",
        "centered",
    ):
        return [not value]
    if key == "betas":
        first, second = tuple(value)
        firsts = [b for b in (0.0, 0.5, 0.8, 0.95, 0.99) if b != first]
        seconds = [b for b in (0.9, 0.95, 0.99, 0.9999) if b != second]
        return [(b, second) for b in firsts] + [(first, b) for b in seconds]
    if key == "weight_decay":
        return [w for w in (0.0, 1e-4, 1e-3, 1e-2, 1e-1) if w != value]
    if key == "momentum":
        return [m for m in (0.0, 0.9, 0.99) if m != value]
    if isinstance(value, float) and value > 0:
        return [value * f for f in (10, 0.1, 100, 0.01, 2, 0.5)]
    return []


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


__all__ = ["Subject", "of_operations", "of_optimiser"]
