"""EventBridge Scheduler: schedules that start."""

from typing import Any

from moto.scheduler.models import EventBridgeSchedulerBackend

from local.patches.hooks import HOOKS
from local.patches.patching import patch


@patch(EventBridgeSchedulerBackend, "create_schedule")
def start_schedules(original: Any, backend: Any, *args: Any, **kwargs: Any) -> Any:
    """CreateSchedule starts a schedule; moto only stores it.

    EventBridge Scheduler User Guide, "Schedule types in EventBridge Scheduler".
    """
    schedule = original(backend, *args, **kwargs)
    HOOKS.schedule_starter(schedule)
    return schedule
