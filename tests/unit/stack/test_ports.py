"""Ports: kept from start to start, moved only when taken, and a sentence that names who holds one."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e_ml.stack.ports import LOOPBACK, PortMemory, is_free, occupied_sentence


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


def test_a_port_is_kept_while_it_is_free(tmp_path: Path) -> None:
    first = PortMemory(tmp_path).port("airflow", None)
    assert is_free(first)
    assert PortMemory(tmp_path).port("airflow", None) == first
    assert PortMemory(tmp_path).port("mlflow", None) != first


def test_a_remembered_port_that_is_taken_is_given_up(tmp_path: Path) -> None:
    first = PortMemory(tmp_path).port("airflow", None)
    with socket.create_server((LOOPBACK, first)):
        assert not is_free(first)
        assert PortMemory(tmp_path).port("airflow", None) != first


def test_a_pinned_port_is_taken_as_it_is(tmp_path: Path, taken: int) -> None:
    assert PortMemory(tmp_path).port("airflow", taken) == taken


def test_a_listener_on_all_interfaces_takes_the_port() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:  # noqa: S104 - what the test is about
        assert not is_free(server.getsockname()[1])


def test_the_sentence_names_the_holder_and_the_next_step(taken: int) -> None:
    sentence = occupied_sentence(taken, "services.airflow.port")
    assert f"Port {taken} is taken by process {os.getpid()} " in sentence
    assert "services.airflow.port" in sentence
