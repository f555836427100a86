"""A log filter that keeps each message on one line, whatever key, name or answer the message quotes."""

from logging import LogRecord

from tasks.utils.s3_object import printable


def escape_message(record: LogRecord) -> bool:
    """Replace each character of a record's message that does not print by its Python escape.

    A key may hold line ends, ESC and NUL. Unescaped, they forge log lines and control terminals. JSON escapes them;
    plain text does not.

    Returns:
        True: the record passes the filter.
    """
    record.msg, record.args = printable(record.getMessage()), None
    return True
