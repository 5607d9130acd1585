"""Several people behind one narrow link: whether each gets the same of it.

A link that all bear together is too narrow for everybody's picture. Several who listen behind it, one
who watches several, and several who speak behind it are a row each; the picture that comes through is
counted in bytes, a person at a time, over a minute. How equal the shares are is Jain's index (Jain,
Chiu and Hawe 1984): 1 when all get the same, 1/n when one gets everything."""

import time

from client import concealed
from rows_links import MOVING
from rows_sound import DELAY, SILENT
from stage import PICTURE, Stage

PEOPLE = 3
RATE = "1500kbit/s,queue=64KB"
SETTLES_S, LASTS_S = 15, 60


def listen_together(bench):
    """Ben speaks and shows his picture; all others hear and watch him behind one link."""
    with Stage(bench.programs, bench.folder, bench.seed) as stage:
        narrow = stage.network("--both", DELAY, "--down", f"rate={RATE}")
        ben = stage.host("Ben", *speaks(bench))
        link = ben.link()
        others = [stage.join(f"L{number}", link, *watches(bench, number), through=narrow)
                  for number in range(PEOPLE)]
        ways = [(listener, "Ben") for listener in others]
        return judge(ways, narrow, "down")


def watch_several(bench):
    """Ana hears and watches several over her own narrow link."""
    with Stage(bench.programs, bench.folder, bench.seed) as stage:
        narrow = stage.network("--both", DELAY, "--down", f"rate={RATE}")
        ana = stage.host("Ana", *watches(bench, 0), through=narrow)
        return judge(speakers(bench, stage, ana, None), narrow, "down", equally=False)


def speak_together(bench):
    """All speak and show their pictures behind one link; Ana hears and watches them."""
    with Stage(bench.programs, bench.folder, bench.seed) as stage:
        narrow = stage.network("--both", DELAY, "--up", f"rate={RATE}")
        ana = stage.host("Ana", *watches(bench, 0))
        return judge(speakers(bench, stage, ana, narrow), narrow, "up")


def speakers(bench, stage, ana, network):
    """They see nobody; gives their ways to Ana."""
    link, names = ana.link(), [f"S{number}" for number in range(PEOPLE)]
    for name in names:
        stage.join(name, link, *speaks(bench), "--commands", through=network).write("watch off")
    return [(ana, name) for name in names]


def speaks(bench):
    return ["--camera", PICTURE, "--microphone", f"file:{bench.long_voice}", "--speaker", "null"]


def watches(bench, number):
    """A client without a window decodes what it saves."""
    folder = bench.folder / f"seen-{number}"
    folder.mkdir(exist_ok=True)
    return [*SILENT, "--speaker", "null", "--save", folder]


def judge(ways, network, way, equally=True):
    """`ways`: who receives, and of whom. Who watches several has more of some of them where there is room
    for it."""
    for listener, name in ways:
        listener.hears(name)
    time.sleep(SETTLES_S)
    since = time.monotonic()
    time.sleep(LASTS_S)
    passed = time.monotonic() - since
    timed = [listener.media(name, since) for listener, name in ways]
    reports = [[report for _, report in one] for one in timed]
    rates = [8 * grown(one, "video", "bytes") / 1000 / passed for one in reports]
    hidden = [concealed(one) for one in timed]
    moved = [moving(one) for one in reports]
    equal = sum(rates) ** 2 / (len(rates) * sum(rate * rate for rate in rates)) if any(rates) else 0.0
    queue = network.stats()[way]
    return [
        ("picture, least of all", min(rates), "kbit/s", "", None),
        ("picture, most of all", max(rates), "kbit/s", "", None),
        ("Jain's index of the pictures", equal, "", *((">= 0.9", equal >= 0.9) if equally else ("", None))),
        ("picture moves, least of all", min(moved), "% time", ">= 90", min(moved) >= 90),
        ("concealed, most of all", max(hidden), "%", "<= 1", max(hidden) <= 1),
        ("queue before the link, mean", queue["queue_ms_mean"], "ms", "", None),
    ]


def grown(reports, track, count):
    return reports[-1][track][count] - reports[0][track][count]


def moving(reports):
    """In which part of the seconds pictures came."""
    steps = [now["video"]["played"] - before["video"]["played"] for before, now in zip(reports, reports[1:])]
    return 100 * sum(step >= MOVING for step in steps) / len(steps)


ROWS = {"fair-down": listen_together, "fair-tiles": watch_several, "fair-up": speak_together}
