"""What a meeting of ten costs: everybody speaks and shows a picture, and one watches the nine others.

Ten who watch nine would need more processors than a machine for one has, and would say what a full
machine does to a meeting instead of what a meeting costs. Who watches decodes all that it shows; a
client without a window does so for what it saves."""

import os
import time

from client import cpu_s
from stage import PICTURE, Stage

PEOPLE = 10
SECONDS = 20


def crowd(bench):
    with Stage(bench.programs, bench.folder, bench.seed) as stage:
        seat = ["--camera", PICTURE, "--microphone", f"file:{bench.long_voice}", "--speaker", "null"]
        people = [stage.host("P0", *seat, "--save", bench.folder)]
        link = people[0].link()
        for number in range(1, PEOPLE):
            people.append(stage.join(f"P{number}", link, *seat, "--commands"))
            people[0].hears(f"P{number}", 10)
            people[-1].write("watch off")
        time.sleep(5)
        parts = [*(person.process.pid for person in people), stage.server.pid]
        before, since = [cpu_s(part) for part in parts], time.monotonic()
        time.sleep(SECONDS)
        passed = time.monotonic() - since
        used = [100 * (cpu_s(part) - first) / passed for part, first in zip(parts, before)]
        shown = [
            (reports[-1][1]["video"]["played"] - reports[0][1]["video"]["played"]) / (len(reports) - 1)
            for reports in (people[0].media(f"P{number}", since) for number in range(1, PEOPLE))
            if len(reports) > 1
        ]
    watching, *others, relay = used
    return [
        ("client with nine tiles", watching, "% core", "<= 100", watching <= 100),
        ("client that shows and hears only, median", sorted(others)[len(others) // 2], "% core", "", None),
        ("relay", relay, "% core", "", None),
        (f"all of {os.cpu_count()} cores", sum(used), "% core", "", None),
        ("pictures a second of each tile", sum(shown) / max(len(shown), 1), "", ">= 15", sum(shown) >= 15 * len(shown) > 0),
    ]


ROWS = {"ten-people": crowd}
