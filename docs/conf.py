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
"""Sphinx configuration: ``python -m sphinx -W docs docs/_build/html`` from the repository root."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE / "_ext"))

from monai_retinasynth._version import __version__  # noqa: E402

project = "monai_retinasynth"
author = "the monai_retinasynth authors"
copyright = author
version = release = __version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode", "result_table"]
exclude_patterns = ["_build", "results/*.md"]
html_theme = "furo"
html_title = f"monai_retinasynth {__version__}"

# In plain docstrings a name in single backticks is code, as MONAI writes it.
default_role = "code"

napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
# Methods that override MONAI's without a docstring of their own: MONAI documents those.
autodoc_inherit_docstrings = False
autodoc_preserve_defaults = True
