"""What requests to a vault do: each a line, the effects that are expected, and Azure's operation.

`UNCLEAR` stands where the request must not be classified, with a part of the reason in the place of the operation.
"""

from __future__ import annotations

UNCLEAR = "unclassified vault"
VERSION = "0123456789abcdef0123456789abcdef"

Case = tuple[str, str, str]


def _collection(name: str, listing: str, role: str) -> list[Case]:
    """What every collection has alike."""
    return [
        (f"GET /{name}?api-version=7.6&maxresults=5", f"read vault/{name}", f"{role}/{listing}"),
        (f"GET /{name}?api-version=7.6&%24skiptoken=eyJ", f"read vault/{name}", f"{role}/{listing}"),
        (f"GET /{name}/db/versions", f"read vault/{name}/db", f"{role}/{listing}"),
        (f"DELETE /{name}/db", f"delete vault/{name}/db", f"{role}/delete"),
        (f"POST /{name}/db/backup", f"export vault/{name}/db", f"{role}/backup/action"),
        (f"POST /{name}/restore", f"create vault/{name}; update vault/{name}", f"{role}/restore/action"),
        (f"GET /deleted{name}", f"read vault/{name}", f"{role}/{listing}"),
        (f"GET /deleted{name}/db", f"read vault/{name}/db", f"{role}/{listing}"),
        (f"DELETE /deleted{name}/db", f"drop vault/{name}/db", f"{role}/purge/action"),
        (f"POST /deleted{name}/db/recover", f"create vault/{name}/db", f"{role}/recover/action"),
        (f"PUT /deleted{name}/db", UNCLEAR, "no operation PUT"),
        (f"POST /{name}/db/purge", UNCLEAR, "no operation POST"),
        (f"POST /{name}", UNCLEAR, "no operation POST"),
        (f"HEAD /{name}/db", UNCLEAR, "no operation HEAD"),
        (f"DELETE /{name}/db/{VERSION}", UNCLEAR, "no operation DELETE"),
    ]


SECRETS: list[Case] = [
    *_collection("secrets", "readMetadata/action", "secrets"),
    ("GET /secrets/db", "reveal vault/secrets/db", "secrets/getSecret/action"),
    ("GET /secrets/db/", "reveal vault/secrets/db", "secrets/getSecret/action"),
    (f"GET /secrets/db/{VERSION}", "reveal vault/secrets/db", "secrets/getSecret/action"),
    (f"GET /SECRETS/DB/{VERSION.upper()}/", "reveal vault/secrets/db", "secrets/getSecret/action"),
    ("GET /secrets/d%62", "reveal vault/secrets/db", "secrets/getSecret/action"),
    ("GET /secret%73/db", "reveal vault/secrets/db", "secrets/getSecret/action"),
    ("PUT /secrets/db", "create vault/secrets/db; update vault/secrets/db", "secrets/setSecret/action"),
    ("PATCH /secrets/db", "update vault/secrets/db", "secrets/update/action"),
    (f"PATCH /secrets/db/{VERSION}", "update vault/secrets/db", "secrets/update/action"),
    ("GET /secrets/versions/versions", "read vault/secrets/versions", "secrets/readMetadata/action"),
    ("GET /secrets/versions", "reveal vault/secrets/versions", "secrets/getSecret/action"),
    ("GET /secrets/db/latest", UNCLEAR, "no operation GET"),
    ("GET /secrets/db/versions/1", UNCLEAR, "no operation GET"),
    ("GET /secrets/*", UNCLEAR, "no operation GET"),
    ("GET /secrets/{v}", UNCLEAR, "character that none may have"),
    ("DELETE /secrets/%2A", UNCLEAR, "no operation DELETE"),
    ("GET /secrets/a_b", UNCLEAR, "no operation GET"),
    ("GET /secrets//db", UNCLEAR, "no operation GET"),
    ("GET //secrets/db", UNCLEAR, "no operation GET"),
    ("GET /secrets/db//", "reveal vault/secrets/db", "secrets/getSecret/action"),
    ("GET /secrets/db%2Fversions", UNCLEAR, "no operation GET"),
    ("GET /secrets%2Fdb", UNCLEAR, "no operation GET"),
    ("GET /secrets/x/../db", UNCLEAR, "dot segment"),
    ("GET /secrets/%2e%2e/db", UNCLEAR, "dot segment"),
    ("GET /keys/..%2Fsecrets/db", UNCLEAR, "dot segment"),
    ("GET /keys%5C..%5Csecrets/db", UNCLEAR, "backslash"),
    ("GET /secrets/%64b%00", UNCLEAR, "control character"),
    ("GET /secrets/%2564b", UNCLEAR, "escaped twice"),
    ("GET /secrets/" + "a" * 128, UNCLEAR, "no operation GET"),
    ("GET /secrets?api-version=7.6&api-version=7.4", UNCLEAR, "twice"),
]

KEYS: list[Case] = [
    *_collection("keys", "read", "keys"),
    ("POST /keys/db/create", "create vault/keys/db; update vault/keys/db", "keys/create/action"),
    ("PUT /keys/db", "create vault/keys/db; update vault/keys/db", "keys/import/action"),
    ("GET /keys/db", "read vault/keys/db", "keys/read"),
    ("GET /keys/db/", "read vault/keys/db", "keys/read"),
    (f"GET /keys/db/{VERSION}", "read vault/keys/db", "keys/read"),
    (f"GET /keys/db/{VERSION}/attestation", "read vault/keys/db", "keys/read"),
    (f"PATCH /keys/db/{VERSION}", "update vault/keys/db", "keys/update/action"),
    ("POST /keys/db/rotate", "update vault/keys/db", "keys/rotate/action"),
    ("GET /keys/db/rotationpolicy", "read vault/keys/db", "keyrotationpolicies/read"),
    ("PUT /keys/db/rotationpolicy", "admin vault/keys/db", "keyrotationpolicies/write"),
    *(
        (f"POST /keys/db/{VERSION}/{word}", f"{action} vault/keys/db", f"keys/{role}/action")
        for word, action, role in (
            ("encrypt", "execute", "encrypt"),
            ("verify", "execute", "verify"),
            ("wrapkey", "execute", "wrap"),
            ("wrapKey", "execute", "wrap"),
            ("sign", "execute", "sign"),
            ("decrypt", "reveal", "decrypt"),
            ("DECRYPT", "reveal", "decrypt"),
            ("unwrapkey", "reveal", "unwrap"),
            ("unwrapKey", "reveal", "unwrap"),
            ("release", "reveal", "release"),
        )
    ),
    ("POST /keys/db//decrypt", "reveal vault/keys/db", "keys/decrypt/action"),
    ("POST /keys/db/decrypt", "reveal vault/keys/db", "keys/decrypt/action"),
    ("POST /keys/decrypt/sign", "execute vault/keys/decrypt", "keys/sign/action"),
    (f"GET /keys/db/{VERSION}/decrypt", UNCLEAR, "no operation GET"),
    (f"POST /keys/db/{VERSION}/export", UNCLEAR, "no operation POST"),
    (f"POST /keys/db/{VERSION}/decrypt/x", UNCLEAR, "no operation POST"),
    ("POST /rng", "execute vault", "Microsoft.KeyVault/managedHSM/rng/action"),
]

CERTIFICATES: list[Case] = [
    *_collection("certificates", "read", "certificates"),
    (
        "POST /certificates/web/create",
        "create vault/certificates/web; update vault/certificates/web",
        "certificates/create/action",
    ),
    (
        "POST /certificates/web/import",
        "create vault/certificates/web; update vault/certificates/web",
        "certificates/import/action",
    ),
    ("GET /certificates/web", "read vault/certificates/web", "certificates/read"),
    (f"GET /certificates/web/{VERSION}", "read vault/certificates/web", "certificates/read"),
    ("PATCH /certificates/web", "update vault/certificates/web", "certificates/update/action"),
    ("GET /certificates/web/policy", "read vault/certificates/web", "certificates/read"),
    ("PATCH /certificates/web/policy", "update vault/certificates/web", "certificates/update/action"),
    ("GET /certificates/web/pending", "read vault/certificates/web", "certificates/read"),
    ("DELETE /certificates/web/pending", "delete vault/certificates/web", "certificates/delete"),
    ("POST /certificates/web/pending/merge", "update vault/certificates/web", "certificates/update/action"),
    ("GET /certificates/contacts", "read vault/certificates", "certificates/read"),
    ("PUT /certificates/contacts", "admin vault/certificates", "certificatecontacts/write"),
    ("DELETE /certificates/contacts", "admin vault/certificates", "certificatecontacts/write"),
    ("GET /certificates/issuers", "read vault/certificates", "certificatecas/read"),
    ("GET /certificates/issuers/digi", "read vault/certificates/issuers/digi", "certificatecas/read"),
    ("PUT /certificates/issuers/digi", "admin vault/certificates/issuers/digi", "certificatecas/write"),
    ("PATCH /certificates/issuers/digi", "admin vault/certificates/issuers/digi", "certificatecas/write"),
    ("DELETE /certificates/issuers/digi", "admin vault/certificates/issuers/digi", "certificatecas/delete"),
    ("POST /certificates/issuers/create", UNCLEAR, "no operation POST"),
    ("PATCH /certificates/contacts", UNCLEAR, "no operation PATCH"),
]

STORAGE: list[Case] = [
    *_collection("storage", "read", "storageaccounts")[3:],
    ("GET /storage", "read vault/storage", "storageaccounts/read"),
    ("GET /storage/shop", "read vault/storage/shop", "storageaccounts/read"),
    ("PUT /storage/shop", "admin vault/storage/shop", "storageaccounts/set/action"),
    ("POST /storage/shop/regeneratekey", "admin vault/storage/shop", "storageaccounts/regeneratekey/action"),
    ("GET /storage/shop/sas", "read vault/storage/shop", "storageaccounts/listsas/action"),
    ("GET /storage/shop/sas/all", "read vault/storage/shop", "storageaccounts/getsas/action"),
    ("PUT /storage/shop/sas/all", "entitle vault/storage/shop", "storageaccounts/sas/set/action"),
    ("DELETE /storage/shop/sas/all", "delete vault/storage/shop", "storageaccounts/deletesas/action"),
]

OTHERS: list[Case] = [
    ("GET /", UNCLEAR, "no operation GET"),
    ("GET /backup", UNCLEAR, "no operation GET"),
    ("POST /backup", UNCLEAR, "no operation POST"),
    ("PUT /restore", UNCLEAR, "no operation PUT"),
    ("POST /securitydomain/download", UNCLEAR, "no operation POST"),
    (
        "PUT /keys/providers/Microsoft.Authorization/roleAssignments/00000000-0000-0000-0000-000000000001",
        UNCLEAR,
        "no operation PUT",
    ),
    ("GET /providers/Microsoft.Authorization/roleDefinitions", UNCLEAR, "no operation GET"),
    ("OPTIONS /secrets", UNCLEAR, "no operation OPTIONS"),
    ("MERGE /secrets/db", UNCLEAR, "no operation MERGE"),
]

CASES: list[Case] = [*SECRETS, *KEYS, *CERTIFICATES, *STORAGE, *OTHERS]
