"""Whose a connection on loopback is."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from blastwall.connecting.peers import can_tell, is_ours

CONNECT = "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); sys.stdin.read()"


def accepted(client: socket.socket, listener: socket.socket) -> socket.socket:
    client.connect(listener.getsockname())
    return listener.accept()[0]


@pytest.mark.skipif(not can_tell(), reason="only Linux tells")
class TestTcp:
    @pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
    def test_our_own(self, family: socket.AddressFamily) -> None:
        host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
        with (
            socket.create_server((host, 0), family=family) as listener,
            socket.socket(family) as client,
            accepted(client, listener) as server,
        ):
            assert is_ours(server)

    def test_one_that_is_closed_already_is_nobodys(self) -> None:
        """The kernel lists what is left of it as root's, whoever had it."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = socket.socket()
            with accepted(client, listener) as server:
                client.close()
                assert not is_ours(server)

    @pytest.mark.skipif(os.getuid() != 0, reason="only root can act as another user")
    def test_another_users(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            python = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
            command = [python, "-S", "-c", CONNECT, str(listener.getsockname()[1])]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, user="nobody", cwd="/", env={"PATH": "/usr/bin"})
            try:
                listener.settimeout(30)
                with listener.accept()[0] as server:
                    assert not is_ours(server)
            finally:
                process.kill()
                process.communicate()


def test_a_socket_file(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        client.connect(str(tmp_path / "s"))
        with listener.accept()[0] as server:
            assert is_ours(server)
