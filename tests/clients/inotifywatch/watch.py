#!/usr/bin/python3
"""A tree watched with `inotifywatch -r`; a line for each event it has counted.

It is asked for its table with SIGUSR1, again and again, and what has been added
since the last one is told.  Nothing in the table is a name: so the directory
"markers" counts the runner's markers.
"""
import collections
import os
import re
import signal
import subprocess
import sys
import threading
import time

PERIOD_S = 0.03
ROW = re.compile(r"[\d ]+ (/.*/)$")


class Table:
    """What is counted so far, and what is told of it."""

    def __init__(self, root):
        self.root = root
        self.kinds = []
        self.counts = collections.Counter()  # of the table that is coming
        self.told = collections.Counter()

    def take(self, line):
        if line.startswith("total "):  # the one before is complete
            self.tell()
            self.kinds = line.split()[1:-1]
            self.counts.clear()
            return
        row = ROW.match(line)
        if row is None:
            return
        path = os.path.relpath(row.group(1), self.root)
        for kind, count in zip(self.kinds, line.split()[1:]):
            self.counts[kind, path] += int(count)  # names come twice, too

    def tell(self):
        markers = 0
        for (kind, path), count in (self.counts - self.told).items():
            if path != "markers":
                print(f"{kind.upper()}|{path}/*\n" * count, end="")
            elif kind == "create":
                markers = count
        for number in range(markers):
            print(f".marker-{self.told['create', 'markers'] + number}-")
        sys.stdout.flush()
        # a row of a renamed directory goes by its new name from now on
        self.told = collections.Counter(self.counts)


def await_handler(pid):
    """It says that it is ready before it can take the signal."""
    bit = 1 << (signal.SIGUSR1 - 1)
    while True:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            caught = re.search(r"SigCgt:\s*(\w+)", status.read()).group(1)
        if int(caught, 16) & bit:
            return
        time.sleep(PERIOD_S)


def main():
    root = sys.argv[1]
    ended = threading.Event()
    # stderr tells when it is ready
    with subprocess.Popen(["stdbuf", "-oL", "inotifywatch", "-r", root],
                          text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as counter:

        def stop(_signal, _frame):
            ended.set()
            counter.terminate()

        def ask():
            while not ended.is_set():
                counter.send_signal(signal.SIGUSR1)
                time.sleep(PERIOD_S)

        for line in counter.stderr:
            if line.startswith("Finished"):
                break
        await_handler(counter.pid)
        signal.signal(signal.SIGTERM, stop)
        print("ready", flush=True)
        asking = threading.Thread(target=ask)
        asking.start()
        table = Table(root)
        for line in counter.stdout:
            table.take(line)
        ended.set()
        asking.join()
    sys.exit(counter.returncode)


main()
