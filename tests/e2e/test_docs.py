"""The documentation does what it says: every block of a page is run, and what it shows is what is printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.documents import DOCS, DocumentationError, blocks, copied, like, run


def test_the_tutorial_runs_as_written(tmp_path: Path) -> None:
    folder = tmp_path / "reader"
    folder.mkdir()
    run(DOCS / "tutorial.md", folder)


def test_the_titanic_example_runs_as_written(tmp_path: Path) -> None:
    folder = copied(DOCS / "titanic", tmp_path / "titanic")
    run(folder / "titanic.md", folder)


def test_the_titanic_page_shows_the_file_itself() -> None:
    shown = next(block for block in blocks(DOCS / "titanic" / "titanic.md") if block.file == "features.py")
    assert shown.text.partition("\n")[2] == (DOCS / "titanic" / "features.py").read_text()


PAGE = """
```python
# said.py
WORD = "heard"
```
```python
from said import WORD
print(WORD)
```
```text
{shown}
```
```sh
{shell}
```
"""


@pytest.mark.parametrize(
    ("shown", "shell", "wrong"),
    [
        ("heard", "true", None),
        ("said", "true", r"page.md:10 says\nsaid\n\nand it printed\nheard"),
        ("heard", "false", "page.md:13 failed"),
    ],
)
def test_a_page_that_says_something_else_is_found(tmp_path: Path, shown: str, shell: str, wrong: str | None) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE.format(shown=shown, shell=shell))
    folder = tmp_path / "reader"
    folder.mkdir()
    if wrong is None:
        run(page, folder)
        return
    with pytest.raises(DocumentationError, match=wrong):
        run(page, folder)


@pytest.mark.parametrize(
    ("said", "shown", "same"),
    [
        ("a\nb\nc\n", "a\n...\nc\n", True),
        ("a\nc\n", "a\nb\n", False),
        ("a  \n", "a", True),
        ("a\nb\nd\n", "a\n...\nc\n", False),
        ("a.c", "abc", False),
        ("at 12:30, b\n", "at ..., b", True),
        ("at 12:30, c\n", "at ..., b", False),
    ],
)
def test_what_is_printed_is_what_is_shown(said: str, shown: str, same: bool) -> None:
    assert like(said, shown) is same
