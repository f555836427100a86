"""Error answers of S3 with any status; moto's exceptions fix the status by their code."""

from xml.sax.saxutils import escape

Answer = tuple[int, dict[str, str], str]


def refusal(method: str, status: int, code: str, message: str) -> Answer:
    """Return the answer to a failing request; for HEAD it has no body."""
    if method == "HEAD":
        return status, {}, ""
    body = f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
    if status == 200:
        # S3 sends white space during the work, so that the connection stays open.
        body = f"{' ' * 80}\n{body}"
    return status, {"content-type": "application/xml"}, f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'
