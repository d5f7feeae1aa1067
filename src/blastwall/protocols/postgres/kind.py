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
from blastwall.protocols.postgres.audit import PostgresAuditor
from blastwall.protocols.postgres.catalog import PostgresCompanion, View
from blastwall.protocols.postgres.conversation import stated
from blastwall.protocols.postgres.estimates import PostgresEstimator
from blastwall.protocols.postgres.forwarding import PostgresForwarder
from blastwall.protocols.postgres.session import PostgresSession
from blastwall.protocols.postgres.settings import PostgresSettings
from blastwall.sql.postgres import Catalog, NameState, classify

_STRAYS = frozenset(
    {
        "PGSERVICE", "PGSERVICEFILE", "PGHOSTADDR", "PGPASSWORD", "PGPASSFILE", "PGREQUIREAUTH", "PGREQUIRESSL",
        "PGREQUIREPEER", "PGCHANNELBINDING", "PGSSLNEGOTIATION", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY",
        "PGGSSENCMODE", "PGTARGETSESSIONATTRS", "PGLOADBALANCEHOSTS",
    }
)  # fmt: skip


class PostgresKind:
    """Implements `ProtocolKind`."""

    def __init__(self) -> None:
        self._views: WeakValueDictionary[Hashable, View] = WeakValueDictionary()

    @property
    def kind(self) -> str:
        return "postgres"

    @property
    def port(self) -> int:
        return 5432

    @property
    def plane(self) -> str:
        return "data"

    @property
    def scope(self) -> str:
        """Tokens for Azure Database for PostgreSQL, in Azure's public cloud."""
        return "https://ossrdbms-aad.database.windows.net/.default"

    @property
    def masked_by(self) -> Literal["columns", "fields"]:
        """See `ProtocolKind`."""
        return "columns"

    @property
    def proves_each(self) -> bool:
        return False

    @property
    def reception(self) -> None:
        """A client says which database it wants, not which host."""
        return None

    @property
    def settings(self) -> type[BaseModel]:
        return PostgresSettings

    def credential_fault(self, settings: BaseModel, *, user: bool, token: bool) -> str:
        """The server wants a role's name, whatever proves it."""
        return "" if user else "give `user`: the role that the gateway logs in as"

    @property
    def pack(self) -> Traversable | None:
        return files(__package__).joinpath("pack.cedar")

    def session(self, opening: Opening) -> PostgresSession:
        return PostgresSession(opening)

    def companion(self, opening: Opening, credential: Credential, name: str) -> PostgresCompanion | PostgresEstimator:
        if name.startswith(PREFIX):
            return PostgresEstimator(opening, credential, name)
        return PostgresCompanion(opening, credential, name, self._views)

    def estimate(self, database: str, effects: Sequence[Effect]) -> tuple[str, Hashable] | None:
        return question_of(database, effects)

    def auditor(self, opening: Opening, credential: Credential, database: str) -> PostgresAuditor:
        return PostgresAuditor(opening, credential, database)

    def classify(self, text: str, database: str, resource: Resource) -> Sequence[Statement]:
        catalog = Catalog(database, 0, (), (), ("pg_catalog", "information_schema", "public"), believes=True)
        state = NameState((("public",),), "")
        return tuple(stated(text, one, database, filters=one.filters) for one in classify(text, catalog, state))

    def environment(self, address: ClientAddress) -> Mapping[str, str]:
        """Libpq's variables: psql, psycopg, pgbench and most other clients read them."""
        return {
            "PGHOST": address.host,
            "PGPORT": str(address.port),
            "PGDATABASE": address.database,
            "PGUSER": address.user,
            **({"PGPASSWORD": address.secret} if address.secret else {}),
            "PGSSLMODE": "disable" if address.plain_text else "verify-full",
            **({"PGSSLROOTCERT": address.ca} if address.ca and not address.plain_text else {}),
        }

    @property
    def strays(self) -> frozenset[str]:
        """A service file comes before the variables; the others ask for TLS or a login of the client's own."""
        return _STRAYS

    def forwarder(self, gateway: Address) -> PostgresForwarder:
        return PostgresForwarder(gateway)

    def socket_name(self, port: int) -> str:
        return f".s.PGSQL.{port}"

    def command(self, address: ClientAddress) -> Sequence[str]:
        mode = "disable" if address.plain_text else "verify-full"
        authority = f" sslrootcert={address.ca}" if address.ca and not address.plain_text else ""
        where = f"host={address.host} port={address.port} dbname={address.database} user={address.user}"
        return ("psql", f"{where} sslmode={mode}{authority}")
