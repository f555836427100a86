"""One run: a plan is carried out on the deployed tasks, then the disturbances stop, and `brigade` judges the end."""

import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.chaos.disturbances import Disturbances
from tests.chaos.endings import MARKS
from tests.chaos.judge import Judge
from tests.chaos.plan import DISTURBANCES, Plan
from tests.chaos.queues import StuckError, wait_below, wait_until_empty
from tests.chaos.stage import deployed
from tests.chaos.wire import KINDS
from tests.chaos.writers import Writers

# So many messages wait at most before the next changes are made: then a disturbance meets functions at work.
BACKLOG = 100
# What happens at least once in every run.
WANTED = {*KINDS, "late", "twice", *MARKS, *DISTURBANCES}


class Run:
    """A run on a stage.

    Args:
        stage: the `Stage`.
        plan: the `Plan`.
        say: prints a line.

    Attributes:
        problems: sentences on what is wrong.
    """

    def __init__(self, stage, plan, say):
        self.problems = []
        self._stage = stage
        self._plan = plan
        self._say = say
        self._writers = Writers(stage)
        self._disturbances = Disturbances(stage)

    def carry_out(self):
        """Carry out the plan, and wait until all messages are done."""
        self._set_calm(False)
        for number, step in enumerate(self._plan.steps, start=1):
            self._say(f"step {number} of {len(self._plan.steps)}: {step.disturbance}")
            self._writers.make(step.changes)
            self._disturbances.cause(step.disturbance)
            wait_below(self._stage, BACKLOG)
        self._set_calm(True)
        self._stage.aws.faults.clear()
        self._stage.deployment.wait()
        wait_until_empty(self._stage, self._say)
        self._name_what_happened()

    def judge(self):
        """Judge the end, before and after the redrive of the dead letters."""
        judge = Judge(self._stage, self._plan, self._writers)
        self.problems += judge.of_letters(self._letters(judge, "before"))
        self.problems += judge.of_redrive()
        wait_until_empty(self._stage, self._say)
        self.problems += judge.of_redriven(self._letters(judge, "after"))
        for judged in (
            judge.of_mirror,
            judge.of_archives,
            judge.of_uploads,
            judge.of_notifications,
            judge.of_permissions,
        ):
            self._say(f"judging the {judged.__name__.removeprefix('of_')}")
            self.problems += judged()

    def _letters(self, judge, when):
        letters = judge.letters()
        kinds = Counter(f"{letter['task']}: {letter['type']}" for letter in letters)
        self._say(f"dead letters {when} the redrive: {dict(kinds)}")
        return letters

    def _set_calm(self, is_calm):
        self._stage.wire.is_calm = self._stage.deliveries.is_calm = is_calm

    def _name_what_happened(self):
        happened = self._stage.wire.counts + self._stage.deliveries.counts + self._disturbances.happened()
        self.problems += [f"{kind} never happened" for kind in sorted(WANTED - happened.keys())]
        self._say(f"messages came back after: {self._disturbances.failures()}")
        self._say(f"all messages are done; what happened: {dict(happened)}, missed: {dict(self._disturbances.missed)}")


def run(seed, events, keys):
    """Carry out the plan of a seed; print and return what is wrong at the end.

    Args:
        seed: the seed.
        events: about how many events.
        keys: about how many keys.
    """
    started = time.monotonic()

    def say(line):
        print(f"{time.monotonic() - started:5.0f} s  {line}", flush=True)

    say(f"a run of about {events} events; to repeat: python -m tests.chaos {seed} {events} {keys}")
    with tempfile.TemporaryDirectory() as folder, deployed(Path(folder), seed) as stage:
        one = Run(stage, Plan.of(seed, events, keys), say)
        say("the tasks are deployed")
        try:
            one.carry_out()
            one.judge()
        except StuckError as error:
            one.problems.append(str(error))
    for problem in one.problems:
        print(f"WRONG {problem}")
    say(f"{len(one.problems)} problems")
    return one.problems
