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

import resource
import signal
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import torch
from torch import nn

from monai_retinasynth.utils import checkpoint
from monai_retinasynth.utils.checkpoint import (
    INFO_KEY,
    load_checkpoint,
    load_network_weights,
    network_fingerprint,
    recorded_setting,
    save_checkpoint,
)
from monai_retinasynth.utils.errors import CheckpointError


class _Other(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.extra = nn.Linear(2, 2)


class TestCheckpoint(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.path = Path(temporary.name) / "new" / "model.pt"
        self.network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))

    def _save(self) -> None:
        save_checkpoint(self.path, {"model": self.network.state_dict(), "epoch": 3}, "stage", self.network)

    def test_round_trip(self):
        self._save()
        content = load_checkpoint(self.path, kind="stage")
        self.assertEqual(content["epoch"], 3)
        self.assertEqual(content[INFO_KEY]["network"], network_fingerprint(self.network))
        other = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
        load_network_weights(other, self.path)
        self.assertTrue(torch.equal(other[0].weight, self.network[0].weight))
        self.assertEqual([p.name for p in self.path.parent.iterdir()], ["model.pt"])

    def test_fingerprint_follows_class_and_shapes(self):
        same = network_fingerprint(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)))
        self.assertEqual(network_fingerprint(self.network), same)
        self.assertNotEqual(network_fingerprint(nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5))), same)

    def test_another_network_is_named_with_the_first_difference(self):
        self._save()
        with self.assertRaisesRegex(CheckpointError, r"Sequential.*_Other.*layer\.weight.*and \d+ more"):
            load_network_weights(_Other(), self.path)
        with self.assertRaisesRegex(CheckpointError, r"0\.weight: \(4, 3\) in the checkpoint, \(4, 2\) in the network"):
            load_network_weights(nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4)), self.path)

    def test_truncated_at_any_length(self):
        self._save()
        whole = self.path.read_bytes()
        for length in (0, 1, 10, len(whole) // 2, len(whole) - 30):
            self.path.write_bytes(whole[:length])
            with self.assertRaisesRegex(CheckpointError, "truncated.*"):
                load_checkpoint(self.path)
        damaged = bytearray(whole)
        damaged[len(whole) // 3 : len(whole) // 3 + 40] = b"?" * 40
        self.path.write_bytes(bytes(damaged))
        with self.assertRaises(CheckpointError):
            load_network_weights(self.network, self.path)

    def test_missing_foreign_and_unsafe_files(self):
        with self.assertRaisesRegex(CheckpointError, "no checkpoint at"):
            load_checkpoint(self.path)
        self.path.parent.mkdir()
        torch.save({"model": self.network.state_dict()}, self.path)
        with self.assertRaisesRegex(CheckpointError, "not written by monai_retinasynth"):
            load_checkpoint(self.path)
        torch.save(self.network, self.path)
        with self.assertRaisesRegex(CheckpointError, "cannot read"):
            load_checkpoint(self.path)

    def test_kind_key_and_version(self):
        self._save()
        with self.assertRaisesRegex(CheckpointError, "for 'stage', not for 'other'"):
            load_checkpoint(self.path, kind="other")
        with self.assertRaisesRegex(CheckpointError, "it has: epoch, model"):
            load_network_weights(self.network, self.path, key="ema")
        with mock.patch.object(checkpoint, "__version__", "97.3.1"):
            with self.assertRaisesRegex(CheckpointError, r"this is 97\.3\.1.*allow_other_version"):
                load_checkpoint(self.path)
            load_network_weights(self.network, self.path, allow_other_version=True)
        with mock.patch.object(checkpoint, "_FORMAT_VERSION", 99):
            self._save()
        with self.assertRaisesRegex(CheckpointError, "format 99"):
            load_checkpoint(self.path)

    def test_weights_of_another_label_set(self):
        payload = {"model": self.network.state_dict(), "settings": {"label_set": "fundus_lesion"}}
        save_checkpoint(self.path, payload, "stage", self.network)
        load_network_weights(self.network, self.path, settings={"label_set": "fundus_lesion", "other": 1})
        with self.assertRaisesRegex(
            CheckpointError, "with label_set 'fundus_lesion', here it is 'fundus_vessel'.*--label"
        ):
            load_network_weights(self.network, self.path, settings={"label_set": "fundus_vessel"})
        self.assertEqual(recorded_setting(self.path, "label_set"), "fundus_lesion")
        self.assertIsNone(recorded_setting(self.path, "seed"))
        self._save()  # a checkpoint that records nothing is compared by its shapes alone, and that is said
        with self.assertLogs("monai_retinasynth.utils.checkpoint", "WARNING"):
            load_network_weights(self.network, self.path, settings={"label_set": "fundus_vessel"})

    def test_full_disk_leaves_the_old_file_and_nothing_else(self):
        self._save()
        before = self.path.read_bytes()
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        # the system refuses to write beyond this, as when the disk is full
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
        try:
            with self.assertRaisesRegex(CheckpointError, r"model\.pt"):
                save_checkpoint(self.path, {"model": {"weight": torch.zeros(100_000)}}, "stage")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, handler)
        self.assertEqual([p.name for p in self.path.parent.iterdir()], ["model.pt"])
        self.assertEqual(self.path.read_bytes(), before)

    def test_reserved_key(self):
        with self.assertRaisesRegex(ValueError, "reserved"):
            save_checkpoint(self.path, {INFO_KEY: 1}, "stage")


if __name__ == "__main__":
    unittest.main()
