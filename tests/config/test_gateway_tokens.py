"""What `gateway_tokens:` may say."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from blastwall.config.gateway_tokens import GatewayTokenSettings


def test_the_tenant_is_kept_in_one_spelling() -> None:
    settings = GatewayTokenSettings.model_validate({"tenant": "5F1C2A40-7D0E-4C55-9D0A-0F3B6F1C2A40"})
    assert settings.tenant == "5f1c2a40-7d0e-4c55-9d0a-0f3b6f1c2a40"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tenant": "contoso.example"}, "GUID"),
        ({"tenant": ""}, "GUID"),
        ({"lifetime": "25h"}, "at most 24h"),
        ({"lifetime": "0s"}, "longer than 0s"),
        ({"rotate": "30m"}, "at least 1h"),
        ({"audience": "https://management.azure.com"}, "Extra inputs"),
    ],
)
def test_what_would_make_them_worth_stealing_is_refused(given: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        GatewayTokenSettings.model_validate(given)
