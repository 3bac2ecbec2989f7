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

import os
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import torch

from tests.engines.resumable_training import KINDS, train
from tests.real_data import REPOSITORY


def _differences(a: object, b: object, path: str = "") -> list[str]:
    """Where two nested structures of tensors and plain values are not the same, bit for bit."""
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return [] if a.dtype == b.dtype and torch.equal(a, b) else [path]
    if isinstance(a, dict) and isinstance(b, dict):
        if list(a) != list(b):
            return [f"{path}: keys"]
        return [d for key in a for d in _differences(a[key], b[key], f"{path}/{key}")]
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)) and len(a) == len(b):
        return [d for k, (x, y) in enumerate(zip(a, b)) for d in _differences(x, y, f"{path}/{k}")]
    return [] if a == b else [path]


class TestKilledTraining(unittest.TestCase):
    def test_ends_with_the_weights_of_an_uninterrupted_one(self):
        with tempfile.TemporaryDirectory() as name:
            folders = {kind: Path(name) / kind for kind in KINDS}
            killed = {kind: self._start(kind, folder, stop=True) for kind, folder in folders.items()}
            for kind, process in killed.items():
                lines = []
                while not lines or (lines[-1] and lines[-1] != "waiting\n"):
                    lines.append(process.stdout.readline())
                self.assertEqual(lines[-1], "waiting\n", "".join(lines[-8:]))
                process.send_signal(signal.SIGKILL)
                self.assertEqual(process.wait(), -signal.SIGKILL)
                (folders[kind] / "stop_here").unlink()
                epoch = torch.load(folders[kind] / "last.pt", weights_only=True)["trainer"]["epoch"]
                self.assertEqual(epoch, 2 if kind == "latent" else 3)
            again = {kind: self._start(kind, folder) for kind, folder in folders.items()}
            for kind, process in again.items():
                output = process.communicate(timeout=300)[0]
                self.assertEqual(process.returncode, 0, output)
                uninterrupted = Path(name) / f"{kind}_uninterrupted"
                train(kind, uninterrupted)
                for file in ("last.pt", "model.pt"):
                    paths = (folders[kind] / file, uninterrupted / file)
                    contents = [torch.load(path, weights_only=True) for path in paths]
                    self.assertEqual(_differences(*contents), [], kind)

    def _start(self, kind: str, folder: Path, stop: bool = False) -> subprocess.Popen:
        folder.mkdir(exist_ok=True)
        if stop:
            (folder / "stop_here").touch()
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.engines.resumable_training", kind, str(folder)],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_the_comparison_sees_a_difference_and_seeds_matter(self):
        with tempfile.TemporaryDirectory() as name:
            short = train("paired", Path(name) / "a", epochs=1)
            more = train("paired", Path(name) / "b", epochs=2)
            self.assertNotEqual(_differences(short.g_network.state_dict(), more.g_network.state_dict()), [])
            # a training that is complete stays as it is
            again = train("paired", Path(name) / "b", epochs=2)
            self.assertEqual(_differences(again.g_network.state_dict(), more.g_network.state_dict()), [])
            self.assertEqual(again.state.iteration, 6)
            # more epochs go on from there
            self.assertEqual(train("paired", Path(name) / "b", epochs=3).state.iteration, 9)


if __name__ == "__main__":
    unittest.main()
