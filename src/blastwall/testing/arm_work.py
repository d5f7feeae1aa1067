"""Work that Resource Manager does while the client waits elsewhere: "Track asynchronous Azure operations"."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from blastwall.testing.arm_estate import failed, template_resources
from blastwall.testing.rest import Answer, Document


@dataclass(slots=True)
class Operation:
    """One piece of work: when it is done (seconds of the monotonic clock), what it changes then, what it answers."""

    done: float
    finish: Callable[[], None]
    result: Answer
    name: str = field(default_factory=lambda: str(uuid.uuid4()))
    finished: bool = False

    @property
    def status(self) -> Document:
        """What `Azure-AsyncOperation` tells."""
        state = "Succeeded" if self.finished else "InProgress"
        document: Document = {"id": self.name, "name": self.name, "status": state, "startTime": now()}
        return document | ({"endTime": now(), "properties": self.result.document} if self.finished else {})


@dataclass(slots=True)
class Work:
    """Every operation that was started, by its name. `seconds` is how long one takes."""

    seconds: float = 0.3
    operations: dict[str, Operation] = field(default_factory=dict)

    def start(self, finish: Callable[[], None], result: Answer) -> Operation:
        """Start an operation; `finish` is called once it is done, before anything else is answered."""
        operation = Operation(time.monotonic() + self.seconds, finish, result)
        self.operations[operation.name] = operation
        return operation

    def settle(self) -> None:
        """Finish what is done by now."""
        for operation in self.operations.values():
            if not operation.finished and time.monotonic() >= operation.done:
                operation.finish()
                operation.finished = True


def now() -> str:
    """Return the time as Resource Manager writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def deployed(identifier: str, asked: Mapping[str, object]) -> tuple[list[Document], Document]:
    """Return the resources that a deployment makes, and the deployment as a GET shows it ("Deployments - Get").

    Raises:
        ValueError: the template cannot be evaluated.
    """
    properties = asked.get("properties")
    given = properties if isinstance(properties, Mapping) else {}
    template, parameters = given.get("template"), given.get("parameters")
    if not isinstance(template, Mapping):
        raise ValueError("Deployment template validation failed: the template is missing")
    made = list(template_resources(template, parameters if isinstance(parameters, Mapping) else {}))
    group = identifier[: identifier.lower().index("/providers/")]
    targets = [f"{group}/providers/{_path(one)}" for one in made]
    return [{**one, "id": target} for one, target in zip(made, targets, strict=True)], {
        "id": identifier,
        "name": identifier.rpartition("/")[2],
        "type": "Microsoft.Resources/deployments",
        "properties": {
            "templateHash": "12345678901234567890",
            "parameters": parameters or {},
            "mode": given.get("mode", "Incremental"),
            "provisioningState": "Accepted",
            "timestamp": now(),
            "duration": "PT0S",
            "correlationId": str(uuid.uuid4()),
            "providers": [],
            "dependencies": [],
            "outputResources": [{"id": target} for target in targets],
        },
    }


def deployment_operations(deployment: Document) -> list[Document]:
    """Return what "Deployment Operations - List" shows."""
    properties = deployment["properties"]
    listed = properties["outputResources"] if isinstance(properties, dict) else []
    return [
        {
            "id": f"{deployment['id']}/operations/{number:016X}",
            "operationId": f"{number:016X}",
            "properties": {
                "provisioningOperation": "Create",
                "provisioningState": "Succeeded",
                "timestamp": now(),
                "duration": "PT1S",
                "statusCode": "OK",
                "targetResource": {"id": target["id"], "resourceName": target["id"].rpartition("/")[2]},
            },
        }
        for number, target in enumerate(listed, 1)
    ]


def not_started(error: Exception) -> Answer:
    """Return the error for a template that cannot be deployed."""
    return failed(400, "InvalidTemplate", str(error))


def _path(resource: Mapping[str, object]) -> str:
    """Join a template's type and name (`Microsoft.Sql/servers/databases`, `one/two`) into the path of an id."""
    namespace, *kinds = str(resource["type"]).split("/")
    names = str(resource["name"]).split("/")
    if len(kinds) != len(names):
        raise ValueError(f"The template resource '{resource['name']}' has incorrect segment lengths.")
    return "/".join([namespace, *(part for pair in zip(kinds, names, strict=True) for part in pair)])
