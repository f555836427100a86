"""JSON Web Tokens (RFC 7519) as AWS STS issues them, signed with a private key of the issuer.

The claims are those of the IAM User Guide, "Understanding token claims".
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

RS256, ES384 = "RS256", "ES384"

# A signature by a P-384 key is two numbers of 48 bytes (RFC 7518, 3.4).
P384_BYTES = 48


class InvalidToken(Exception):
    """The text is not a token, or its signature is not by this issuer."""


@dataclass
class Issuer:
    """An account of a partition, as an issuer of tokens.

    Attributes:
        url: The claim `iss` of its tokens.
        partition: The partition of the account.
        enabled: Whether it issues tokens.
    """

    url: str
    partition: str
    enabled: bool = True

    @cached_property
    def _rsa_key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @cached_property
    def _p384_key(self) -> ec.EllipticCurvePrivateKey:
        return ec.generate_private_key(ec.SECP384R1())

    def sign(self, claims: Mapping[str, Any], algorithm: str) -> str:
        """Return a signed token.

        Args:
            claims: The payload.
            algorithm: `RS256` or `ES384`.
        """
        header = {"alg": algorithm, "typ": "JWT", "kid": f"{algorithm}-1"}
        signed = ".".join(_encode(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
        if algorithm == RS256:
            signature = self._rsa_key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        else:
            both = decode_dss_signature(self._p384_key.sign(signed.encode(), ec.ECDSA(hashes.SHA384())))
            signature = b"".join(number.to_bytes(P384_BYTES, "big") for number in both)
        return f"{signed}.{_encode(signature)}"

    def verify(self, token: str) -> None:
        """Check the signature of a token.

        Raises:
            InvalidToken: The signature is not by this issuer, or STS does not support its algorithm.
        """
        signed, _, text = token.rpartition(".")
        signature = _decode(text)
        try:
            algorithm = json.loads(_decode(signed.partition(".")[0])).get("alg")
            if algorithm == RS256:
                self._rsa_key.public_key().verify(signature, signed.encode(), padding.PKCS1v15(), hashes.SHA256())
            elif algorithm == ES384 and len(signature) == 2 * P384_BYTES:
                first, second = signature[:P384_BYTES], signature[P384_BYTES:]
                both = encode_dss_signature(int.from_bytes(first, "big"), int.from_bytes(second, "big"))
                self._p384_key.public_key().verify(both, signed.encode(), ec.ECDSA(hashes.SHA384()))
            else:
                raise InvalidToken(f"the algorithm {algorithm} is not supported")
        except (InvalidSignature, ValueError) as error:
            raise InvalidToken("the signature is not the issuer's") from error


def claims_of(token: str) -> dict[str, Any]:
    """Return the claims of a token, without a check of its signature.

    Raises:
        InvalidToken: A claim is missing.
    """
    try:
        _, payload, _ = token.split(".")
        claims = json.loads(_decode(payload))
        return {**claims, "aud": claims["aud"], "iss": claims["iss"], "sub": claims["sub"], "exp": int(claims["exp"])}
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidToken("the token lacks a claim of iss, aud, sub and exp") from error


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as error:
        raise InvalidToken("the token is not valid base64url") from error
