"""The framework's loggers, whose messages here stay one line each.

The framework's redaction and its JSON format look at a record's message alone, not at its arguments. So the caller puts
messages together, from keys, paths and answers as they are.
"""

from opentaskpy.otflogging import init_logging

from tasks.utils.one_line import escape_message


def task_logger(name, task_id=None, task_type=None):
    """Returns a logger that the framework has set up.

    Args:
        name: the module's name.
        task_id: the id of the task that runs; None outside of a task.
        task_type: the framework's letter for a transfer or an execution; None outside of a task.
    """
    logger = init_logging(name, task_id, task_type)
    logger.addFilter(escape_message)
    return logger
