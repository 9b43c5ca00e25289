#!/usr/bin/python3
"""A tree watched with watchdog; a line for each of its reports."""
import os
import sys

from watchdog.events import FileSystemEventHandler
from watchdog.observers.inotify import InotifyObserver


class Printer(FileSystemEventHandler):
    def __init__(self, root):
        self.root = root

    def on_any_event(self, event):
        paths = [os.path.relpath(event.src_path, self.root)]
        if event.event_type == "moved":
            paths.append(os.path.relpath(event.dest_path, self.root))
        kind = event.event_type + (",dir" if event.is_directory else "")
        print("|".join([kind] + paths), flush=True)


def main():
    root = sys.argv[1]
    observer = InotifyObserver()
    observer.schedule(Printer(root), root, recursive=True)
    observer.start()
    print("ready", flush=True)
    observer.join()


main()
