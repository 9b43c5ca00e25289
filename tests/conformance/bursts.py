"""What must hold of a burst: several operations without a read between them.

Names may come and go unseen there, and what is the same may be told once.  But
what is told must be legal, and lead to what exists (P2, P3); and nobody may miss
that a file which is still there was written to.
"""
import compare
import tree

GOING = {"DELETE", "MOVED_FROM"}
COMING = {"CREATE", "MOVED_TO"}
CONTENT = {"MODIFY", "ATTRIB"} | compare.USE


class Model:
    """The names that a guest believes one watched directory to have."""

    def __init__(self, names):
        self.names = set(names)
        self.wrong = []

    def apply(self, event):
        bits = event.bits()
        if bits & GOING:
            if event.name not in self.names:
                self.wrong.append(f"{event}: there is no such name")
            self.names.discard(event.name)
        elif bits & COMING:
            if bits == {"CREATE"} and event.name in self.names:
                self.wrong.append(f"{event}: the name exists")
            self.names.add(event.name)


def entries(world, number):
    """The names in a directory, or None if it has no path."""
    for path in world.names_of(number):
        prefix = path + "/" if path else ""
        return {other[len(prefix):] for other in world.paths
                if other.startswith(prefix) and other != path
                and "/" not in other[len(prefix):]}
    return None


def asks_for_all_members(mask):
    return "ALL" in mask or (GOING | COMING) <= mask


def may_have_ended(step, world, ignored):
    """Stops a watch that has ended here, or one for one event, which may have
    come and gone unseen."""
    words = step.operation.split()
    return words[0] == "unwatch" and (
        tuple(words[1].split(":")) in ignored
        or "ONESHOT" in world.watches.get(words[1], (None, set()))[1])


def differences(native, seen, mode):
    """Sentences."""
    world, models, out = tree.Tree(), {}, []
    written, told, ignored = set(), set(), set()
    natively = {(event.instance, event.watch) for step in native
                for event in step.events}
    # A note names an inode, not the name under which it was used: what has
    # several names, or was given another one meanwhile.
    linked = any(step.operation.startswith(("link ", "rename ", "norename ",
                                            "exchange "))
                 and not step.outcome for step in native)
    # A time that is set to what it was leaves no trace of which one it was.
    timed = any(step.operation.startswith("times ") for step in native)
    made = any(step.operation.startswith("mknod ") for step in native)
    held = any(step.operation.startswith("hold ") for step in native)
    for one, other in zip(native, seen):
        if one.outcome != other.outcome and not may_have_ended(
                one, world, ignored):
            out.append(f"{one.operation}: {one.outcome or 'done'} natively, "
                       f"{other.outcome or 'done'} here")
        known = set(world.watches)
        world.apply(one)
        for label in set(world.watches) - known:
            number, mask = world.watches[label]
            if (world.kinds.get(number) == "dir"
                    and asks_for_all_members(mask)
                    and "ONESHOT" not in mask):
                models[label] = Model(entries(world, number) or ())
        for label in list(models):
            if label not in world.watches:  # it was stopped
                del models[label]
                continue
            mask = world.watches[label][1]  # it may have been replaced
            if not asks_for_all_members(mask) or "ONESHOT" in mask:
                del models[label]
        for event in one.events:
            number = world.paths.get(world.path_of(event))
            if (event.bits() & {"MODIFY"} and event.name
                    and world.kinds.get(number) != "fifo"):
                written.add((event.instance, event.watch, event.name))
        if not compare.pairs_hold(other.events):
            out.append(f"after {one.operation}: cookies do not pair")
        for event in other.events:
            key = (event.instance, event.watch)
            if key in ignored:
                out.append(f"{event}: after IGNORED")
            if event.bits() == {"IGNORED"}:
                ignored.add(key)
            # Who asks for CREATE and not MOVED_TO may be told it for a move.
            # What has several names is told under each.
            # What mknod(2) has made seems to have been opened.
            # What is held otherwise ends with its last name.
            unasked = event.bits() <= {"CREATE", "DELETE"} or (
                held and event.bits() <= {"DELETE_SELF", "IGNORED"}) or (
                linked and event.bits() <= CONTENT) or (
                made and event.bits() <= {"OPEN", "CLOSE_WRITE"})
            if key not in natively and not unasked:
                out.append(f"{event}: natively that watch told nothing")
            model = models.get(":".join(key))
            if model is not None and event.name is not None:
                model.apply(event)
            if event.bits() & ({"MODIFY"} | COMING) or (
                    timed and event.bits() == {"ATTRIB"}):
                told.add((*key, event.name))
    for label, model in models.items():
        out += model.wrong
        now = entries(world, world.watches[label][0])
        if now is not None and tuple(label.split(":")) not in ignored and (
                model.names != now):
            out.append(f"{label}: its events lead to {sorted(model.names)}, "
                       f"there is {sorted(now)}")
        for name in now or ():
            key = (*label.split(":"), name)
            if key in written and key not in told:
                out.append(f"{label}: {name} was written to, and not told")
    return out
