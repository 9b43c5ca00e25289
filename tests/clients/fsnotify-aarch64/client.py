"""The watcher on Go's fsnotify, built for aarch64 and against glibc."""
import qemu

globals().update(qemu.aarch64("fsnotify", "go-watch-aarch64", None))
