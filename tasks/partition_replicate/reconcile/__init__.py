"""Makes the destination of one key equal to its source: observe, plan, apply, until nothing is left to do.

    snapshot.py        what is known of both sides and of the table, and what was not observed yet (values only);
                       object_snapshot.py: one object;  survey.py: the versions of a key
    steps.py           what a worker can do next: one observation, one write, one record (values only)
    plan.py            `next_step(snapshot, policy)`: the decision, a pure function;  policy.py: what settings ask for
    plan_current.py    ... with VERSIONS=current: the newest state of the key
    plan_versions.py   ... with VERSIONS=all: append what is new; with care after a lost race
    plan_untracked.py  ... for versions of the destination that no row names: adopt, undo or keep
    plan_event.py      ... for what an event says about one version: tags, annotations, a removal for good
    single_version.py  ... the parts of these that are about one version
    observe.py         the reads
    apply.py           performs one step, each write under its precondition; raises `LostRace`
    apply_reads.py, apply_writes.py, destination.py, uploads.py (in parts), key_row.py, tools.py: what it consists of
    loop.py            `reconcile(...)`: plan and apply until done, out of time or given up

The loop is all there is to follow:

    snapshot = nothing observed yet
    while True:
        step = next_step(snapshot, policy)          # no request, no clock
        if step is Done: return its outcome
        try: snapshot = apply(step, snapshot)       # the requests of one step
        except LostRace: snapshot = a new round     # another worker was faster: observe again

Why it converges (docs/architecture.md has the claims and their tests):

- A write names what it may replace, so it replaces only what this worker has observed or what the key state records.
- Within a round the destination is observed before the source. So no write puts back an older state.
- After a write the source is observed again, and `Done` follows only if it is what was written.
- Whatever was observed before a lost race, a removal or an undo is forgotten: a new round observes it again.
- The key state and the version rows spare observations. Only a recorded removal decides anything, and it is recorded
  before the destination is deleted.

The order of observations is part of the plan, since each costs a round trip to another partition.
"""
