"""What Azure's ordinary clients read of their environment: whose certificates they trust, and where they get tokens.

They go to the gateway by themselves, over TLS, with gateway tokens that they get by managed identity. Variables that
name another identity come before that in their own order, so they are taken away.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from blastwall.protocols.kind import Direct

OTHER_IDENTITIES = frozenset(
    {
        # of the Azure SDKs
        "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PASSWORD",
        "AZURE_USERNAME", "AZURE_PASSWORD", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST",
        "AZURE_TOKEN_CREDENTIALS", "IDENTITY_SERVER_THUMBPRINT", "IMDS_ENDPOINT", "MSI_ENDPOINT", "MSI_SECRET",
        # of Terraform
        "ARM_CLIENT_ID", "ARM_CLIENT_SECRET", "ARM_CLIENT_CERTIFICATE_PATH", "ARM_CLIENT_CERTIFICATE", "ARM_OIDC_TOKEN",
        "ARM_OIDC_TOKEN_FILE_PATH", "ARM_OIDC_REQUEST_TOKEN", "ARM_OIDC_REQUEST_URL", "ARM_USE_OIDC",
        "ARM_USE_AKS_WORKLOAD_IDENTITY", "ARM_ENVIRONMENT",
    }
)  # fmt: skip

_TRUST = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")


def environment(direct: Direct, *, manages: bool) -> Mapping[str, str]:
    """Return the variables; `manages` is whether the resource is what manages others (Azure Resource Manager)."""
    trust = {} if direct.bundle is None else dict.fromkeys(_TRUST, direct.bundle)
    tokens = {
        "IDENTITY_ENDPOINT": direct.endpoint,
        "IDENTITY_HEADER": direct.header,
        "AZURE_POD_IDENTITY_AUTHORITY_HOST": direct.metadata,
    }
    return {**trust, **tokens, **(_manager(direct) if manages else {})}


def _manager(direct: Direct) -> Mapping[str, str]:
    """Terraform's azurerm and azapi providers: https://registry.terraform.io/providers/hashicorp/azurerm/latest/docs."""
    return {
        "ARM_METADATA_HOSTNAME": urlsplit(direct.url).netloc,
        "ARM_TENANT_ID": direct.tenant,
        "ARM_USE_MSI": "true",
        "ARM_USE_CLI": "false",
        "ARM_MSI_ENDPOINT": direct.instance,
    }
