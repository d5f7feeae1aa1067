"""The story's chapter about Azure: the same agent, the same token, and Resource Manager instead of a database."""

from __future__ import annotations

import json
import ssl
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.message import Message

from blastwall.testing.demo.scene import PATIENCE, Scene, tell_ana, waiting

_VERSION = "api-version=2021-04-01"
_OLD = "web-2019"
"""The resource group that is cleared away."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back."""

    status: int
    headers: Message
    body: dict[str, object]


def manage_azure(scene: Scene) -> None:
    """Walk the chapter."""
    list_groups(scene)
    refuse_keys(scene)
    delete_group(scene)


def list_groups(scene: Scene) -> None:
    """The agent's token is worth nothing to Azure; the gateway shows its own."""
    scene.teller.step(
        "The same agent looks after a subscription: it lists the resource groups",
        "az, Terraform and the SDKs send these requests; here they are sent plainly. The gateway has the Azure token.",
    )
    names: list[str] = []
    link = f"{scene.world.subscription}/resourcegroups?{_VERSION}"
    pages = 0
    while link:
        answered = _ask(scene, "GET", link.removeprefix(scene.world.azure_url))
        groups = answered.body.get("value", [])
        assert isinstance(groups, list)
        names += [str(group["name"]) for group in groups]
        scene.teller.said(", ".join(str(group["name"]) for group in groups))
        link = str(answered.body.get("nextLink", ""))
        pages += 1
    there = [str(group["name"]) for group in scene.world.arm.estate.groups()]
    scene.teller.check("every group is listed, page by page", names == there and pages > 1)
    tokens = {asked.bearer for asked in scene.world.arm.asked}
    scene.teller.check("Azure saw the gateway's own token, never the agent's", tokens <= set(scene.world.azure.tokens))


def refuse_keys(scene: Scene) -> None:
    """What hands out a credential is refused."""
    scene.teller.step("It asks for a storage account's keys: whoever has them needs no gateway any more")
    before = len(scene.world.arm.asked)
    answered = _ask(scene, "POST", f"{scene.world.storage}/listKeys?{_VERSION}")
    error = answered.body.get("error")
    scene.teller.check(
        "refused with 403 and an error of Azure's own form",
        answered.status == 403 and isinstance(error, dict) and bool(error.get("code")) and bool(error.get("message")),
    )
    scene.teller.check("Azure was not even asked", len(scene.world.arm.asked) == before)


def delete_group(scene: Scene) -> None:
    """A group is deleted once a person agrees; the long work is waited for through the gateway."""
    scene.teller.step(
        "It deletes a resource group: that waits for a person, as the DELETE of an order did",
        "The agent's client only sees that the request takes a while.",
    )
    target = f"{scene.world.subscription}/resourcegroups/{_OLD}?{_VERSION}"
    with ThreadPoolExecutor(1) as beside:
        held = beside.submit(_ask, scene, "DELETE", target)
        request = waiting(scene)
        scene.teller.check("the group is there still", not held.done() and _OLD in _groups(scene))
        shown = tell_ana(scene, "show", request)
        scene.teller.check(
            "ana sees Azure's own name for it", "Microsoft.Resources/subscriptions/resourceGroups" in shown
        )
        tell_ana(scene, "approve", request, "--comment", "nobody uses it")
        answered = held.result(60)
    where = str(answered.headers.get("Location", ""))
    scene.teller.check("Azure has begun: 202", answered.status == 202)
    scene.teller.check("where to ask how far it is leads to the gateway", where.startswith(scene.world.azure_url))
    deadline = time.monotonic() + PATIENCE
    while answered.status == 202 and time.monotonic() < deadline:
        time.sleep(float(answered.headers.get("Retry-After", "1")))
        answered = _ask(scene, "GET", where.removeprefix(scene.world.azure_url))
    scene.teller.check("then the group is gone", answered.status == 200 and _OLD not in _groups(scene))


def _groups(scene: Scene) -> list[str]:
    """Return what groups there are, past the gateway."""
    return [str(group["name"]) for group in scene.world.arm.estate.groups()]


def _ask(scene: Scene, method: str, target: str) -> Answered:
    """Send a request through the gateway with the agent's token, show both, and return what came back."""
    scene.teller.sent("http", f"{method} {target}")
    request = urllib.request.Request(scene.world.azure_url + target, method=method)
    request.add_header("Authorization", f"Bearer {scene.token}")
    if method == "POST":
        request.data = b""
    context = ssl.create_default_context(cafile=str(scene.world.gateway.ca))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(request, timeout=2 * PATIENCE) as response:
            return Answered(response.status, response.headers, _read(response.read()))
    except urllib.error.HTTPError as error:
        with error:
            answered = Answered(error.code, error.headers, _read(error.read()))
        scene.teller.refused(f"{answered.status}  {json.dumps(answered.body)}")
        return answered


def _read(body: bytes) -> dict[str, object]:
    found = json.loads(body) if body else {}
    return found if isinstance(found, dict) else {}
