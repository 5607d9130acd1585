"""When this machine's processors stood still. No program on it can do anything then, and none is to blame.

One process on each processor, which nothing else on the machine may keep waiting (real-time priority, so it
takes root), asks to be woken every 10 ms and notes how much later it is.
"""

import os
import subprocess
import sys
import time

EVERY_S = 0.01
NOTED_S = 0.008  # a wake-up that comes as much too late


class Witness:
    """Knows of every time at which a processor stood still, while it is entered."""

    def __init__(self, folder):
        self.notes = [folder / f"still-{cpu}" for cpu in sorted(os.sched_getaffinity(0))]
        self.watching = []

    def __enter__(self):
        for note in self.notes:
            cpu = note.name.removeprefix("still-")
            self.watching.append(subprocess.Popen([sys.executable, __file__, cpu], stdout=note.open("wb")))
        return self

    def __exit__(self, *_):
        for process in self.watching:
            process.kill()
            process.wait()

    def stood_still_s(self, since, until):
        """How long each time, on any processor, between two moments; none if that cannot be told here."""
        if any(process.poll() is not None for process in self.watching):
            return None
        lines = [line.split() for note in self.notes for line in note.read_text().splitlines(keepends=True)
                 if line.endswith("\n")]
        return [float(late) for at, late in lines if since <= float(at) < until]


def watch(cpu):
    os.sched_setaffinity(0, {cpu})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(os.sched_get_priority_max(os.SCHED_FIFO)))
    due = time.monotonic()
    while True:
        due += EVERY_S
        time.sleep(max(0.0, due - time.monotonic()))
        late = time.monotonic() - due
        if late > NOTED_S:
            print(f"{due:.4f} {late:.4f}", flush=True)
            due += late


if __name__ == "__main__":
    try:
        watch(int(sys.argv[1]))
    except PermissionError:
        sys.exit("bench: when the machine stood still is not known: that takes root")
