"""A client at work: its process, what it prints, and how it is waited for."""
import collections
import os
import queue
import signal
import subprocess
import threading
import time

DEADLINE_S = 60
MISSING_S = 30
MORE_LINES_S = 0.01
PROBE_S = 0.1
MARKER = ".marker-"
MARKER_ROUNDS = 2  # the second one finds every new watch in place
MODES = {
    "native": [],
    "freebsd": ["--notes", "freebsd"],
    "macos": ["--notes", "macos"],
    "strict": ["--strict"],
}


class Lines:
    """What a process prints, line by line, as it comes."""

    def __init__(self, stream):
        self.queue = queue.Queue()
        self.thread = threading.Thread(target=self.collect, args=(stream,))
        self.thread.start()

    def collect(self, stream):
        for line in stream:
            self.queue.put(line.rstrip("\n"))
        self.queue.put(None)

    def next(self, seconds):
        """A line, or None: the time is over or there will be no more."""
        try:
            return self.queue.get(timeout=max(seconds, 0))
        except queue.Empty:
            return None


def mark(root, number):
    """A new file, and what the client says of it."""
    name = f"{MARKER}{number}-"
    os.mknod(os.path.join(root, name))
    return name


class Client:
    """A client, by its description (client.py), on a prepared directory."""

    def __init__(self, description, place, mode, root):
        self.description = description
        self.root = root
        self.markers = 0
        self.last = []  # lines, for a message
        self.quiet = getattr(description, "QUIET_S", 0)
        self.still = getattr(description, "STILL_S", 0)
        self.remark = getattr(description, "REMARK_S", DEADLINE_S)
        self.batch_end = getattr(description, "BATCH_END", None)
        self.mark = getattr(description, "mark", mark)
        command = description.command(place, root)
        if mode != "native":
            command = [place.vnotify, "run"] + MODES[mode] + ["--"] + command
        elif hasattr(description, "NATIVE"):
            command = description.NATIVE + command  # what can run it
        # nothing is to be left if this runner is killed
        command = ["setpriv", "--pdeathsig", "TERM", "--"] + command
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, bufsize=1,
            errors="backslashreplace", start_new_session=True,
            env=dict(os.environ, **place.environment()))
        self.lines = Lines(self.process.stdout)

    def await_ready(self):
        """Until the client says that it is ready, or reports a marker."""
        ready = getattr(self.description, "READY", None)
        if ready is not None:
            self.await_line(lambda line: ready in line, [])
            return
        end = time.monotonic() + DEADLINE_S
        names = []
        while time.monotonic() < end:
            names.append(self.mark(self.root, f"probe-{len(names)}"))
            line = self.lines.next(PROBE_S)
            while line is not None:
                if any(name in line for name in names):
                    return
                line = self.lines.next(PROBE_S)
        raise TimeoutError("the client never reported a marker")

    def find_line(self, wanted, taken, seconds):
        """Takes lines up to the wanted one, which is not added to them."""
        end = time.monotonic() + seconds
        line = self.lines.next(seconds)
        while line is not None and not wanted(line):
            self.take(line, taken)
            line = self.lines.next(end - time.monotonic())
        return line is not None

    def await_line(self, wanted, taken):
        if not self.find_line(wanted, taken, DEADLINE_S):
            raise TimeoutError("the client says nothing more")

    def await_marker(self, taken):
        """Makes one and waits for it; another, where one may be missed."""
        end = time.monotonic() + DEADLINE_S
        texts = []
        while time.monotonic() < end:
            texts.append(self.mark(self.root, self.markers))
            self.markers += 1
            if self.find_line(lambda line: any(text in line for text in texts),
                              taken, self.remark):
                return
        raise TimeoutError("the client says nothing more")

    def take(self, line, taken):
        self.last = self.last[-20:] + [line]
        if MARKER not in line and line != self.batch_end:
            taken.append(line)

    def settle(self, taken):
        """Until the client has said all: it reports markers, and is quiet."""
        for _ in range(1 if self.quiet else MARKER_ROUNDS):
            self.await_marker(taken)
            if self.batch_end is not None:
                self.await_line(lambda line: line == self.batch_end, taken)
        self.await_quiet(self.quiet, taken)

    def await_quiet(self, seconds, taken):
        """Until the client's own timers must have run out."""
        line = self.lines.next(seconds) if seconds else None
        while line is not None:
            self.take(line, taken)
            line = self.lines.next(seconds)

    def step(self, operation, required, reports, nudge=None):
        """The reports of one step, as a Counter."""
        taken = []
        operation(self.root)
        if self.still:  # busy, it would miss a marker, or tell of that alone
            self.await_quiet(self.still, taken)
            self.await_reports(required(), reports, taken)
        self.settle(taken)
        if nudge is not None:
            nudge(self.root)
            self.settle(taken)
        wanted = required()
        waited = self.await_reports(wanted, reports, taken)
        if waited or wanted and not self.quiet:
            self.settle(taken)
        return reports(taken)

    def await_reports(self, wanted, reports, taken):
        """Until all wanted ones have come; true if some had not before."""
        end = time.monotonic() + MISSING_S
        waited = False
        while wanted - reports(taken) and time.monotonic() < end:
            waited = True
            line = self.lines.next(end - time.monotonic())
            while line is not None:  # all that there is: to look takes time
                self.take(line, taken)
                line = self.lines.next(MORE_LINES_S)
        return waited

    def end(self):
        """SIGTERM must end it; the exit status as a shell sees it."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(DEADLINE_S)
            status = status if status >= 0 else 128 - status
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            status = "hung"
        self.lines.thread.join(DEADLINE_S)
        self.process.stdout.close()
        return status


NOTHING = collections.Counter()
