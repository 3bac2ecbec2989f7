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
from __future__ import annotations

import types
import unittest
from unittest import mock

import torch
from parameterized import parameterized

from monai_retinasynth.utils import ConfigError, autocast_is_fast


class TestAutocastIsFast(unittest.TestCase):
    @parameterized.expand(
        [
            ("avx2", {"avx2": True}, "bfloat16", False),
            ("avx512_without_bf16", {"avx512_f": True, "avx512_bf16": False}, "bfloat16", False),
            ("avx512_bf16", {"avx512_f": True, "avx512_bf16": True}, "bfloat16", True),
            ("amx", {"amx_bf16": True}, torch.bfloat16, True),
            ("arm", {"neon": True, "bf16": True}, "torch.bfloat16", True),
            ("avx512_bf16_has_no_float16", {"avx512_bf16": True}, "float16", False),
            ("avx512_fp16", {"avx512_fp16": True}, torch.float16, True),
        ]
    )
    def test_a_processor_needs_the_instructions(self, _, capabilities, dtype, fast):
        with mock.patch("torch.cpu.get_capabilities", return_value=capabilities, create=True):
            self.assertIs(autocast_is_fast("cpu", dtype), fast)
            self.assertIs(autocast_is_fast(torch.device("cpu"), dtype), fast)

    @parameterized.expand([(True, False), (False, True), (False, False)])
    def test_without_the_list_of_capabilities(self, avx512, amx):
        found = {"_is_avx512_bf16_supported": avx512, "_is_amx_tile_supported": amx, "_is_amx_fp16_supported": amx}
        older = types.SimpleNamespace(**{name: lambda value=value: value for name, value in found.items()})
        with mock.patch("torch.cpu", older):
            self.assertIs(autocast_is_fast("cpu"), avx512 or amx)
            self.assertIs(autocast_is_fast("cpu", "float16"), amx)

    @parameterized.expand([(True,), (False,)])
    def test_a_gpu_has_float16_and_perhaps_bfloat16(self, supported):
        patches = mock.patch("torch.cuda.is_bf16_supported", return_value=supported), mock.patch("torch.cuda.device")
        with patches[0] as asked, patches[1]:
            self.assertIs(autocast_is_fast("cuda:0"), supported)
            self.assertTrue(autocast_is_fast("cuda", "float16"))
        asked.assert_called_once_with(including_emulation=False)

    def test_other_devices_and_types(self):
        self.assertFalse(autocast_is_fast("meta"))
        with self.assertRaisesRegex(ConfigError, "bfloat16 or float16, got 'float64'"):
            autocast_is_fast("cpu", "float64")
