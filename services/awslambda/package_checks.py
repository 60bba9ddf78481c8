"""AWS's limits on deployment packages and layers. Pure.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

from __future__ import annotations

import io
import zipfile

from services.awslambda.limits import Refusal

#: A package within a request: 50 MB, which are 70 MB as the request has them.
MAXIMUM_REQUEST_BYTES = 70_167_211
MAXIMUM_ZIPPED_BYTES = 52_428_800
#: A package and all its layers, unpacked.
MAXIMUM_UNPACKED_BYTES = 262_144_000


def refuse_upload(operation: str, archive: bytes) -> Refusal | None:
    """What is wrong with a package that came within a request of `operation`, or None."""
    # The request has it in base64: four characters for three bytes.
    if -(-len(archive) // 3) * 4 > MAXIMUM_REQUEST_BYTES:
        message = f"Request must be smaller than {MAXIMUM_REQUEST_BYTES} bytes for the {operation}"
        return Refusal("RequestEntityTooLargeException", f"{message} operation", 413)
    if len(archive) > MAXIMUM_ZIPPED_BYTES:
        message = f"Zipped size must be smaller than {MAXIMUM_ZIPPED_BYTES} bytes"
        return Refusal("RequestEntityTooLargeException", message, 413)
    return refuse_content(archive)


def refuse_content(archive: bytes) -> Refusal | None:
    """What is wrong with what is in a package, or None."""
    try:
        unpacked = unpacked_bytes(archive)
    except zipfile.BadZipFile:
        message = "Could not unzip uploaded file. Please check your file, then try to upload again."
        return Refusal("InvalidParameterValueException", message)
    if unpacked is None:
        return Refusal("InvalidParameterValueException", "Uploaded file must be a non-empty zip")
    return None


def unpacked_bytes(archive: bytes) -> int | None:
    """How large a package says it is when unpacked; None for one without any file."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        entries = opened.infolist()
    return sum(entry.file_size for entry in entries) if entries else None


def refuse_together(code_bytes: int, layer_bytes: int) -> Refusal | None:
    """Whether a package is too large together with its layers, all unpacked."""
    if layer_bytes > MAXIMUM_UNPACKED_BYTES:
        return Refusal(
            "InvalidParameterValueException",
            f"Layers consume more than the available size of {MAXIMUM_UNPACKED_BYTES} bytes",
        )
    if layer_bytes and code_bytes + layer_bytes > MAXIMUM_UNPACKED_BYTES:
        return Refusal(
            "InvalidParameterValueException",
            "Function code combined with layers exceeds the maximum allowed size of "
            f"{MAXIMUM_UNPACKED_BYTES} bytes. The actual size is {code_bytes + layer_bytes} bytes.",
        )
    return None
