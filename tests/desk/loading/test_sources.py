"""The source files that belong to a plan's classes."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from desk.loading.sources import project_modules, source_fingerprints

FILES = {
    "book/__init__.py": "",
    "book/trading.py": "import json, numpy\nfrom desk import strategy\nfrom . import near\nfrom .deep import far\n",
    "book/near.py": "import shelf\n",
    "book/deep/__init__.py": "from book.deep.inner import x\n",
    "book/deep/far.py": "def late():\n    from book import lazy\n",
    "book/deep/inner.py": "x = 1\n",
    "book/lazy.py": "import importlib\nimportlib.import_module('named')\n",
    "book/unused.py": "",
    "shelf.py": "import book.near  # a circle\n",
    "named.py": "import absent_altogether\n",
    "broken.py": "def (\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    sys.path.insert(0, str(tmp_path))
    yield tmp_path
    sys.path.remove(str(tmp_path))
    for name in [name for name in sys.modules if name.partition(".")[0] in {"book", "shelf", "named", "broken"}]:
        del sys.modules[name]


def test_they_are_the_module_its_packages_and_what_those_import(project: Path) -> None:
    found = project_modules(["book.trading"])

    assert set(found) == {
        *("book", "book.trading", "book.near", "book.deep", "book.deep.far", "book.deep.inner", "book.lazy"),
        *("shelf", "named"),
    }
    assert found["book.deep.far"] == (project / "book/deep/far.py").resolve()
    assert not [name for name in sys.modules if name.partition(".")[0] in {"book", "shelf", "named"}]


def test_modules_that_cannot_be_found_or_compiled_do_no_harm(project: Path) -> None:
    assert set(project_modules(["broken", "absent.module", "json"])) == {"broken", "json"}


@pytest.mark.parametrize("name", ["book/trading.py", "book/deep/inner.py", "named.py", "book/__init__.py"])
def test_each_change_shows(project: Path, name: str) -> None:
    before = source_fingerprints(["book.trading:Trader"])
    (project / name).write_text((project / name).read_text() + "# another\n")
    now = source_fingerprints(["book.trading:Trader"])

    assert sum(before[module] != now[module] for module in before) == 1
