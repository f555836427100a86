"""The framework's loggers, with messages of one line.

The framework's redaction and its JSON format read a record's message, and not its arguments. So a filter before the
redaction formats the message, and a filter after it escapes what does not print.
"""

from logging import Logger, LogRecord

from opentaskpy.otflogging import init_logging

from tasks.utils.one_line import escape_message


def task_logger(name: str, task_id: str | None = None, task_type: str | None = None) -> Logger:
    """Return a logger that the framework has set up.

    Args:
        name: the module's name.
        task_id: the id of the task that runs; None outside of a task.
        task_type: the framework's letter for a transfer or an execution; None outside of a task.
    """
    logger: Logger = init_logging(name, task_id, task_type)
    if format_message not in logger.filters:
        logger.filters.insert(0, format_message)
    logger.addFilter(escape_message)
    return logger


def format_message(record: LogRecord) -> bool:
    """Replace a record's message and arguments by the formatted message.

    Returns:
        True: the record passes the filter.
    """
    record.msg, record.args = record.getMessage(), None
    return True
