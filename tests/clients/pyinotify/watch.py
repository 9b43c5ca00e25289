#!/usr/bin/python3
"""A tree watched with pyinotify, all events; a line for each of its reports."""
import os
import sys

import pyinotify


def main():
    root = sys.argv[1]
    manager = pyinotify.WatchManager()

    def say(event):
        path = os.path.relpath(event.pathname, root)
        print(f"{event.maskname}|{path}", flush=True)

    notifier = pyinotify.Notifier(manager, default_proc_fun=say)
    manager.add_watch(root, pyinotify.ALL_EVENTS, rec=True, auto_add=True)
    print("ready", flush=True)
    notifier.loop()


main()
