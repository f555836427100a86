"""A trace in plain words: numbered lines that say who does what, and what both sides and the table hold after that."""

from tests.partition_replicate.explorer import tables
from tests.partition_replicate.explorer.runs import DESTINATION, PLACES, SOURCE, TABLE


def lines_of(mirror, steps):
    """Return the lines of a trace.

    Args:
        mirror: the `Mirror`.
        steps: (label, state) pairs, the first of which is the beginning.
    """
    names, lines = {}, []
    for number, ((_, before), (label, after)) in enumerate(zip(steps, steps[1:]), 1):
        lines.append(f"{number:3}. {_line(mirror, label, before, names)}")
        if before[:3] != after[:3]:
            lines.append(f"     {world(mirror, after)}")
    return lines


def story(mirror, steps):
    """Return the lines of a trace without its reads: what happened to the source, the destination and the queue.

    Args:
        mirror: the `Mirror`.
        steps: as `lines_of` takes them.
    """
    names, lines = {}, []
    for (_, before), (label, after) in zip(steps, steps[1:]):
        line = _line(mirror, label, before, names)
        if label[0].startswith("start"):
            lines.append(line.partition(";")[0])
        elif label[0] != "request" or _is_written(mirror, label[1], before, after):
            lines.append(line.removesuffix(f"; {names.get(label[-1])} ends"))
    return lines


def _is_written(mirror, worker, before, after):
    return before[DESTINATION] != after[DESTINATION] and mirror.place_of(worker) == DESTINATION


def world(mirror, state):
    """Return what both sides and the table hold, in one line."""
    source, destination = (mirror.places[place].get(state[place]) for place in (SOURCE, DESTINATION))
    return f"source {_entries(source)}, destination {_entries(destination)}, table {_rows(mirror, state)}"


def _line(mirror, label, before, names):
    kind = label[0]
    if kind == "change":
        return f"source: {label[1]}"
    if kind == "land":
        return f"the server carries out what it held: {_request(mirror, mirror.held.get(before[6])[0])}"
    if kind == "drop":
        return "the server forgets what it held"
    if kind.startswith("start"):
        item, what, worker = label[1:]
        names.update({worker: _free(names, before)})
        again = " once more" if "duplicate" in kind else " again" if item & 1 else ""
        begun = f"worker {names[worker]} gets {_event(mirror, item >> 1)}{again}; "
        return begun + _step(mirror, what, worker, before, names)
    return _step(mirror, kind, label[1], before, names)


def _free(names, state):
    return next(name for name in "AB" if name not in {names.get(worker) for worker in state[3:5] if worker})


def _step(mirror, what, worker, before, names):
    name, request = names[worker], mirror.workers.request[worker >> 1]
    found = f"{name}: {_request(mirror, request)}"
    if what == "killed":
        return f"{found}; then {name} is killed"
    if what == "held and killed":
        return f"{found}: a server holds it, and {name} is killed"
    place = mirror.requests.get(request).place
    answer = mirror.lost if what == "held" else mirror.perform(place, before[place], request)[1]
    child = mirror.workers.step(worker >> 1, answer)
    names[child << 1 | worker & 1] = name
    end = mirror.workers.end[child]
    ended = f"; {name} ends" if end else ""
    return (
        f"{found}: a server holds it" if what == "held" else f"{found} -> {_answer(mirror.answers.get(answer))}{ended}"
    )


def _event(mirror, number):
    event = mirror.events.get(number)
    return f"{event.kind.name} {event.object.version_id or ''}".strip()


def _request(mirror, number):
    request = mirror.requests.get(number)
    known = {name: value for name, value in request.parameters.items() if name in SHOWN}
    shown = ", ".join(f"{name}={_value(value)}" for name, value in known.items())
    return f"{PLACES[request.place]} {request.operation}({shown})"


SHOWN = ("VersionId", "IfMatch", "IfNoneMatch", "Body", "Tagging")


def _value(value):
    return str(value).strip('"')[:12]


def _answer(answer):
    if "Error" in answer:
        return answer["Error"]["Code"]
    if "Order" in answer:
        versions, markers = iter(answer["Versions"]), iter(answer["DeleteMarkers"])
        listed = (next(versions if each == b"Version" else markers)["VersionId"] for each in answer["Order"])
        return "lists " + (", ".join(listed) or "nothing")
    if "Item" in answer or "Items" in answer:
        return "rows"
    return " ".join(_value(answer[name]) for name in ("VersionId", "Body") if name in answer) or "done"


def _entries(bucket):
    return "[" + ", ".join(_entry(entry) for entry in bucket.entries) + "]"


def _entry(entry):
    content = [entry.body or "deleted", *([f"metadata {entry.meta}"] if entry.meta else [])]
    content += [f"tag {value}" for _, value in entry.tags]
    return f"{entry.id}: {' '.join(content)}" if entry.id else " ".join(content)


def _rows(mirror, state):
    recorded = tables.pairs(mirror.places[TABLE].get(state[TABLE]))
    key = tables.key_state(mirror.places[TABLE].get(state[TABLE]))
    pairs = [f"{version}->{pair.replica or 'skipped'}" for version, pair in sorted(recorded.items())]
    return "{" + ", ".join([*pairs, *key]) + "}"
