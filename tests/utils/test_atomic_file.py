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

import errno
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from parameterized import parameterized

from monai_retinasynth.utils import DataError, atomic_write


class TestAtomicWrite(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_makes_folders_and_replaces(self):
        path = self.folder / "a" / "b.bin"
        for content in (b"one", b"two"):
            with atomic_write(path) as file:
                file.write(content)
            self.assertEqual(path.read_bytes(), content)
        self.assertEqual([p.name for p in path.parent.iterdir()], ["b.bin"])

    @parameterized.expand([("os.replace",), ("os.fsync",)])
    def test_full_disk_leaves_the_old_file_alone(self, function):
        path = self.folder / "b.bin"
        path.write_bytes(b"old")
        with (
            mock.patch(function, side_effect=OSError(errno.ENOSPC, "No space left on device")),
            self.assertRaisesRegex(DataError, "b.bin: No space left on device.*Free some space"),
            atomic_write(path) as file,
        ):
            file.write(b"new")
        self.assertEqual(path.read_bytes(), b"old")
        self.assertEqual([p.name for p in self.folder.iterdir()], ["b.bin"])

    def test_other_errors_pass_and_leave_nothing(self):
        with self.assertRaises(KeyboardInterrupt), atomic_write(self.folder / "c") as file:
            file.write(b"half")
            raise KeyboardInterrupt
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_folder_that_cannot_be_made(self):
        (self.folder / "file").write_bytes(b"")
        with self.assertRaisesRegex(DataError, "may be written to"), atomic_write(self.folder / "file" / "x"):
            pass


if __name__ == "__main__":
    unittest.main()
