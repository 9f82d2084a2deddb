"""The audit hook cannot be taken out again, so each case has an interpreter of its own."""

import subprocess
import sys

import pytest

from annotateforge.trainer.worker.child.network import MARK

START = (
    "import socket, subprocess\nfrom annotateforge.trainer.worker.child import network\nnetwork.refuse()\n"
)


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", START + code], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    "code",
    [
        "socket.create_connection(('192.0.2.1', 443), 1)",
        "socket.getaddrinfo('ultralytics.com', 443)",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
        "import urllib.request; urllib.request.urlopen('http://192.0.2.1/')",
        "import requests; requests.head('https://ultralytics.com', timeout=1)",
        "subprocess.run(['curl', 'https://ultralytics.com'])",
    ],
)
def test_every_way_out_is_refused_and_told(code: str) -> None:
    done = run(code)
    assert done.returncode == 1
    assert MARK in done.stderr


def test_processes_that_are_forked_are_refused_too() -> None:
    code = """
import os
if os.fork() == 0:
    socket.create_connection(("192.0.2.1", 443), 1)
os.wait()
"""
    assert MARK in run(code).stderr


def test_sockets_of_the_file_system_and_other_programs_are_left_alone() -> None:
    code = """
import tempfile
path = tempfile.mktemp()
server = socket.socket(socket.AF_UNIX); server.bind(path); server.listen()
socket.socket(socket.AF_UNIX).connect(path)
subprocess.run(["true"], check=True)
"""
    done = run(code)
    assert done.returncode == 0, done.stderr
    assert MARK not in done.stderr


def test_what_was_allowed_for_a_while_is_refused_again() -> None:
    code = """
server = socket.create_server(("127.0.0.1", 0))
with network.allowed():
    socket.create_connection(server.getsockname(), 5)
socket.create_connection(server.getsockname(), 5)
"""
    done = run(code)
    assert done.stderr.count(MARK) == 1
