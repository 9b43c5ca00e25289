"""inotifywait for aarch64."""
import qemu

globals().update(qemu.aarch64(
    "inotifywait", "aarch64/root/usr/bin/inotifywait", "inotify-tools"))
