"""What the gateway knows of the protocol besides its bytes: its name, port, pack, and how its clients are set up."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Literal
from weakref import WeakValueDictionary

from pydantic import BaseModel

from blastwall.model.credential import Credential
from blastwall.model.effects import Effect
from blastwall.model.resource import Address, Resource
from blastwall.model.statement import Statement
from blastwall.protocols.contract import Opening
from blastwall.protocols.estimating import PREFIX, question_of
from blastwall.protocols.kind import ClientAddress
from blastwall.protocols.tds.audit import TdsAuditor
from blastwall.protocols.tds.catalog import TdsCompanion, View
from blastwall.protocols.tds.estimates import TdsEstimator
from blastwall.protocols.tds.forwarding import TdsForwarder
from blastwall.protocols.tds.session import TdsSession
from blastwall.protocols.tds.settings import TdsSettings
from blastwall.sql.tsql.catalog import Catalog
from blastwall.sql.tsql.classify import classify
from blastwall.sql.tsql.state import NameState

_STRAYS = frozenset(
    {
        "SQLCMDINI", "SQLCMDPASSWORD", "SQLCMDUSEAAD", "SQLCMDCOLUMNENCRYPTION", "TDSVER", "TDSHOST", "TDSPORT",
        "FREETDS", "FREETDSCONF",
    }
)  # fmt: skip


class TdsKind:
    """Implements `ProtocolKind`."""

    def __init__(self) -> None:
        self._views: WeakValueDictionary[Hashable, View] = WeakValueDictionary()

    @property
    def kind(self) -> str:
        return "mssql"

    @property
    def port(self) -> int:
        return 1433

    @property
    def plane(self) -> str:
        return "data"

    @property
    def scope(self) -> str:
        """Tokens for Azure SQL, in Azure's public cloud."""
        return "https://database.windows.net/.default"

    @property
    def masked_by(self) -> Literal["columns", "fields"]:
        """See `ProtocolKind`."""
        return "columns"

    @property
    def proves_each(self) -> bool:
        return False

    @property
    def reception(self) -> None:
        """A client says which database it wants; the server's name that it gives is its own business."""
        return None

    @property
    def settings(self) -> type[BaseModel]:
        return TdsSettings

    def credential_fault(self, settings: BaseModel, *, user: bool, token: bool) -> str:
        """A token says whose it is; a password needs a login's name."""
        return "" if user or token else "give `user`: the login that the password is of"

    @property
    def pack(self) -> Traversable | None:
        return files(__package__).joinpath("pack.cedar")

    def session(self, opening: Opening) -> TdsSession:
        return TdsSession(opening)

    def companion(self, opening: Opening, credential: Credential, name: str) -> TdsCompanion | TdsEstimator:
        if name.startswith(PREFIX):
            return TdsEstimator(opening, credential, name)
        return TdsCompanion(opening, credential, name, self._views)

    def estimate(self, database: str, effects: Sequence[Effect]) -> tuple[str, Hashable] | None:
        return question_of(database, effects)

    def auditor(self, opening: Opening, credential: Credential, database: str) -> TdsAuditor:
        return TdsAuditor(opening, credential, database)

    def classify(self, text: str, database: str, resource: Resource) -> Sequence[Statement]:
        """A batch is one statement, whatever it holds."""
        one = classify(text, Catalog(database, 0, believes=True), NameState())
        return (
            Statement(
                text,
                one.effects,
                one.operation,
                database,
                literals=one.literals,
                filtered=one.filtered,
                doubt=one.doubt,
                filters=one.filters,
            ),
        )

    def environment(self, address: ClientAddress) -> Mapping[str, str]:
        """What sqlcmd reads, and where OpenSSL, which most drivers use, finds the gateway's authority."""
        return {
            "SQLCMDSERVER": _server(address),
            "SQLCMDDBNAME": address.database,
            "SQLCMDUSER": address.user,
            **({"SQLCMDPASSWORD": address.secret} if address.secret else {}),
            **({"SSL_CERT_FILE": address.ca} if address.ca and not address.plain_text else {}),
        }

    @property
    def strays(self) -> frozenset[str]:
        return _STRAYS

    def forwarder(self, gateway: Address) -> TdsForwarder:
        return TdsForwarder(gateway)

    def socket_name(self, port: int) -> str:
        return f".s.TDS.{port}"

    def command(self, address: ClientAddress) -> Sequence[str]:
        encryption = "disable" if address.plain_text else "strict"
        return ("sqlcmd", "-S", _server(address), "-d", address.database, "-U", address.user, f"-N{encryption}")


def _server(address: ClientAddress) -> str:
    return f"tcp:{address.host},{address.port}"
