"""What clients need that go to the gateway by themselves, and the Azure CLI made ready for one run."""

from __future__ import annotations

import asyncio
import configparser
import os
import signal
import time
from pathlib import Path

import aiohttp
import jwt
import pytest

from blastwall.connecting.azure_cli import NAMES, NotReady, make_ready, program_of, variables
from blastwall.connecting.child import Terminated, tidily
from blastwall.connecting.direct import direct_way, tenant_of
from blastwall.connecting.managed_identity import Tokens
from blastwall.connecting.proofs import NoProof, Proof, Proofs
from blastwall.testing.certificates import CertificateAuthority

TENANT = "5f1c2a40-7d0e-4c55-9d0a-0f3b6f1c2a40"
URL = "https://gw.example:8444"

AZ = """#!/bin/sh
echo "$@" >> "$AZURE_CONFIG_DIR.calls"
mkdir -p "$AZURE_CONFIG_DIR"
config="$AZURE_CONFIG_DIR/config"
[ -e "$config" ] || printf '[core]\\noutput = json\\n[cloud]\\nname = AzureCloud\\n' > "$config"
case "$1" in {fails}) echo "ERROR: $1 was refused" >&2; exit 3;; esac
"""


def tokens(resource: str) -> Proofs:
    async def fetch() -> Proof:
        return Proof(jwt.encode({"tid": TENANT, "for": resource}, "k" * 32, "HS256"), 2e10)

    return Proofs(fetch)


def nothing(resource: str) -> Proofs:
    async def fetch() -> Proof:
        raise NoProof(f"the gateway gives no token for {resource}")

    return Proofs(fetch)


def opaque(resource: str) -> Proofs:
    async def fetch() -> Proof:
        return Proof("no.token.here", 2e10)

    return Proofs(fetch)


async def test_a_run_has_an_identity_of_its_own_and_leaves_nothing(tmp_path: Path) -> None:
    ca = CertificateAuthority("The gateway's CA").write(tmp_path)
    async with direct_way(URL, "arm", tokens, ca, print) as run:
        direct = run.direct
        assert (direct.url, direct.tenant) == (URL, TENANT)
        assert run.folder.stat().st_mode & 0o077 == 0
        assert direct.bundle is not None
        assert (await asyncio.to_thread(Path(direct.bundle).read_bytes)).endswith(ca.read_bytes())
        async with (
            aiohttp.ClientSession() as http,
            http.get(direct.instance, params={"resource": "x"}, headers={"Metadata": "true"}) as response,
        ):
            assert response.status == 200
        assert direct.header not in repr(direct)
        assert direct.metadata not in repr(direct)
    assert not run.folder.exists()


async def test_where_the_system_trusts_the_gateway_clients_keep_what_they_trust() -> None:
    async with direct_way(URL, "arm", tokens, None, print) as run:
        assert run.direct.bundle is None


@pytest.mark.parametrize(("given", "said"), [(nothing, "no token for blastwall:arm"), (opaque, "names no tenant")])
async def test_without_a_token_there_is_no_way(
    given: Tokens, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(NoProof, match=said):
        async with direct_way(URL, "arm", given, None, print):
            pass
    assert await asyncio.to_thread(os.listdir, tmp_path) == []


@pytest.mark.parametrize("token", ["", "a.b", "a.!.c", "a.e30.c", "bwp_x"])
def test_what_names_no_tenant(token: str) -> None:
    with pytest.raises(NoProof):
        tenant_of(token)


# ── the Azure CLI ────────────────────────────────────────────────────────────────────────────────────────────────────


def fake(folder: Path, fails: str = "nothing") -> str:
    program = folder / "az"
    program.write_text(AZ.format(fails=fails))
    program.chmod(0o700)
    return str(program)


def test_the_users_own_settings_are_not_touched() -> None:
    found = variables(Path("/run/x"), {"HOME": "/home/ana"})
    assert found.keys() == NAMES
    assert found["AZURE_CONFIG_DIR"] == "/run/x/azure"
    assert found["AZURE_EXTENSION_DIR"] == "/home/ana/.azure/cliextensions"
    moved = variables(Path("/run/x"), {"HOME": "/home/ana", "AZURE_CONFIG_DIR": "/etc/az"})
    assert moved["AZURE_EXTENSION_DIR"] == "/etc/az/cliextensions"
    kept = variables(Path("/run/x"), {"HOME": "/home/ana", "AZURE_EXTENSION_DIR": "/opt/az"})
    assert kept["AZURE_EXTENSION_DIR"] == "/opt/az"


async def test_the_gateway_is_its_cloud_and_its_login(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "AZURE_CONFIG_DIR": str(tmp_path / "azure")}
    await make_ready([fake(tmp_path)], URL, environment)
    assert (tmp_path / "azure.calls").read_text().splitlines() == [
        f"cloud register --name Blastwall --endpoint-resource-manager {URL}",
        "login --identity --allow-no-subscriptions --output none",
    ]
    read = configparser.ConfigParser()
    read.read(tmp_path / "azure" / "config")
    assert (read["cloud"]["name"], read["core"]["output"]) == ("Blastwall", "json")


@pytest.mark.parametrize("step", ["cloud", "login"])
async def test_what_it_refuses_is_told(tmp_path: Path, step: str) -> None:
    environment = {"PATH": os.environ["PATH"], "AZURE_CONFIG_DIR": str(tmp_path / "azure")}
    with pytest.raises(NotReady, match=rf"`az {step} .*` ended with code 3: ERROR: {step} was refused"):
        await make_ready([fake(tmp_path, step)], URL, environment)
    with pytest.raises(NotReady, match="cannot be run"):
        await make_ready([str(tmp_path / "none")], URL, environment)


def test_which_command_is_the_azure_cli() -> None:
    assert program_of(["az", "group"]) == ("az",)
    assert program_of(["/usr/bin/az"]) == ("/usr/bin/az",)
    assert program_of(["python3", "-m", "azure.cli", "group", "list"]) == ("python3", "-m", "azure.cli")
    assert not any(program_of(each) for each in (["azd"], ["sh", "-c", "az"], ["python3", "-m", "azure"], []))


async def test_a_run_that_is_told_to_end_meanwhile_ends_in_order(tmp_path: Path) -> None:
    """What az keeps in its folder are tokens, which nobody may find once the run is over."""
    started = tmp_path / "started"
    program = tmp_path / "az"
    program.write_text(f"#!/bin/sh\necho $$ > {started}.new && mv {started}.new {started}\nexec sleep 300\n")
    program.chmod(0o755)

    def tell() -> None:
        while not started.exists():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    telling = asyncio.create_task(asyncio.to_thread(tell))
    folder = tmp_path / "run"
    folder.mkdir()
    environment = {"PATH": os.environ["PATH"], "AZURE_CONFIG_DIR": str(folder)}
    with pytest.raises(Terminated) as ended, tidily():
        await make_ready((str(program),), "https://arm.gw.example", environment)
    await telling
    assert ended.value.code == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)
