"""Functions that others wrote for AWS: fetched where they are published, never kept here."""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

_SECONDS = 20


class PublicFileUnavailable(Exception):
    """It is neither in the cache nor to be had; the message says why."""


@dataclass(frozen=True)
class PublicFile:
    """One file of a public repository on GitHub, at one commit; `sha256` is its content's."""

    repository: str
    commit: str
    path: str
    sha256: str

    @property
    def url(self) -> str:
        return f"https://raw.githubusercontent.com/{self.repository}/{self.commit}/{self.path}"

    def content(self) -> bytes:
        """Unmodified, from the cache or from GitHub. Raises PublicFileUnavailable."""
        kept = cache_folder() / self.sha256
        content = kept.read_bytes() if kept.exists() else self._fetched()
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise AssertionError(f"{self.url} is not the file it was: its SHA-256 is {found}.")
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(content)
        return content

    def _fetched(self) -> bytes:
        try:
            with urllib.request.urlopen(self.url, timeout=_SECONDS) as answer:
                content: bytes = answer.read()
        except (urllib.error.URLError, TimeoutError) as error:
            raise PublicFileUnavailable(
                f"{self.url} cannot be fetched ({error}). Put the file at "
                f"{cache_folder() / self.sha256} or try again with a network."
            ) from error
        return content


def cache_folder() -> Path:
    """Where fetched files are kept between runs."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "riacho" / "public-functions"


#: https://github.com/awslabs/kinesis-aggregation (Apache 2.0): unpacks aggregated records with
#: `aws_kinesis_agg` and prints what is in them.
DEAGGREGATION = PublicFile(
    "awslabs/kinesis-aggregation",
    "c2774b1ab29b3bd35808d70d9512e9fe4df8090a",
    "python/lambda_function.py",
    "ef359b184bdd6cd28ac7b64d2c7ec3ec3bdf137c2c3458b578f9a867a1fdcc59",
)
#: The consumer of a property search: default boto3 clients, from a stream into a table.
PROPERTIES_CONSUMER = PublicFile(
    "owolabi-develop/aws-real-time-property-search-pipline_cdk",
    "639d1efcb3697cdb3b4236ed6aed7ff480d95ae0",
    "lambda/properties_consumer_lambda.py",
    "2a5c36cdd896f41dc194bf6949a5104ff3a139843a6ed6d4f6416f8e8d8fe96a",
)
