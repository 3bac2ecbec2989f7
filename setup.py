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
"""Package metadata; everything else that a build needs is in MANIFEST.in and pyproject.toml."""

from __future__ import annotations

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent
# The bundles are data, not Python: they are installed beside the package, for `workflows.find_bundles_dir`.
BUNDLES_SHARE = "share/monai_retinasynth"
BUNDLE_SUFFIXES = {".json", ".conf", ".md", ".txt", ".png"}


def read_version() -> str:
    """The version, without importing the package and what it needs."""
    namespace: dict[str, str] = {}
    exec((HERE / "monai_retinasynth" / "_version.py").read_text(encoding="utf-8"), namespace)
    return namespace["__version__"]


def bundle_files() -> list[tuple[str, list[str]]]:
    """Configurations, recipes, documents and licences of the bundles, as `data_files` wants them (one row a folder)."""
    rows: dict[str, list[str]] = {}
    for path in sorted((HERE / "bundles").rglob("*")):
        relative = path.relative_to(HERE)
        made_by_a_run = {"eval", "models", "output", "runs"} & set(relative.parts)
        if path.is_file() and not made_by_a_run and (path.suffix in BUNDLE_SUFFIXES or path.name == "LICENSE"):
            rows.setdefault(f"{BUNDLES_SHARE}/{relative.parent.as_posix()}", []).append(relative.as_posix())
    return list(rows.items())


TEST = ["pytest>=8", "pytest-timeout", "parameterized", "jsonschema"]
DOCS = ["sphinx>=8", "furo"]
BUNDLE = ["jsonschema"]

setup(
    name="monai_retinasynth",
    version=read_version(),
    description="Labelled synthetic retinal photographs inside MONAI: networks, trainers, metrics and bundles",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="the monai_retinasynth authors",
    license="Apache-2.0",
    license_files=["LICENSE"],
    keywords=["MONAI", "GAN", "retina", "fundus", "segmentation", "synthetic data", "medical imaging"],
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Environment :: Console",
        "Intended Audience :: Healthcare Industry",
        "Intended Audience :: Science/Research",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: Scientific/Engineering :: Image Processing",
        "Topic :: Scientific/Engineering :: Medical Science Apps.",
        "Typing :: Typed",
    ],
    packages=find_packages(include=["monai_retinasynth", "monai_retinasynth.*"]),
    package_data={"monai_retinasynth": ["py.typed"]},
    data_files=bundle_files(),
    zip_safe=False,
    python_requires=">=3.10",
    install_requires=[
        "monai>=1.6,<1.8",
        "torch>=2.8",
        "numpy>=1.24",
        "pytorch-ignite>=0.5",
        "tensorboard",
        "nibabel",
        "itk>=5.3",
        "pillow>=10",
        "matplotlib>=3.7",
        "scikit-image>=0.22",
        "scipy>=1.11",
        "scikit-learn>=1.3",
        "filelock>=3.12",  # which PyTorch needs anyway
        "tqdm",
        "rich",
        "fire",
    ],
    extras_require={
        "bundle": BUNDLE,
        "test": TEST,
        "docs": DOCS,
        "dev": sorted({*TEST, *DOCS, *BUNDLE, "ruff", "tox", "build"}),
    },
)
