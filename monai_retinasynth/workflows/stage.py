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
"""The two kinds of step of a workflow: a MONAI Bundle run from its JSON files, and a plain function."""

from __future__ import annotations

import gc
import logging
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser, ConfigWorkflow

from ..utils.errors import ConfigError
from .folder_signature import folder_signature
from .stage_record import flatten_settings

__all__ = ["BundleStage", "FunctionStage", "WorkflowStage"]


class WorkflowStage(ABC):
    """A named step of a `StagedWorkflow`.

    Args:
        name: name of the stage and of its folder below the workflow's output folder.
        needs: names of the stages whose results it reads; when one of them is done again, so is this one.
    """

    #: run even when an earlier run finished it (a stage that only reports)
    always = False

    def __init__(self, name: str, needs: Sequence[str] = ()) -> None:
        self.name = name
        self.needs = tuple(needs)

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """All that decides the result, flattened, to be compared with an earlier run."""

    @abstractmethod
    def run(self, folder: Path) -> None:
        """Do the work, writing below `folder` only; called again after an interruption, it goes on."""


class FunctionStage(WorkflowStage):
    """A stage that calls a function.

    Args:
        name: see `WorkflowStage`.
        function: callable or its dotted path; called with `arguments` and the stage's folder.
        arguments: keyword arguments of `function`.
        needs: see `WorkflowStage`.
        folder_argument: the keyword under which the function gets the stage's folder; None to leave it out.
        inputs: data folders whose `folder_signature` belongs to the settings, so that exchanged data are noticed.
        always: run the stage in every run of the workflow; for a stage that only reports.
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        arguments: Mapping[str, Any] | None = None,
        needs: Sequence[str] = (),
        folder_argument: str | None = "output_dir",
        inputs: Sequence[str] = (),
        always: bool = False,
    ) -> None:
        super().__init__(name, needs)
        self.function = function
        self.arguments = dict(arguments or {})
        self.folder_argument = folder_argument
        self.inputs = tuple(inputs)
        self.always = always

    def settings(self) -> dict[str, Any]:
        function = f"{self.function.__module__}.{self.function.__qualname__}"
        signatures = {f"files in {folder}": folder_signature(folder) for folder in self.inputs}
        return {"function": function, **signatures, **flatten_settings(self.arguments)}

    def run(self, folder: Path) -> None:
        arguments = dict(self.arguments)
        if self.folder_argument is not None:
            arguments[self.folder_argument] = str(folder)
        self.function(**arguments)


class BundleStage(WorkflowStage):
    """A stage that runs a MONAI Bundle, as ``python -m monai.bundle run`` would.

    Args:
        name: see `WorkflowStage`.
        config_files: the bundle's JSON files in the order in which they are merged; a recipe comes last. None entries
            are left out, so that a recipe is optional.
        overrides: settings that replace those of the files (``output_dir`` is the stage's own folder).
        needs: see `WorkflowStage`.
        run_id: the entry of the configuration to run.
    """

    def __init__(
        self,
        name: str,
        config_files: Sequence[str | None],
        overrides: Mapping[str, Any] | None = None,
        needs: Sequence[str] = (),
        run_id: str = "run",
    ) -> None:
        super().__init__(name, needs)
        self.config_files = [str(f) for f in config_files if f]
        self.overrides = dict(overrides or {})
        self.run_id = run_id
        for file in self.config_files:
            if not Path(file).is_file():
                available = sorted(p.stem for p in Path(file).parent.glob("*.json"))
                raise ConfigError(f"stage {name}: {file} does not exist; {Path(file).parent} has {available}")

    def settings(self) -> dict[str, Any]:
        parser = ConfigParser()
        parser.read_config(self.config_files)
        parser.update(pairs=dict(self.overrides))
        return flatten_settings(parser.config)

    def run(self, folder: Path) -> None:
        with _quiet_bundle_start():
            workflow = ConfigWorkflow(
                config_file=self.config_files,
                meta_file=str(Path(self.config_files[0]).parent / "metadata.json"),
                run_id=self.run_id,
                workflow_type=None,
                **{**self.overrides, "output_dir": str(folder)},
            )
            workflow.initialize()
        try:
            workflow.run()
        finally:
            workflow.finalize()
            del workflow
            # networks, caches and optimizers of a stage hold gigabytes in reference cycles of the parser
            gc.collect()


@contextmanager
def _quiet_bundle_start():
    """Without MONAI's notices on recipe folders, logging.conf and trusted configs, which would come once a stage."""
    logger = logging.getLogger("monai.bundle.workflows")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*GHSA-.*")
            yield
    finally:
        logger.setLevel(level)
