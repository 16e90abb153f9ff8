"""Converters: everything kept, nothing guessed."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from phiml import math
from phiml.math import Tensor, batch, channel, spatial

from bridge.convert import ConversionError, to_phiml, to_torch

math.use("torch")
DIMS = ("batch", "time", "x", "y", "z", "vector")
DTYPES = (
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
    torch.int32,
    torch.int64,
    torch.uint8,
    torch.bool,
    torch.complex64,
    torch.complex128,
)


def any_tensor(sizes: list[int], dtype: torch.dtype) -> torch.Tensor:
    values = torch.from_numpy(np.random.default_rng(0).integers(0, 100, sizes))
    return values.to(dtype)


@st.composite
def layouts(draw: Any) -> tuple[list[str], list[int]]:
    names = draw(st.permutations(DIMS))[: draw(st.integers(0, 6))]
    return names, [draw(st.integers(0, 4)) for _ in names]


@settings(max_examples=300, deadline=None)
@given(layouts(), st.sampled_from(DTYPES), st.data(), st.sampled_from([16, 32, 64]))
def test_every_round_trip_is_a_view_of_the_same_bits(
    layout: tuple[list[str], list[int]],
    dtype: torch.dtype,
    data: st.DataObject,
    precision: int,
) -> None:
    """Any rank, order of dims, dtype and strides, at any precision PhiML works in."""
    names, sizes = layout
    memory = data.draw(st.permutations(range(len(names))))
    stride = data.draw(st.integers(1, 2))
    stored = any_tensor([sizes[i] * stride for i in memory], dtype)
    stored = stored[tuple(slice(None, None, stride) for _ in memory)]
    tensor = stored.permute([memory.index(i) for i in range(len(names))])
    assert tensor.shape == torch.Size(sizes)
    other = data.draw(st.permutations(names))
    with math.precision(precision):
        named = to_phiml(tensor, " ".join(names))
        assert named.shape.names == tuple(names)
        assert named.shape.sizes == tuple(sizes)
        back = to_torch(named, " ".join(names))
        turned = to_torch(named, " ".join(other))
    assert back.dtype == dtype and back.device == tensor.device
    assert back.data_ptr() == tensor.data_ptr() and back.stride() == tensor.stride()
    assert torch.equal(back, tensor)
    expected = tensor.permute([names.index(n) for n in other])
    assert turned.stride() == expected.stride()
    assert torch.equal(turned, expected)


def test_dims_have_their_types_and_components_their_names() -> None:
    named = to_phiml(
        torch.zeros(2, 2, 3, 4, 5), "batch vector time x y", components=("u", "v")
    )
    assert named.shape.batch.names == ("batch", "time")
    assert named.shape.spatial.names == ("x", "y")
    assert named.shape.get_labels("vector") == ("u", "v")


def test_gradients_flow_through_a_round_trip() -> None:
    def there_and_back(x: torch.Tensor) -> torch.Tensor:
        with math.precision(64):
            named = to_phiml(x, "batch vector x y")
            return to_torch(named * named + named, "y batch vector x")

    x = torch.randn(2, 3, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(there_and_back, (x,))


def test_memory_orders_pass_untouched() -> None:
    images = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    back = to_torch(to_phiml(images, "batch vector x y"), "batch vector x y")
    assert back.is_contiguous(memory_format=torch.channels_last)
    assert back.data_ptr() == images.data_ptr()


def test_numpy_data_share_their_memory() -> None:
    array = np.arange(6.0).reshape(2, 3)
    found = to_torch(math.wrap(array, spatial("x,y")), "y x")
    assert found.dtype == torch.float64
    array[0, 1] = 7
    assert found[1, 0] == 7


def test_repeated_dims_are_not_materialised() -> None:
    named: Any = math.expand(math.wrap(torch.arange(3.0), spatial("x")), batch(batch=2))
    found = to_torch(named, "batch x")
    assert found.shape == (2, 3) and found.stride() == (0, 1)
    assert torch.equal(found, torch.arange(3.0).expand(2, 3))


@pytest.mark.parametrize(
    ("shape", "layout", "components", "message"),
    [
        ((2, 3), "x", None, "names 1 dims; the tensor has 2"),
        ((2,), "x y", None, "names 2 dims; the tensor has 1"),
        ((2, 3), "x x", None, "names `x` twice"),
        ((2, 3), "x width", None, "the dim `width`; allowed: batch, time, x"),
        ((2, 3), "x vector", ("a",), r"1 components are named.* has 3"),
        ((2, 3), "x y", ("a", "b"), "has no `vector`"),
    ],
)
def test_a_layout_that_does_not_fit_the_tensor(
    shape: tuple[int, ...], layout: str, components: Any, message: str
) -> None:
    with pytest.raises(ConversionError, match=message):
        to_phiml(torch.zeros(shape), layout, components=components)


def named_xy() -> Tensor:
    return to_phiml(torch.zeros(2, 3), "x y")


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ("x", "not named: y"),
        ("x y vector", "not there: vector"),
        ("x x", "names `x` twice"),
        ("x q", "the dim `q`; allowed"),
    ],
)
def test_a_layout_that_does_not_name_the_dims(layout: str, message: str) -> None:
    with pytest.raises(ConversionError, match=message):
        to_torch(named_xy(), layout)


def test_what_has_no_single_array_is_refused() -> None:
    part = math.wrap(torch.zeros(3), spatial("x"))
    longer = math.wrap(torch.zeros(4), spatial("x"))
    uneven: Any = math.stack([part, longer], batch("batch"))
    with pytest.raises(ConversionError, match="non-uniform.*unstack"):
        to_torch(uneven, "batch x")
    indices = math.wrap(torch.tensor([[0], [2]]), math.instance("i"), channel(v="x"))
    values = math.wrap(torch.ones(2), math.instance("i"))
    sparse: Any = math.sparse_tensor(indices, values, spatial(x=4))
    with pytest.raises(ConversionError, match="sparse.*dense"):
        to_torch(sparse, "x")
    with pytest.raises(ConversionError, match="is sparse.*to_dense"):
        to_phiml(torch.eye(3).to_sparse(), "x y")
    with pytest.raises(ConversionError, match="expected torch.Tensor"):
        to_phiml(np.zeros(3), "x")  # type: ignore[arg-type]
    with pytest.raises(ConversionError, match="expected a PhiML Tensor"):
        to_torch(torch.zeros(3), "x")  # type: ignore[arg-type]
    with pytest.raises(ConversionError, match="Layout"):
        to_torch(math.layout(["a", "b"], spatial("x")), "x")


def test_parts_on_several_devices_are_refused() -> None:
    from phiml.math._tensors import TensorStack

    parts = [
        math.wrap(torch.zeros(3, device=device), spatial("x"))
        for device in ("cpu", "meta")
    ]
    with pytest.raises(ConversionError, match="on cpu, meta; .*one device"):
        to_torch(TensorStack(parts, batch("batch")), "batch x")


def test_a_tensor_on_disk_is_refused(tmp_path: Any) -> None:
    import h5py
    from phiml.backend import NUMPY
    from phiml.parallel._tensor_cache import DiskTensor, H5Source

    with h5py.File(tmp_path / "file.h5", "w") as file:
        file["data"] = np.arange(3.0)
    source = H5Source(str(tmp_path / "file.h5"))
    dtype = math.wrap(np.zeros(1), spatial("x")).dtype
    cached = DiskTensor(source, "data", {}, ("x",), spatial(x=3), NUMPY, dtype)
    with pytest.raises(ConversionError, match="cached on disk.*as_persistent"):
        to_torch(cached, "x")
    assert to_torch(cached.as_persistent(), "x").tolist() == [0, 1, 2]
    source.h5file.close()
