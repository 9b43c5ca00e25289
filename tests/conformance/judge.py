"""The rules of what is known to differ, and the judgement of a transcript.

A rule looks at one step, at the native events and at those seen, and takes away
from both what they are known to differ in; what is left must be the same.  Each
rule is listed in known-differences as scripts:RULE, with the modes in which it
holds and the reason.
"""
import collections
import os

import bursts
import compare
import tree

CONTENT = {"MODIFY", "ATTRIB", "OPEN", "ACCESS", "CLOSE_WRITE",
           "CLOSE_NOWRITE"}
Case = collections.namedtuple("Case", "step words tree native seen ended")


def drop(events, unwanted):
    return [event for event in events if not unwanted(event)]


def used_up(case, rule, extra):
    """By an event that `extra` accepts and Linux does not tell a ONESHOT watch
    has ended: is an event one of those that such a watch misses since?"""
    case.ended.update(
        (event.instance, event.watch, rule) for event in case.seen
        if extra(event) and event not in case.native
        and "ONESHOT" in case.tree.mask(event))
    return lambda event: (event.instance, event.watch, rule) in case.ended


# Rules: Case -> (native, seen), without what may differ.

def reading_a_directory(case):
    """ACCESS of a directory is not told."""
    return drop(case.native, lambda event: event.bits() == {"ACCESS"}
                and "ISDIR" in event.mask), case.seen


def mknod_of_a_file(case):
    """It looks as if it had been made by open(2)."""
    if case.words[0] != "mknod":
        return case.native, case.seen
    name = case.words[1].rsplit("/", 1)[-1]
    return case.native, drop(
        case.seen, lambda event: event.name == name
        and event.bits() <= {"OPEN", "CLOSE_WRITE"})


def exchange(case):
    """Two names exchanged are a cycle: told as a delete and a rename."""
    if case.words[0] != "exchange":
        gone = used_up(case, exchange, lambda _: False)
        return drop(case.native, gone), drop(case.seen, gone)
    names = {word.rsplit("/", 1)[-1] for word in case.words[1:]}

    def of_the_two(event):
        return event.name in names and event.bits() <= {
            "MOVED_FROM", "MOVED_TO", "CREATE", "DELETE"} | CONTENT
    both = set(case.native) & set(case.seen)
    gone = used_up(case, exchange, of_the_two)

    def of_the_objects(event):
        return event.bits() == {"MOVE_SELF"} and event in both
    return tuple(drop(drop(drop(events, of_the_two), of_the_objects), gone)
                 for events in (case.native, case.seen))


def other_names(case):
    """What happens in a file is told under each of its names that is watched,
    not only under the one that was used."""
    def of_a_link(event):
        number = case.tree.paths.get(case.tree.path_of(event))
        return (number is not None and event.bits() <= CONTENT
                and len(case.tree.names_of(number)) > 1)

    gone = used_up(case, other_names, of_a_link)
    return tuple(drop(events, lambda event: of_a_link(event) or gone(event))
                 for events in (case.native, case.seen))


def after_the_name(case):
    """What is done to a held file whose name has gone is not told by name."""
    number = case.tree.held.get(case.words[1]) if (
        case.words[0] == "use") else None
    if number is None or case.tree.names_of(number):
        return case.native, case.seen
    return drop(case.native, lambda event: event.name is not None), case.seen


def held_otherwise(case):
    """A directory, a FIFO, or what is held by O_PATH or in a way that cannot be
    asked for ends with its last name, not with its last close.  Linux itself
    ends a file so that is held under a name which had gone before."""
    for event in set(case.seen) ^ set(case.native):
        if event.bits() == {"IGNORED"}:
            number, _ = case.tree.watches.get(
                f"{event.instance}:{event.watch}", (None, None))
            if number in case.tree.held.values():
                case.ended.add((event.instance, event.watch))

    def of_an_ended(event):
        return (event.instance, event.watch) in case.ended
    return drop(case.native, of_an_ended), drop(case.seen, of_an_ended)


def moves_not_asked_for(case):
    """Who asks for CREATE and not for MOVED_TO may be told CREATE of what was
    moved in, and likewise DELETE."""
    if case.words[0] not in ("rename", "norename"):
        return case.native, case.seen

    def unasked(event):
        mask = case.tree.mask(event)
        return ((event.bits() == {"CREATE"} and "MOVED_TO" not in mask)
                or (event.bits() == {"DELETE"} and "MOVED_FROM" not in mask))

    # That was the one event of a ONESHOT watch.
    case.ended.update((event.instance, event.watch) for event in case.seen
                      if unasked(event)
                      and "ONESHOT" in case.tree.mask(event))

    def gone(event):
        return (event.instance, event.watch) in case.ended
    return drop(case.native, gone), drop(
        case.seen, lambda event: unasked(event) or gone(event))


def no_notes_of_use(case):
    """Opening, reading and closing are not noted."""
    return (drop(case.native, lambda event: event.bits() <= compare.USE),
            drop(case.seen, lambda event: event.bits() <= compare.USE))


def moved_out_or_in(case):
    """A move out of what is watched is told as DELETE, one into it as CREATE
    (of something young), with what seems to have happened in it since."""
    if case.words[0] not in ("rename", "norename"):
        return case.native, case.seen
    name = case.words[2].rsplit("/", 1)[-1]

    def pairs_of(events):
        return collections.Counter((event.instance, event.cookie)
                                   for event in events if event.cookie)

    def plain(events):
        pairs = pairs_of(events)
        for event in events:
            if pairs[event.instance, event.cookie] == 1:
                event = event._replace(cookie=None, mask=event.mask.replace(
                    "MOVED_FROM", "DELETE").replace("MOVED_TO", "CREATE"))
            # What the mask does not ask for by this name is not told.
            if event.bits() <= {"CREATE", "DELETE"} and not (
                    event.bits() & case.tree.mask(event)):
                continue
            yield event
    native, seen = list(plain(case.native)), list(plain(case.seen))
    created = {(event.instance, event.watch) for event in native
               if event.bits() == {"CREATE"}}
    # Who asks for neither way of coming is told nothing of it natively.
    old, new = (os.path.dirname(word) for word in case.words[1:3])
    paired = {instance for (instance, _), count in
              pairs_of(case.native).items() if count == 2}
    if old != new:
        created |= {tuple(label.split(":")) for label, (number, _) in
                    case.tree.watches.items()
                    if number == case.tree.resolve(new)
                    and label[0] not in paired}

    # Renamed over from outside: the old bearer of the name is deleted.
    def follows(event):
        return (event.name == name
                and (event.instance, event.watch) in created
                and event.bits() <= {"DELETE"} | CONTENT)
    if not created and native == case.native and seen == case.seen:
        return case.native, case.seen
    # Then its own end is told before that, and the new one comes last.
    if any(follows(event) and event.bits() == {"DELETE"} for event in seen):
        both = [event for event in native if event in seen
                and event.bits() == {"CREATE"} and event.name == name]
        native = drop(native, both.__contains__)
        seen = drop(seen, both.__contains__)
    return native, drop(seen, follows)


def once_by_use(case):
    """A ONESHOT watch that the use of a file would have ended is still there, or
    a close that is told after a quiet time has ended it.
    """
    for event in [*case.native, *case.seen]:
        mask = case.tree.mask(event)
        if "ONESHOT" in mask and (mask & compare.USE or "ALL" in mask):
            case.ended.add((event.instance, event.watch))

    def of_an_ended(event):
        return (event.instance, event.watch) in case.ended
    return drop(case.native, of_an_ended), drop(case.seen, of_an_ended)


def several_at_once(case):
    """What one call does several times to a file, between others' events of
    it, is told once."""
    def once(events):
        told = set()
        for event in events:
            if event.bits() <= CONTENT and event in told:
                continue
            told.add(event)
            yield event
    return list(once(case.native)), list(once(case.seen))


def replaced_directory(case):
    """A directory that another was renamed over has ended; that it was not
    removed is known from the directory that it was in, if that is watched by
    the same instance."""
    if case.words[0] != "rename":
        return case.native, case.seen
    ended = {(event.instance, event.watch) for event in case.seen
             if event.bits() == {"IGNORED"}}
    return drop(case.native, lambda event: event.mask == "ATTRIB|ISDIR"
                and event.name is None
                and (event.instance, event.watch) in ended), case.seen


def replaced_unseen(case):
    """Where neither directory is watched, MOVE_SELF of what was renamed may come
    before the ATTRIB of what it replaced."""
    if case.words[0] != "rename":
        return case.native, case.seen
    both = set(case.native) & set(case.seen)

    def of_the_two(event):
        return (event in both and event.name is None
                and event.bits() <= {"MOVE_SELF", "ATTRIB", "MODIFY"})
    return drop(case.native, of_the_two), drop(case.seen, of_the_two)


def times_of_a_fifo(case):
    """Reading and writing through a FIFO moves its times and is not told by
    name; nor is it when utimensat(2) does it."""
    return drop(case.native, lambda event: case.words[0] == "times"
                and event.name is not None
                and event.bits() <= {"ACCESS", "MODIFY"}
                and case.tree.kinds.get(case.tree.resolve(case.words[1]))
                == "fifo"), case.seen


def times_as_they_were(case):
    """A time that is set to what it was, or to what the other one is, leaves no
    trace of which: MODIFY, ACCESS and ATTRIB may be told as each other, to those
    who ask for that one."""
    if not case.tree.left_a_time:
        return case.native, case.seen

    def of_a_time(event):
        return event.bits() <= {"MODIFY", "ACCESS", "ATTRIB"}
    return drop(case.native, of_a_time), drop(case.seen, of_a_time)


RULES = [reading_a_directory, mknod_of_a_file, exchange, other_names,
         after_the_name, held_otherwise, replaced_directory,
         replaced_unseen,
         moves_not_asked_for,
         no_notes_of_use, moved_out_or_in, times_of_a_fifo,
         times_as_they_were,
         once_by_use, several_at_once]


class Rules:
    """Those that known-differences lists, and how often each was needed."""

    def __init__(self, path):
        self.listed = {}  # rule -> (modes, reason)
        self.used = collections.Counter()  # by mode and rule
        self.used_by = collections.defaultdict(set)  # mode, script -> rules
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("scripts:"):
                    what, modes, reason = line.split(None, 2)
                    self.listed[what[8:]] = (modes.split(","), reason.strip())
        known = {rule.__name__ for rule in RULES}
        for name in set(self.listed) - known:
            raise SystemExit(f"known-differences: no rule scripts:{name}")

    def of(self, mode):
        """In their order; modes are listed with ? where it differs at times,
        and a foreign mode is as the one without."""
        mode = mode.removeprefix("foreign-")
        for rule in RULES:
            modes = [each.rstrip("?") for each in
                     self.listed.get(rule.__name__, ([], ""))[0]]
            if mode in modes or "all" in modes:
                yield rule

    def report(self, modes):
        for mode in modes:
            for rule in self.of(mode):
                count = self.used[mode, rule.__name__]
                yield (f"{mode}: {rule.__name__}: {count} steps: "
                       f"{self.listed[rule.__name__][1]}")

    def unused(self, modes):
        for mode in modes:
            for rule in self.of(mode):
                always = "?" not in ",".join(self.listed[rule.__name__][0])
                if always and not self.used[mode, rule.__name__]:
                    yield f"scripts:{rule.__name__} {mode}"


def judge_step(native, seen, world, ended, mode, rules, script):
    """A sentence, or None."""
    lags = "strict" not in mode
    words = native.operation.split() or [""]
    if native.outcome != seen.outcome and not (
            words[0] == "unwatch" and tuple(words[1].split(":")) in ended):
        return (f"{native.operation}: {native.outcome or 'done'} natively, "
                f"{seen.outcome or 'done'} here")
    left, right, needed = native.events, seen.events, []
    for rule in rules.of(mode):
        if rule is not held_otherwise and compare.same(left, right, lags):
            break
        case = Case(native, words, world, left, right, ended)
        new_left, new_right = rule(case)
        if (new_left, new_right) != (left, right):
            needed.append(rule.__name__)
        left, right = new_left, new_right
    if not compare.same(left, right, lags):
        return (f"{native.operation}: natively "
                f"[{'; '.join(map(str, native.events))}], here "
                f"[{'; '.join(map(str, seen.events))}]")
    for name in needed:
        rules.used[mode, name] += 1
        rules.used_by[mode, script].add(name)
    return None


def differences(script, native, seen, mode, rules):
    """Sentences on what differs and is not listed."""
    if script.is_burst():
        return bursts.differences(native, seen, mode)
    if len(native) != len(seen):
        return ["not all of it was played"]
    world, ended, out = tree.Tree(), set(), []
    for one, other in zip(native, seen):
        # What goes with a step may be told in it, and what comes, too.
        before, held = dict(world.paths), dict(world.held)
        world.apply(one)
        after, holding = world.paths, world.held
        world.paths, world.held = {**before, **after}, {**held, **holding}
        sentence = judge_step(one, other, world, ended, mode, rules,
                              script.name)
        world.paths, world.held = after, holding
        if sentence:
            out.append(sentence)
    return out
