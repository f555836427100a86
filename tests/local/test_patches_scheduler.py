from local.patches import scheduler
from tests.local.patching import ACCOUNT, REGION, patched


@patched(scheduler.start_schedules)
def test_created_schedule_is_passed_on(stage):
    started = []
    stage.hooks.schedule_starter = started.append
    stage.client("scheduler").create_schedule(
        Name="hourly",
        ScheduleExpression="rate(1 hour)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:runs",
            "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/r",
            "Input": "{}",
        },
    )
    assert [(schedule.name, schedule.schedule_expression) for schedule in started] == [("hourly", "rate(1 hour)")]
