#!/usr/bin/python3
"""A tree watched with watchman; a line for each of its reports.

A server of its own, so that it runs as this program does; its client is this
program, over the server's socket.
"""
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

DEADLINE_S = 30


def start(directory):
    """The server, and a connection to it."""
    path = os.path.join(directory, "socket")
    server = subprocess.Popen(
        ["watchman", "--foreground", "--no-save-state", "--sockname=" + path,
         "--statefile=" + os.path.join(directory, "state"),
         "--pidfile=" + os.path.join(directory, "pid"),
         "--logfile=" + os.path.join(directory, "log")])
    end = time.monotonic() + DEADLINE_S
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(path)
            return server, connection.makefile("rw", encoding="utf-8")
        except OSError:
            connection.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def ask(stream, *words):
    stream.write(json.dumps(words) + "\n")
    stream.flush()
    answer = json.loads(stream.readline())
    if "error" in answer:
        sys.exit(answer["error"])


def tell(files):
    for file in files:
        kind = ("gone" if not file["exists"] else "new" if file["new"]
                else "directory-change" if file["type"] == "d" else "change")
        print(f"{kind}|{file['name']}")
    print("end of batch", flush=True)


def main():
    root = sys.argv[1]
    with tempfile.TemporaryDirectory() as directory:
        server, stream = start(directory)

        def stop(_signal, _frame):
            server.terminate()
            server.wait()
            sys.exit(0)

        signal.signal(signal.SIGTERM, stop)
        ask(stream, "watch", root)
        ask(stream, "subscribe", root, "all",
            {"fields": ["name", "exists", "new", "type"]})
        for line in stream:
            answer = json.loads(line)
            if answer.get("is_fresh_instance"):
                print("ready", flush=True)  # what there is, not what happens
            else:
                tell(answer["files"])


main()
