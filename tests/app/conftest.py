"""A folder with a configuration and policies that can be used."""

from __future__ import annotations

from pathlib import Path

import pytest

CONFIGURATION = """\
issuers:
  - {name: github, issuer: "https://token.example", audience: blastwall, jwks: "file:keys.json"}
agents:
  - {name: ci, issuer: github, match: {repository_id: "123"}, groups: [ci]}
resources:
  - name: shop
    kind: postgres
    listen: 15432
    upstream: {host: db.example, database: shop}
    credential: {user: app, password: {env: SHOP_PASSWORD}}
policies: [policies/*.cedar]
masking:
  - {resource: shop, columns: [public.customers.email], with: partial}
  - {resource: shop, detect: [card, iban]}
"""

POLICY = """\
@id("ci-reads")
permit (principal in Group::"ci", action in [Action::"connect", Action::"read"], resource in Database::"shop/shop");
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "ci.cedar").write_text(POLICY)
    (tmp_path / "keys.json").write_text('{"keys": []}')
    (tmp_path / "blastwall.yaml").write_text(CONFIGURATION)
    return tmp_path


@pytest.fixture
def file(folder: Path) -> Path:
    return folder / "blastwall.yaml"
