"""Refusal of actions that moto does not implement, in the format of AWS's own errors.

Sources: the API reference of each service, "Common Errors"; Amazon S3 API Reference, "Error Responses".
"""

import json
import logging
import uuid
from xml.sax.saxutils import escape

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, NotFound

logger = logging.getLogger(__name__)

FORM = "application/x-www-form-urlencoded"


def refuse_unknown_actions(app: Flask, service: str) -> None:
    """Make the app of one of moto's services refuse unknown actions, with a line in the log.

    Moto answers them with a page of HTML, usually with status 500 and a traceback on the terminal.

    Args:
        app: The app.
        service: The name of the service as moto has it.
    """

    @app.errorhandler(Exception)
    def refuse(error: Exception) -> Response | HTTPException:
        if isinstance(error, NotImplementedError):
            code = "InvalidAction" if request.mimetype == FORM else "UnknownOperationException"
            status, message = 400, str(error) or "The action is not valid for this service."
        elif isinstance(error, NotFound) and request.url_rule is None:
            code, status, message = "UnknownOperationException", 404, "The requested operation is not known."
        elif isinstance(error, HTTPException):
            return error
        else:
            code, status, message = "InternalFailure", 500, f"{type(error).__name__}: {error}"
        logger.warning("%s %s of %s: %s %s", request.method, request.path, service, code, " ".join(message.split()))
        logger.debug("The cause of the refusal", exc_info=error)
        return _answer(service, code, status, message)


def _answer(service: str, code: str, status: int, message: str) -> Response:
    request_id = str(uuid.uuid4())
    if service.startswith("s3"):
        # S3 has its own code for unknown actions.
        code, status = (code, status) if status == 500 else ("NotImplemented", 501)
        body = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        return Response(body, status, {"x-amz-request-id": request_id}, content_type="application/xml")
    if request.mimetype == FORM:
        kind = "Sender" if status < 500 else "Receiver"
        error = f"<Error><Type>{kind}</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        body = f"<ErrorResponse>{error}<RequestId>{request_id}</RequestId></ErrorResponse>"
        return Response(body, status, content_type="text/xml")
    headers = {"x-amzn-ErrorType": code, "x-amzn-RequestId": request_id}
    content_type = request.content_type or "application/json"
    return Response(json.dumps({"__type": code, "message": message}), status, headers, content_type=content_type)
