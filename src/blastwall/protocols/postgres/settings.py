"""Settings that a client brings along at the start, judged like the `SET` that they stand for.

A startup packet may carry any run-time setting, by name or inside `options` (`-c name=value`): `role=dba` there is
`SET ROLE dba`. Only those whose `SET` needs nothing but `connect` are passed on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from blastwall.model.effects import Action
from blastwall.protocols.postgres import errors
from blastwall.protocols.postgres.catalog import split_path
from blastwall.protocols.postgres.startup import Startup
from blastwall.sql.postgres import Catalog, NameState, classify

_NOTHING = Catalog("", 0, (), (), ())
_NOBODY = NameState(((),), "")
_NAME = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?")
_ENCODINGS = frozenset({"utf8", "unicode", "sqlascii"})
NOT_SETTINGS = frozenset({"user", "database", "application_name", "options", "replication"})
_FALSE = frozenset({"", "0", "false", "off", "no", "f", "n"})
_OPTION = re.compile(r"(?:-c\s*|--)(?P<name>[A-Za-z_][\w.-]*)=(?P<value>.*)", re.DOTALL)


AUTHENTICATION = "blastwall.authentication"
"""The setting by which a client chooses: `options=-c blastwall.authentication=oauthbearer`."""

Authentication = Literal["password", "oauthbearer"]


class OauthSettings(BaseModel):
    """What OAUTHBEARER clients are told of where a token can be had."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    configuration: Annotated[
        str, Field(pattern=r"^https://\S+/\.well-known/(openid-configuration|oauth-authorization-server)\S*$")
    ] = Field(description="URL of the issuer's discovery document; libpq compares it with its `oauth_issuer`.")
    scope: str = Field("", description="The scope that a token needs.")


class PostgresSettings(BaseModel):
    """A PostgreSQL resource's `settings:`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    authentication: Authentication = Field(
        "password",
        description="How clients are asked for their token: as a `password`, which every client can, or by SASL "
        "`oauthbearer` (PostgreSQL 18). A client chooses otherwise with `options=-c blastwall.authentication=…`.",
    )
    oauth: OauthSettings | None = Field(None, description="What OAUTHBEARER clients are told of where to get a token.")

    @model_validator(mode="after")
    def _whole(self) -> PostgresSettings:
        if self.authentication == "oauthbearer" and self.oauth is None:
            raise ValueError("oauthbearer needs `oauth`, which tells clients where a token can be had")
        return self


class StartupRefused(Exception):
    """The startup packet asks for what is not given; `code` is its SQLSTATE."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def check_startup(startup: Startup) -> None:
    """Check every setting that the packet carries.

    Raises:
        StartupRefused: replication, or a setting that needs more than `connect`.
        Malformed: a setting that cannot be read.
    """
    replication = startup.parameters.get("replication", "")
    if replication.lower() not in _FALSE:
        raise StartupRefused(errors.FEATURE_NOT_SUPPORTED, "replication connections are not passed on")
    for name, value in settings_of(startup).items():
        if name == "client_encoding":
            _check_encoding(value)
            continue
        if name == "search_path":
            split_path(value)
        if not harmless_setting(name, value):
            raise StartupRefused(
                errors.INSUFFICIENT_PRIVILEGE,
                f'the setting "{name}" cannot be given when connecting; SET it in the session, where policy judges it',
            )


def _check_encoding(value: str) -> None:
    if not readable_encoding(value):
        raise StartupRefused(
            errors.FEATURE_NOT_SUPPORTED,
            f"Blastwall reads statements as UTF8 only: connect without client_encoding {value!r}",
        )


def readable_encoding(name: str) -> bool:
    """Whether a client's text in this encoding is UTF-8, by its name or an alias.

    PostgreSQL compares letters and digits alone, in lower-case (`clean_encoding_name`), and reports the name as given.
    """
    return "".join(character for character in name.lower() if character.isalnum()) in _ENCODINGS


def harmless_setting(name: str, value: str) -> bool:
    """Whether `SET name TO 'value'` would need nothing but `connect`. The text is classified, never sent."""
    if _NAME.fullmatch(name) is None:
        return False
    quoted = value.replace("'", "''").replace("\\", "\\\\")
    judged = classify(f"SET {name} TO E'{quoted}'", _NOTHING, _NOBODY)
    return all(effect.action is Action.CONNECT for one in judged for effect in one.effects)


def asked_authentication(startup: Startup, default: Authentication) -> Authentication:
    """How the client wants to show its token.

    Raises:
        StartupRefused: in a way that is not known.
    """
    asked = _all_settings(startup).get(AUTHENTICATION, default)
    if asked not in ("password", "oauthbearer"):
        raise StartupRefused(
            errors.INVALID_AUTHORIZATION, f"{AUTHENTICATION} is password or oauthbearer, not {asked[:64]!r}"
        )
    return "oauthbearer" if asked == "oauthbearer" else "password"


def settings_of(startup: Startup) -> Mapping[str, str]:
    """The run-time settings that a packet carries for the server; the later one of a name wins."""
    return {name: value for name, value in _all_settings(startup).items() if name != AUTHENTICATION}


def _all_settings(startup: Startup) -> Mapping[str, str]:
    """Every setting that a packet carries, `options` included, lower-cased."""
    found = parse_options(startup.parameters.get("options", ""))
    for name, value in startup.parameters.items():
        if name not in NOT_SETTINGS and not name.startswith("_pq_."):
            found[name.lower()] = value
    return found


def upstream_parameters(startup: Startup, user: str, database: str, label: str) -> dict[str, str]:
    """The startup packet that the resource gets: the gateway's own identity, the client's settings."""
    ours = {"application_name", "client_encoding"}
    kept = {name: value for name, value in settings_of(startup).items() if name not in ours}
    return {"user": user, "database": database, "application_name": label, "client_encoding": "UTF8", **kept}


def search_path_setting(startup: Startup, status: Mapping[str, str], default: tuple[str, ...]) -> tuple[str, ...]:
    """The `search_path` that a session starts with: reported (PostgreSQL 18), asked for, or the role's own."""
    setting = status.get("search_path", settings_of(startup).get("search_path"))
    return default if setting is None else split_path(setting)


def parse_options(options: str) -> dict[str, str]:
    """Read `options` as PostgreSQL does (`pg_split_opts`): blanks separate, a backslash keeps the next character.

    Raises:
        StartupRefused: something else than `-c name=value` and `--name=value`.
    """
    words = _split(options)
    found: dict[str, str] = {}
    position = 0
    while position < len(words):
        word = words[position]
        if word == "-c" and position + 1 < len(words):
            position += 1
            word += words[position]
        match = _OPTION.fullmatch(word)
        if match is None:
            raise StartupRefused(
                errors.INSUFFICIENT_PRIVILEGE, f"the option {word[:64]!r} is not passed on; only -c name=value is"
            )
        found[match["name"].lower().replace("-", "_")] = match["value"]
        position += 1
    return found


def _split(options: str) -> list[str]:
    words: list[str] = []
    word: str | None = None
    characters = iter(options)
    for character in characters:
        if character.isspace():
            if word is not None:
                words.append(word)
            word = None
        else:
            word = (word or "") + (next(characters, "") if character == "\\" else character)
    return [*words, word] if word is not None else words
