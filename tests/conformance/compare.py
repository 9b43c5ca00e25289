"""What two transcripts of one script may differ in, and what they may not.

A stepped script: after each operation the same events, in the same order for
each instance; where events lag (without --strict), in the same order for each
watch, since two directories' events may then come in either order.

A burst: names may come and go unseen, and what is the same may be told once;
see check_burst.

A difference that is known has a rule here (RULES) and a line in
known-differences that names it, with its reason.
"""
import collections

USE = {"OPEN", "ACCESS", "CLOSE_WRITE", "CLOSE_NOWRITE"}


class Event(collections.namedtuple("Event", "instance watch mask cookie name")):
    """One line of a transcript: mask is a frozenset without ISDIR, ..."""

    @classmethod
    def parse(cls, line):
        words = line.split()
        instance, watch, mask = words[:3]
        rest = words[3:]
        cookie = None
        if rest and rest[0][0] == "c" and rest[0][1:].isdigit() and (
                mask.startswith("MOVED")):
            cookie = rest.pop(0)
        return cls(instance, watch, mask, cookie, rest[0] if rest else None)

    def bits(self):
        return set(self.mask.split("|")) - {"ISDIR"}

    def __str__(self):
        return " ".join(word for word in self if word)


Step = collections.namedtuple("Step", "operation outcome events")


def parse(text):
    """{script: [Step]} of a player's output; a script that did not end is not
    there."""
    transcripts, steps, name = {}, None, None
    for line in text.splitlines():
        if line.startswith("@ "):
            name, steps = line[2:], [Step("", "", [])]
        elif line == ".":
            transcripts[name] = steps
        elif line.startswith("= "):
            operation, _, outcome = line[2:].partition(" -> ")
            steps.append(Step(operation, outcome, []))
        elif line.startswith("  ") and steps:
            steps[-1].events.append(Event.parse(line))
    return transcripts


def number_cookies(events, lags):
    """The same events with cookies by order of appearance in the instance; if
    events lag, only whether there is one."""
    seen = collections.defaultdict(dict)
    return [event if event.cookie is None else
            event._replace(cookie="c" if lags else
                           seen[event.instance].setdefault(
                               event.cookie, len(seen[event.instance])))
            for event in events]


def count_pairs(events):
    cookies = collections.Counter((event.instance, event.cookie)
                                  for event in events if event.cookie)
    return sum(count == 2 for count in cookies.values())


def by(events, key):
    groups = collections.defaultdict(list)
    for event in events:
        groups[key(event)].append(event)
    return dict(groups)


def same(native, seen, lags):
    """Of one step: the same events in an order that is as good."""
    if lags:
        def key(event):
            return (event.instance, event.watch)
    else:
        def key(event):
            return event.instance
    return (by(number_cookies(native, lags), key)
            == by(number_cookies(seen, lags), key)
            and count_pairs(native) == count_pairs(seen)
            and pairs_hold(seen))


def pairs_hold(events):
    """MOVED_FROM and MOVED_TO of one cookie are neighbours in their instance,
    but for the IGNORED of a ONESHOT watch that was told the first; and there are
    at most one of each."""
    for group in by(events, lambda event: event.instance).values():
        group = [event for index, event in enumerate(group)
                 if event.mask != "IGNORED" or index == 0
                 or group[index - 1].watch != event.watch]
        at = by([(index, event) for index, event in enumerate(group)
                 if event.cookie], lambda pair: pair[1].cookie)
        for pair in at.values():
            if len(pair) > 2:
                return False
            if len(pair) == 2 and (
                    pair[1][0] != pair[0][0] + 1
                    or not pair[0][1].mask.startswith("MOVED_FROM")
                    or not pair[1][1].mask.startswith("MOVED_TO")):
                return False
    return True
