# Copyright (c) the monai_retinasynth authors
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#     http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""What every network must do; a test class for a network mixes this in and says how to make it and what to feed it."""

from __future__ import annotations

import copy
import io
import warnings
from typing import Any

import torch
from torch import nn

__all__ = ["NetworkTester", "flatten"]


def flatten(output: Any) -> list[torch.Tensor]:
    """All tensors in the nested lists that a network returned."""
    if isinstance(output, torch.Tensor):
        return [output]
    return [tensor for item in output for tensor in flatten(item)]


class NetworkTester:
    """Mix into a `unittest.TestCase`.

    Attributes:
        expected_shapes: shapes of all output tensors, in order.
        script: whether `torch.jit.script` must take the network (MONAI's `ckpt_export` uses it).
        trace: whether `torch.jit.trace` must take it; it cannot return lists of lists.
        bf16_tolerance: largest mean absolute difference under bfloat16 autocast, relative to the mean absolute output.
    """

    expected_shapes: list[tuple[int, ...]]
    script = True
    trace = True
    bf16_tolerance = 0.05

    def make(self) -> nn.Module:
        """A tiny network."""
        raise NotImplementedError

    def inputs(self) -> tuple[torch.Tensor, ...]:
        """What to feed it."""
        raise NotImplementedError

    def everything(self, network: nn.Module) -> list[torch.Tensor]:
        """Outputs that together depend on every parameter."""
        return flatten(network(*self.inputs()))

    def setUp(self) -> None:
        torch.manual_seed(0)

    def assert_same(self, found: Any, expected: Any, tolerance: float = 0.0) -> None:
        for a, b in zip(flatten(found), flatten(expected), strict=True):
            torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)

    def test_shapes(self) -> None:
        output = flatten(self.make()(*self.inputs()))
        self.assertEqual([tuple(t.shape) for t in output], self.expected_shapes)
        for tensor in output:
            self.assertTrue(torch.isfinite(tensor).all())

    def test_gradients_reach_every_parameter(self) -> None:
        network = self.make()
        sum(t.float().square().mean() for t in self.everything(network)).backward()
        for name, parameter in network.named_parameters():
            self.assertIsNotNone(parameter.grad, name)
            self.assertTrue(torch.isfinite(parameter.grad).all(), name)
            self.assertGreater(parameter.grad.abs().sum().item(), 0.0, name)

    def test_gradients_reach_the_input(self) -> None:
        first, *rest = self.inputs()
        first.requires_grad_(True)
        sum(t.float().square().mean() for t in flatten(self.make()(first, *rest))).backward()
        self.assertGreater(first.grad.abs().sum().item(), 0.0)

    def test_deterministic_and_copied(self) -> None:
        network, inputs = self.make(), self.inputs()
        first = network(*inputs)
        self.assert_same(network(*inputs), first)
        self.assert_same(copy.deepcopy(network)(*inputs), first)

    def test_state_dict_round_trip(self) -> None:
        network, other, inputs = self.make(), self.make(), self.inputs()
        buffer = io.BytesIO()
        torch.save(network.state_dict(), buffer)
        buffer.seek(0)
        other.load_state_dict(torch.load(buffer, weights_only=True))
        self.assert_same(other(*inputs), network(*inputs))

    def test_bfloat16_autocast_is_close(self) -> None:
        network, inputs = self.make(), self.inputs()
        expected = flatten(network(*inputs))
        with torch.autocast("cpu", torch.bfloat16):
            output = network(*inputs)
        for a, b in zip(flatten(output), expected, strict=True):
            error = (a.float() - b).abs().mean() / b.abs().mean()
            self.assertLess(error.item(), self.bf16_tolerance)
        sum(t.float().mean() for t in flatten(output)).backward()
        for name, parameter in network.named_parameters():
            if parameter.grad is not None:
                self.assertEqual(parameter.grad.dtype, torch.float32, name)
                self.assertTrue(torch.isfinite(parameter.grad).all(), name)

    def test_channels_last_is_the_same_function(self) -> None:
        network, inputs = self.make(), self.inputs()
        expected = network(*inputs)
        network = network.to(memory_format=torch.channels_last)
        inputs = tuple(t.contiguous(memory_format=torch.channels_last) if t.dim() == 4 else t for t in inputs)
        self.assert_same(network(*inputs), expected, tolerance=1e-4)

    def test_export(self) -> None:
        network, inputs = self.make().eval(), self.inputs()
        self.assert_same(torch.export.export(network, inputs).module()(*inputs), network(*inputs), tolerance=1e-5)

    def test_trace(self) -> None:
        if not self.trace:
            self.skipTest("the output of this network cannot be traced")
        network, inputs = self.make().eval(), self.inputs()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", torch.jit.TracerWarning)  # checks of shapes are constant in a trace
            traced = torch.jit.trace(network, inputs)
        self.assert_same(traced(*inputs), network(*inputs), tolerance=1e-5)

    def test_script(self) -> None:
        if not self.script:
            self.skipTest("this network is not scripted")
        network, inputs = self.make().eval(), self.inputs()
        self.assert_same(torch.jit.script(network)(*inputs), network(*inputs), tolerance=1e-5)
