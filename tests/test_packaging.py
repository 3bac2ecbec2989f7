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
"""What holds for the package as a whole: version, exports, docstrings, licence headers, dependencies."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import unittest
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from types import ModuleType

from monai.bundle.config_item import ComponentLocator
from packaging.requirements import Requirement
from parameterized import parameterized

import monai_retinasynth
from tests.real_data import REPOSITORY

PACKAGE = REPOSITORY / "monai_retinasynth"
HEADER = "# Copyright (c) the monai_retinasynth authors\n# Licensed under the Apache License, Version 2.0"
OWN_FOLDERS = ("monai_retinasynth", "bundles", "benchmarks", "docs", "tests", ".ci")
OWN_FILES = ("setup.py", "pyproject.toml", "tox.ini", "MANIFEST.in", "README.md", "constraints.txt", ".gitignore")
TEXT_SUFFIXES = {"", ".py", ".json", ".rst", ".md", ".toml", ".ini", ".txt", ".in", ".conf", ".csv"}
MADE_BY_RUNS = {"__pycache__", "_build", "output", "models", "eval", "runs"}
# Folders of one machine; the alternatives are split so that this line does not match itself.
MACHINE_PATH = re.compile(r"(?:^|[^\w.])/(?:" + "|".join(["work", "tmp", "opt", "root", "farm"]) + r")/\w")

MODULES = [
    importlib.import_module(m.name) for m in pkgutil.walk_packages(monai_retinasynth.__path__, "monai_retinasynth.")
]


def own_texts() -> Iterator[Path]:
    """Every text file that belongs to the repository."""
    for folder in OWN_FOLDERS:
        for path in sorted((REPOSITORY / folder).rglob("*")):
            if path.is_file() and path.suffix in TEXT_SUFFIXES and not MADE_BY_RUNS & set(path.parts):
                yield path
    yield from (REPOSITORY / name for name in OWN_FILES if (REPOSITORY / name).is_file())


def python_files() -> list[Path]:
    """Every Python file of the repository."""
    return [p for p in own_texts() if p.suffix == ".py"]


def imported_names(path: Path) -> Iterator[str]:
    """Dotted names of the modules that a file imports, relative imports left out."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""


def install_requires() -> list[Requirement]:
    """What setup.py declares, without running it."""
    tree = ast.parse((REPOSITORY / "setup.py").read_text(encoding="utf-8"))
    keywords = {node.arg: node.value for node in ast.walk(tree) if isinstance(node, ast.keyword)}
    return [Requirement(text) for text in ast.literal_eval(keywords["install_requires"])]


def is_private(module: ModuleType) -> bool:
    """Whether a module's own name begins with an underscore."""
    return module.__name__.rpartition(".")[2].startswith("_")


def exported() -> Iterator[tuple[str, object]]:
    """Every class and function that a sub-package exports and this package defines, once."""
    seen = set()
    for module in MODULES:
        for name in getattr(module, "__all__", ()):
            item = getattr(module, name)
            own = getattr(item, "__module__", "").startswith("monai_retinasynth")
            if own and (inspect.isclass(item) or inspect.isfunction(item)) and id(item) not in seen:
                seen.add(id(item))
                yield f"{item.__module__}.{item.__qualname__}", item


def takes_arguments(item: type) -> bool:
    """Whether a class has a constructor of its own with arguments."""
    if dataclasses.is_dataclass(item):
        return any(f.init for f in dataclasses.fields(item))
    constructor = item.__dict__.get("__init__")
    return constructor is not None and len(inspect.signature(constructor).parameters) > 1


class TestVersionAndMetadata(unittest.TestCase):
    """One version, and a package that declares what it needs."""

    def test_version_is_written_in_one_place(self):
        self.assertRegex(monai_retinasynth.__version__, r"^\d+\.\d+\.\d+$")
        assigned = re.compile(r"^__version__\s*=", re.MULTILINE)
        places = [p.name for p in PACKAGE.rglob("*.py") if assigned.search(p.read_text(encoding="utf-8"))]
        self.assertEqual(places, ["_version.py"])

    def test_installed_metadata_agrees(self):
        try:
            found = metadata.metadata("monai_retinasynth")
        except metadata.PackageNotFoundError:
            self.skipTest("the package is not installed; it is imported from the source folder")
        self.assertEqual(found["Version"], monai_retinasynth.__version__)
        self.assertEqual(found["Requires-Python"], ">=3.10")

    def test_declares_the_versions_of_monai_torch_and_python(self):
        text = (REPOSITORY / "setup.py").read_text(encoding="utf-8")
        for wanted in ('"monai>=1.6,<1.8"', '"torch>=2.8"', 'python_requires=">=3.10"'):
            self.assertIn(wanted, text)

    def test_constraints_satisfy_what_setup_asks_for(self):
        pinned = {}
        for line in (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("#"):
                requirement = Requirement(line)
                pinned[requirement.name] = next(iter(requirement.specifier)).version
        for requirement in install_requires():
            self.assertIn(requirement.name, pinned)
            self.assertTrue(requirement.specifier.contains(pinned[requirement.name]), str(requirement))

    def test_imports_run_one_way(self):
        above = {"utils": "", "transforms": "data|simulation|metrics|engines|handlers|workflows"}
        above["data"] = "simulation|metrics|engines|handlers|workflows"
        above["simulation"] = "metrics|engines|handlers|workflows"
        for room, others in above.items():
            pattern = re.compile(rf"^\s*from \.\.(?:{others or '[a-z]'})", re.MULTILINE)
            for path in (PACKAGE / room).rglob("*.py"):
                text = path.read_text(encoding="utf-8")
                text = re.sub(r"^if TYPE_CHECKING:\n(?:    .*\n)+", "", text, flags=re.MULTILINE)
                self.assertNotRegex(text, pattern, str(path))

    def test_imports_only_what_is_declared(self):
        distributions = {"ignite": "pytorch-ignite", "PIL": "pillow", "skimage": "scikit-image"}
        distributions["sklearn"] = "scikit-learn"
        declared = {requirement.name for requirement in install_requires()}
        self.assertIn("monai", declared)
        undeclared = set()
        for path in PACKAGE.rglob("*.py"):
            for name in imported_names(path):
                top = name.split(".")[0]
                if top not in sys.stdlib_module_names and top != "monai_retinasynth":
                    if distributions.get(top, top) not in declared:
                        undeclared.add(f"{path.relative_to(REPOSITORY)}: {top}")
        self.assertEqual(undeclared, set())

    def test_py_typed_is_there(self):
        self.assertTrue((PACKAGE / "py.typed").is_file())

    def test_licence_is_whole(self):
        text = (REPOSITORY / "LICENSE").read_text(encoding="utf-8")
        self.assertIn("Version 2.0, January 2004", text)
        self.assertIn("END OF TERMS AND CONDITIONS", text)


class TestModules(unittest.TestCase):
    """Imports and exports."""

    @parameterized.expand([(m.__name__, m) for m in MODULES if not is_private(m)])
    def test_all_is_declared_and_true(self, _, module):
        self.assertTrue(hasattr(module, "__all__"), f"{module.__name__} has no __all__")
        missing = [name for name in module.__all__ if not hasattr(module, name)]
        self.assertEqual(missing, [])
        self.assertEqual(len(module.__all__), len(set(module.__all__)), "a name stands twice in __all__")

    def test_no_module_imports_torchvision(self):
        guilty = [
            str(path.relative_to(REPOSITORY))
            for path in PACKAGE.rglob("*.py")
            if any(name.split(".")[0] == "torchvision" for name in imported_names(path))
        ]
        self.assertEqual(guilty, [])

    def test_imports_without_torchvision(self):
        names = ", ".join(m.__name__ for m in MODULES)
        script = f"import sys; sys.modules['torchvision'] = None; import {names}"
        subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, check=True, timeout=120)

    def test_class_names_are_not_monais(self):
        locator = ComponentLocator()
        clashes = []
        for full_name, item in exported():
            if inspect.isclass(item):
                found = locator.get_component_module_name(item.__name__)
                others = [m for m in ([found] if isinstance(found, str) else found or []) if m.startswith("monai.")]
                clashes += [f"{full_name} and {m}" for m in others]
        self.assertEqual(clashes, [])


class TestDocstrings(unittest.TestCase):
    """Everything exported says what it is."""

    def test_modules_have_docstrings(self):
        silent = [m.__name__ for m in MODULES if not (m.__doc__ or "").strip()]
        self.assertEqual(silent, [])

    def test_exported_names_have_docstrings(self):
        # a dataclass without a docstring is given its signature as one
        silent = [n for n, item in exported() if not item.__doc__ or item.__doc__.startswith(f"{item.__name__}(")]
        self.assertEqual(silent, [])

    def test_classes_explain_their_arguments(self):
        silent = []
        for name, item in exported():
            if inspect.isclass(item) and takes_arguments(item):
                text = f"{item.__doc__}\n{item.__init__.__doc__}"
                if not re.search(r"^\s*(Args|Attributes):", text, re.MULTILINE):
                    silent.append(name)
        self.assertEqual(silent, [], "classes whose docstring has no Args section")


class TestFiles(unittest.TestCase):
    """Headers, and nothing of the machine that a file was written on."""

    def test_licence_headers(self):
        bare = [str(p.relative_to(REPOSITORY)) for p in python_files() if not p.read_text().startswith(HEADER)]
        self.assertEqual(bare, [])

    def test_no_machine_paths(self):
        found = []
        for path in own_texts():
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
                if MACHINE_PATH.search(line):
                    found.append(f"{path.relative_to(REPOSITORY)}:{number}: {line.strip()}")
        self.assertEqual(found, [])


class TestReadme(unittest.TestCase):
    """The two commands of the quick start."""

    def test_quick_start_opens_with_two_commands_of_one_line(self):
        section = re.split(r"^## ", (REPOSITORY / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
        quick_start = next(part for part in section if part.startswith("Quick start\n"))
        blocks = re.findall(r"^```bash\n(.*?)^```", quick_start, flags=re.MULTILINE | re.DOTALL)[:2]
        self.assertEqual([len(block.splitlines()) for block in blocks], [1, 1])
        self.assertIn("monai.bundle run --config_file bundles/workflows/configs/two_stage.json", blocks[0])
        self.assertIn("pytest", blocks[1])
        for block in blocks:
            self.assertIn("pip install -c constraints.txt", block)


if __name__ == "__main__":
    unittest.main()
