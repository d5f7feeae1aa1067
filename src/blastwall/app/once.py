"""What is made once a node, before its workers start, so that they neither race for it nor all complain of it."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from blastwall.app.build import share
from blastwall.app.certificate import certificate_of
from blastwall.app.masks import masking_key
from blastwall.app.places import node_name, signing_key_path
from blastwall.app.plan import Plan
from blastwall.app.recording_keys import recording_keys
from blastwall.config.model import Configuration
from blastwall.recording.keys import load_or_create_key
from blastwall.recording.layout import Folder, chain_name
from blastwall.recording.recorder import Recorder
from blastwall.relay.listener import cannot_listen
from blastwall.store.database import open_store

Place = tuple[str, int]


async def make_once(plan: Plan, workers: int) -> None:
    """Make the state's tables, the certificate, the keys and the workers' chains; see that every port is free.

    Raises:
        As `Gateway.start`.
    """
    configuration = plan.configuration
    refuse_taken(places(configuration))
    store = await open_store(configuration.state)
    await store.close()
    certificate_of(configuration)
    await masking_key(configuration)
    await _begin_chains(configuration, workers)


async def _begin_chains(configuration: Configuration, workers: int) -> None:
    """Begin the chains that are not there, the last one first: a chain that says how many there are has them all."""
    key, node = load_or_create_key(signing_key_path(configuration)), node_name(configuration)
    keyring = await recording_keys(configuration)
    for number in range(workers, 0, -1):
        name = chain_name(node, number)
        if not Folder(configuration.recordings.to / name).chain.exists():
            recorder = Recorder(share(configuration.recordings, workers), name, key, workers=workers, keyring=keyring)
            await recorder.start()
            await recorder.stop()


def places(configuration: Configuration) -> dict[Place, str]:
    """Return every address and port that workers share, with the resource that is served there."""
    return {(configuration.listen, each.listen): each.name for each in configuration.resources}


def refuse_taken(wanted: dict[Place, str], ours: Iterable[Place] = ()) -> None:
    """See that nobody else listens; `ours` are the places where we do.

    Workers share ports, so the kernel would let another gateway of the same user share them too.

    Raises:
        ListenFailed: a port is taken, or not ours to take.
    """
    for (address, port), name in wanted.items():
        if (address, port) in ours:
            continue
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as error:
                raise cannot_listen(f"resource {name}", address, port, error) from None
