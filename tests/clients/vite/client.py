"""vite's dev server, and a page of it in a browser."""
WATCHES = "a tree: a watch for each file and directory, as chokidar"
WAITS = "epoll, level-triggered, reads of 4,096; a page in Chromium reports"
RUNNER = ["pages/run", "vite"]
