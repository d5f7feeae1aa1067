"""Read policies and packs: every problem at once, each with file and line, or a policy set that can be in force."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from blastwall.config.wording import did_you_mean
from blastwall.policy.checks import check
from blastwall.policy.known import Known, PackSource
from blastwall.policy.policy_set import PolicySet
from blastwall.policy.rules import Rule, Unfit, read_rule
from blastwall.policy.source import split


class PolicyError(Exception):
    """The policies cannot be used. `problems` holds one `file:line: message` each; the text is all of them."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def load(paths: Sequence[Path], packs: Sequence[PackSource], known: Known) -> PolicySet:
    """Read Cedar files and default packs, and check them against the schema and the configuration.

    Raises:
        PolicyError: anything is wrong; nothing is loaded then.
    """
    problems: list[str] = []
    texts = [_read(path, problems) for path in paths]
    rules = [rule for path, text in zip(paths, texts, strict=True) for rule in _rules(str(path), text, problems)]
    for pack in packs:
        rules += _pack_rules(pack, problems)
    problems += _duplicates(rules)
    for rule in rules:
        problems += check(rule, known)
    if problems:
        raise PolicyError(problems)
    exempt = {(pack.name, identity) for pack in packs for identity in pack.except_ids}
    return PolicySet([rule for rule in rules if (rule.pack, rule.id) not in exempt], _version(texts, packs))


def _read(path: Path, problems: list[str]) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        problems.append(f"{path}: cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        problems.append(f"{path}:{error.object.count(10, 0, error.start) + 1}: not UTF-8 text")
    return ""


def _rules(file: str, text: str, problems: list[str], pack: str = "") -> list[Rule]:
    rules: list[Rule] = []
    for source in split(file, text):
        try:
            rules.append(read_rule(source, pack))
        except Unfit as error:
            problems.append(str(error))
    return rules


def _pack_rules(pack: PackSource, problems: list[str]) -> list[Rule]:
    rules = _rules(f"pack {pack.name}", pack.text, problems, pack.name)
    names = [rule.id for rule in rules]
    problems += [rule.problem("a default pack holds forbids only") for rule in rules if not rule.forbids]
    problems += [
        f"packs: {pack.name}: except: no policy of the pack is named {identity!r}{did_you_mean(identity, names)}"
        for identity in pack.except_ids
        if identity not in names
    ]
    return rules


def _duplicates(rules: Sequence[Rule]) -> Iterator[str]:
    first: dict[str, Rule] = {}
    for rule in rules:
        other = first.setdefault(rule.id, rule)
        if other is not rule:
            yield rule.problem(f"the id is taken by the policy at {other.source.place()}", "@id")


def _version(texts: Sequence[str], packs: Sequence[PackSource]) -> str:
    """Return a digest of everything that decides: texts, packs and exceptions, whatever the files are called."""
    parts = sorted(["policy", text] for text in texts)
    parts += sorted(["pack", pack.name, pack.text, *sorted(pack.except_ids)] for pack in packs)
    digest = sha256()
    for part in parts:
        digest.update(repr(part).encode())
    return digest.hexdigest()[:32]
