"""What the doctor asks for is what the set-up installs."""

from __future__ import annotations

from pathlib import Path

from e2e_ml.stack import doctor

SETUP = Path(__file__).parents[3] / "packaging" / "setup.sh"


def test_every_library_that_the_doctor_looks_for_is_installed_by_the_set_up() -> None:
    installed = SETUP.read_text().split("PACKAGES=(")[1].split(")")[0].split()
    assert set(doctor.LIBRARIES.values()) <= set(installed)
