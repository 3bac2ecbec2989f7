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
"""Checks that every bundle passes, as the model zoo makes them, and a small phantom data set to run bundles on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from jsonschema import validate
from monai.bundle import ConfigWorkflow, ckpt_export, verify_net_in_out

from monai_retinasynth.simulation import write_phantom_dataset
from monai_retinasynth.utils import save_checkpoint
from tests.real_data import REPOSITORY

__all__ = [
    "BUNDLES",
    "TWO_PROCESSES",
    "BundleTester",
    "phantom_dataset",
    "run_bundle",
    "run_bundle_in_process",
    "without_device",
]

BUNDLES = REPOSITORY / "bundles"
TWO_PROCESSES = [
    sys.executable,
    "-m",
    "torch.distributed.run",
    "--standalone",
    "--nnodes=1",
    "--nproc_per_node=2",
    "-m",
]


def phantom_dataset(folder: str | Path, size: int = 64, num_training: int = 4) -> str:
    """A data set of small phantoms with all three sections."""
    write_phantom_dataset(
        output_dir=str(folder),
        size=size,
        num_training=num_training,
        num_validation=2,
        num_test=2,
        seed=0,
        progress=False,
    )
    return str(folder)


def config_files(bundle: str, *names: str) -> list[str]:
    """Files of a bundle: ``train`` means configs/train.json, ``recipes/phantom`` means recipes/phantom.json."""
    root = BUNDLES / bundle
    return [str(root / (f"{n}.json" if n.startswith("recipes/") else f"configs/{n}.json")) for n in names]


def run_bundle_in_process(bundle: str, *names: str, run_id: str = "run", **overrides: Any) -> ConfigWorkflow:
    """Run a bundle in this process and return its workflow."""
    workflow = ConfigWorkflow(
        config_file=config_files(bundle, *names),
        meta_file=str(BUNDLES / bundle / "configs" / "metadata.json"),
        workflow_type=None,
        run_id=run_id,
        **overrides,
    )
    workflow.initialize()
    try:
        workflow.run()
    finally:
        workflow.finalize()
    return workflow


def kill_bundle_when(path: str | Path, bundle: str, *names: str, cwd: str | Path, **overrides: Any) -> None:
    """Start a bundle as `run_bundle` does and kill it (SIGKILL) as soon as a file exists."""
    command, environment = _command(bundle, names, None, "", overrides)
    process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    give_up = time.monotonic() + 120
    while not Path(path).is_file() and process.poll() is None and time.monotonic() < give_up:
        time.sleep(0.01)
    if process.poll() is not None:
        raise AssertionError(f"the run ended by itself ({process.returncode}) before it could be killed")
    process.kill()
    process.wait()


def _command(
    bundle: str, names: tuple[str, ...], launcher: list[str] | None, run_id: str, overrides: dict[str, Any]
) -> tuple[list[str], dict[str, str]]:
    command = [*(launcher or [sys.executable, "-m"]), "monai.bundle", "run"]
    if run_id:
        command.append(run_id)
    command += ["--config_file", str(config_files(bundle, *names))]
    for key, value in overrides.items():
        command += [f"--{key}", str(value)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    return command, environment


def run_bundle(
    bundle: str, *names: str, cwd: str | Path, launcher: list[str] | None = None, run_id: str = "", **overrides: Any
):
    """Run a bundle as a user does, in a process of its own and from another folder."""
    command, environment = _command(bundle, names, launcher, run_id, overrides)
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)


def without_device(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings for a run with several processes, where the overlay chooses each one's device."""
    return {key: value for key, value in settings.items() if key != "device"}


class BundleTester:
    """The checks; a test class of a bundle inherits from this and `unittest.TestCase`.

    Attributes to set: ``bundle``, ``network_overrides`` (a small network that fits the metadata), ``trace_shape``
    (input of the network for export by tracing).
    """

    bundle: str
    network_overrides: dict[str, Any] = {}
    trace_shape: tuple[int, ...]

    #: settings with which every component of the configurations can be built
    check_overrides: dict[str, Any] = {}

    def checkpoint(self, overrides: dict[str, Any]) -> str:
        """A checkpoint of the untrained network of the bundle with these settings."""
        path = Path(self.folder, "untrained.pt")
        workflow = ConfigWorkflow(
            config_file=config_files(self.bundle, "train"), meta_file=str(self._meta()), workflow_type=None, **overrides
        )
        workflow.initialize()
        network = workflow.parser.get_parsed_content("network_def")
        save_checkpoint(path, {"model": network.state_dict()}, kind=self.bundle, network=network)
        return str(path)

    def _meta(self) -> Path:
        return BUNDLES / self.bundle / "configs" / "metadata.json"

    def test_files(self):
        root = BUNDLES / self.bundle
        for name in (
            "LICENSE",
            "docs/README.md",
            "configs/metadata.json",
            "configs/train.json",
            "configs/inference.json",
        ):
            self.assertTrue((root / name).is_file(), name)
        self.assertFalse(list(root.rglob("*.py")), "bundles hold JSON, no Python")
        for file in root.rglob("*.json"):
            json.loads(file.read_text())

    def test_metadata(self):
        schema = json.loads((REPOSITORY / "tests" / "bundles" / "meta_schema_20240725.json").read_text())
        metadata = json.loads(self._meta().read_text())
        validate(metadata, schema)
        self.assertIn(metadata["version"], metadata["changelog"])

    def test_properties(self):
        for name, kind in (("train", "train"), ("inference", "infer")):
            workflow = ConfigWorkflow(
                config_file=config_files(self.bundle, name),
                meta_file=str(self._meta()),
                workflow_type=kind,
                **self.check_overrides,
            )
            workflow.initialize()
            self.assertEqual(workflow.check_properties(), [], name)

    def test_network_in_and_out(self):
        for name in ("train", "inference"):
            verify_net_in_out(
                net_id="network_def",
                meta_file=str(self._meta()),
                config_file=config_files(self.bundle, name),
                device="cpu",
                n=4,
                **self.network_overrides,
            )

    def test_checkpoint_export(self):
        with tempfile.TemporaryDirectory() as folder:
            workflow = ConfigWorkflow(
                config_file=config_files(self.bundle, "inference"),
                meta_file=str(self._meta()),
                workflow_type=None,
                **self.network_overrides,
            )
            workflow.initialize()
            network = workflow.parser.get_parsed_content("network_def")
            torch.save({"model": network.state_dict()}, Path(folder, "model.pt"))
            ckpt_export(
                net_id="network_def",
                filepath=str(Path(folder, "model.ts")),
                ckpt_file=str(Path(folder, "model.pt")),
                meta_file=str(self._meta()),
                config_file=config_files(self.bundle, "inference"),
                key_in_ckpt="model",
                use_trace=True,
                input_shape=list(self.trace_shape),
                **self.network_overrides,
            )
            exported = torch.jit.load(str(Path(folder, "model.ts")))
            network.eval()
            inputs = torch.randn(self.trace_shape)
            with torch.no_grad():
                torch.testing.assert_close(exported(inputs), network(inputs), rtol=1e-3, atol=1e-4)
