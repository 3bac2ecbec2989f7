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

import tempfile
import unittest
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from parameterized import parameterized

from monai_retinasynth.data.datalist import load_datalist
from monai_retinasynth.data.seeded_latents_dataset import SeededLatentDataset
from tests.engines.two_processes import TRAININGS, generate, process, train

SAME_AS_ONE_PROCESS = tuple(name for name in TRAININGS if name != "growing_gp")


@unittest.skipUnless(dist.is_available() and dist.is_gloo_available(), "torch is built without gloo")
class TestTwoProcesses(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls._temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls._temporary.cleanup)
        cls.folder = Path(cls._temporary.name)
        mp.spawn(process, args=(2, str(cls.folder)), nprocs=2)

    def _results(self, name: str) -> list[dict]:
        return [torch.load(self.folder / f"{name}_{rank}.pt", weights_only=True) for rank in (0, 1)]

    @parameterized.expand([(name,) for name in TRAININGS])
    def test_both_have_the_same_weights(self, name):
        first, second = self._results(name)
        for network in ("g", "d", "ema"):
            for key, value in first["weights"][network].items():
                self.assertTrue(torch.equal(value, second["weights"][network][key]), f"{network} {key}")

    @parameterized.expand([(name,) for name in SAME_AS_ONE_PROCESS])
    def test_equal_one_process_with_the_joint_batch(self, name):
        alone = train(name, self.folder / f"{name}_alone")
        together = self._results(name)[0]
        self.assertEqual(alone["counters"], together["counters"])
        torch.testing.assert_close(together["losses"], alone["losses"], rtol=1e-4, atol=1e-5)
        for network in ("g", "d", "ema"):
            for key, value in alone["weights"][network].items():
                torch.testing.assert_close(together["weights"][network][key], value, rtol=1e-4, atol=1e-5, msg=key)

    @parameterized.expand([(name,) for name in TRAININGS])
    def test_only_the_first_process_speaks_and_writes(self, name):
        first, second = self._results(name)
        self.assertIn("iteration 6 of 6", first["printed"])
        self.assertEqual(second["printed"], "")
        folder = self.folder / name
        self.assertEqual(len(list((folder / "tb").iterdir())), 1)
        self.assertEqual(sorted(p.name for p in (folder / "models").iterdir()), ["last.pt", "model.pt"])
        self.assertEqual(len(list((folder / "pictures").iterdir())), 2)

    def test_generation_gives_the_pixels_of_one_process(self):
        alone = self.folder / "generated_alone"
        generate(alone, batch_size=3)
        self._compare(alone, self.folder / "generated")

    def test_generation_goes_on_where_it_stopped(self):
        whole, resumed = self.folder / "whole", self.folder / "resumed"
        generate(whole)
        generate(resumed)
        kept = resumed / "labels" / "synthetic_00002.png"
        before = kept.stat().st_mtime_ns
        (resumed / "labels" / "synthetic_00004.png").unlink()
        (resumed / "datalist.json").unlink()
        generate(resumed)
        self._compare(whole, resumed)
        self.assertEqual(kept.stat().st_mtime_ns, before)

    def _compare(self, first: Path, second: Path) -> None:
        names = sorted(path.name for path in (first / "labels").iterdir())
        self.assertEqual(names, [f"synthetic_{k:05d}.png" for k in range(7)])
        self.assertEqual(names, sorted(path.name for path in (second / "labels").iterdir()))
        for name in names:
            self.assertEqual((first / "labels" / name).read_bytes(), (second / "labels" / name).read_bytes())
        self.assertEqual(len(load_datalist(second)["training"]), 7)
        self.assertEqual(SeededLatentDataset(7, 8, seed=5, rank=1, world=2).indices, [1, 3, 5])


if __name__ == "__main__":
    unittest.main()
