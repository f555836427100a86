"""Log messages that stay one line each, whatever key, name or answer they quote."""

import logging

from tasks.utils.s3_object import printable


class OneLine(logging.Filter):  # pylint: disable=too-few-public-methods  # as logging has it
    """Writes each character of a message that does not print as its Python escape.

    A key may hold line ends, ESC and NUL: raw, they forge log lines and steer terminals. JSON escapes them by itself;
    plain text does not.
    """

    def filter(self, record):
        """Puts the printable message into a record, and lets it pass."""
        record.msg, record.args = printable(record.getMessage()), None
        return True


ONE_LINE = OneLine()
