"""`e2e-ml festaf import-feast`: a Feast repository turned into a festaf project."""

from __future__ import annotations

from pathlib import Path

import click

from e2e_ml.festaf.errors import FeatureStoreError


@click.command("import-feast")
@click.argument("repository", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--python", type=click.Path(path_type=Path), help="The Python that has Feast; that of `feast` unless said."
)
@click.option(
    "--output", type=click.Path(path_type=Path), help="The new project's folder; the project's name unless said."
)
def import_feast(repository: Path, python: Path | None, output: Path | None) -> None:
    """Turn the Feast REPOSITORY (the folder with feature_store.yaml) into definitions, and say what stayed behind.

    Its modules run in its own Feast environment, as `feast apply` runs them; nothing there is changed.
    """
    from e2e_ml.festaf.feast import reading, writing

    root = repository.resolve()
    read = reading.read(root, python)
    folder = (output or Path(read.project)).resolve()
    _refuse(folder, root)
    written = writing.write(read, root, folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in written.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    click.echo(f"{', '.join(written.files)} in {folder}: {len(written.carried)} definitions of {written.project}.")
    for item in written.carried:
        click.echo(f"  {item}")
    _tell("To look at:", [str(note) for note in written.notes if not note.left])
    _tell("Left behind:", [str(note) for note in written.left])
    click.echo(f"\nNext: e2e-ml festaf apply --project {folder} --name {written.project}")


def _refuse(folder: Path, repository: Path) -> None:
    if folder.is_relative_to(repository):
        raise FeatureStoreError(
            f"{folder} lies in the Feast repository, where `feast apply` would run what is written. Choose another "
            "folder: --output."
        )
    if taken := [name for name in ("features.py", "features", "festaf.yaml") if (folder / name).exists()]:
        raise FeatureStoreError(f"{folder} has {taken[0]} already. Choose another folder: --output.")


def _tell(title: str, lines: list[str]) -> None:
    if lines:
        click.echo(f"\n{title}")
        for line in lines:
            click.echo(f"  {line}")
