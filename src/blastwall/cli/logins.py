"""What `blastwall login` keeps: for each gateway a login token, in a file that its owner alone can read."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

from blastwall.cli.printing import MISUSED, fail

_FILE = Path("blastwall") / "login.json"


@dataclass(frozen=True, slots=True)
class Login:
    """A login at one gateway. `ends` is in epoch seconds; `ca` is the file that verified the gateway then."""

    server: str
    token: str = field(repr=False)
    ends: float
    name: str = ""
    ca: str | None = None


@dataclass(frozen=True, slots=True)
class Logins:
    """Every login that is kept; `last` is the gateway of the newest, empty where there is none."""

    last: str = ""
    logins: tuple[Login, ...] = ()

    def at(self, server: str) -> Login | None:
        """Return the login at a gateway: a token is never shown to another one."""
        return next((each for each in self.logins if each.server == server), None)

    def without(self, server: str) -> Logins:
        """Return them without that of a gateway."""
        left = tuple(each for each in self.logins if each.server != server)
        last = self.last if self.last != server else (left[-1].server if left else "")
        return Logins(last, left)

    def having(self, login: Login) -> Logins:
        """Return them with a newer one."""
        return Logins(login.server, (*self.without(login.server).logins, login))


def login_file() -> Path:
    """Return where logins are kept: below XDG_CONFIG_HOME, or ~/.config."""
    configured = os.environ.get("XDG_CONFIG_HOME", "")
    base = Path(configured) if configured.startswith("/") else Path.home() / ".config"
    return base / _FILE


def read_logins() -> Logins:
    """Return what is kept; end the command where the file is not as `blastwall login` wrote it."""
    path = login_file()
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read()
    except FileNotFoundError:
        return Logins()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{path} cannot be read: {error}", MISUSED)
    if mode & 0o077:
        fail(f"others may read {path}, which holds login tokens; run: chmod 600 {path}", MISUSED)
    try:
        kept = json.loads(text)
        return Logins(str(kept["last"]), tuple(_login(each) for each in kept["logins"]))
    except (ValueError, TypeError, KeyError):
        fail(f"{path} is damaged; delete it and run `blastwall login` again", MISUSED)


def _login(kept: dict[str, object]) -> Login:
    ca, ends = kept["ca"], kept["ends"]
    if not isinstance(ends, int | float):
        raise TypeError("ends")
    return Login(
        str(kept["server"]), str(kept["token"]), float(ends), str(kept["name"]), None if ca is None else str(ca)
    )


def write_logins(logins: Logins) -> None:
    """Replace the file, at once and whole, readable by its owner alone from its first byte on."""
    path = login_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".login-")  # made with mode 600
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"last": logins.last, "logins": [asdict(each) for each in logins.logins]}, file, indent=1)
        Path(draft).replace(path)
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}", MISUSED)
