"""A link whose rate is cut for twenty seconds and comes back, and a bad link beside a good one."""

import time

from client import concealed
from rows_sound import DELAY, SILENT, SPEAKS, listens, quality, quantile, say
from stage import PICTURE, Stage
from tape import Tape, steady

BEFORE_S, CUT_S, AFTER_S = 8, 20, 25
WIDE, NARROW = "3Mbit/s", "300kbit/s"
MOVING = 3  # pictures in a second: fewer is a picture that stands
WHOLE = 25  # pictures in a second: fewer is the small picture, or one that comes too late
STEADY_S = 30


def cut(way, queue):
    """A row: the link of who listens (down) or who speaks (up) is cut, before such a queue."""
    def row(bench):
        with steady(), Stage(bench.programs, bench.folder, bench.seed) as stage:
            flags = ["--both", DELAY, f"--{way}", f"rate={WIDE},queue={queue}"]
            network = stage.network(*flags)
            through = {"down": (network, None), "up": (None, network)}[way]
            ana = stage.host("Ana", *listens(bench), through=through[0])
            ben = stage.join("Ben", ana.link(), "--camera", PICTURE, *SPEAKS, through=through[1])
            ana.hears("Ben")
            ana.sees("Ben")
            tape = Tape(bench.folder / "tape.wav")
            voice = say(bench.long_voice)
            time.sleep(BEFORE_S)
            network.order(f"{way} rate={NARROW},queue={queue}")
            began = time.monotonic()
            time.sleep(CUT_S)
            network.order(f"{way} rate={WIDE},queue={queue}")
            ended = time.monotonic()
            time.sleep(AFTER_S)
            voice.terminate()
            voice.wait()
            heard = tape.finish()
            reports = ana.media("Ben", began - BEFORE_S)
            stats = network.stats()[way]
        return judge(heard, reports, began, ended, stats)
    return row


def judge(heard, reports, began, ended, stats):
    during = heard.part(began, ended + 1)
    after = heard.part(ended + 3, ended + 10)
    late = [ms for at, ms in during.delays() if at < ended - 1]
    later = [ms for _, ms in after.delays()]
    score, _ = quality(heard.part(began, ended))
    hidden = concealed([entry for entry in reports if began - 1 <= entry[0] < ended + 1])
    slow, slow_after = quantile(late, 0.95), quantile(later, 0.95)
    stands, full = picture(reports, began, ended)
    # A small picture alone is cut more gently than what the row is about.
    least = fewest([entry for entry in reports if entry[0] < began])
    return [
        ("pictures a second before the cut, fewest", least, "", f">= {WHOLE}", least >= WHOLE),
        ("concealed during the cut", hidden, "%", "<= 1", hidden <= 1),
        ("PESQ of the cut", score, "", ">= 3.3", score >= 3.3),
        ("mouth to ear during, p50", quantile(late, 0.5), "ms", "", None),
        ("mouth to ear during, p95", slow, "ms", "<= 250", slow <= 250),
        ("mouth to ear 3 s after, p95", slow_after, "ms", "< 160", slow_after < 160),
        ("picture stands, longest", stands, "s", "<= 2", stands <= 2),
        ("picture is full again after", full, "s", "<= 8", full <= 8),
        ("datagrams dropped by the queue", stats["dropped"]["queue"], "", "", None),
    ]


def picture(reports, began, ended):
    """The longest time in the cut without a moving picture, and how long after it the picture has
    its old rate again, in whole seconds of reports."""
    steps = [(at, now["video"]["played"] - before["video"]["played"], now["video"]["bytes"] - before["video"]["bytes"])
             for (_, before), (at, now) in zip(reports, reports[1:])]
    old = [size for at, _, size in steps if at < began]
    usual = sum(old) / len(old)
    longest = run = 0
    for at, pictures, _ in steps:
        if began <= at < ended + 1:
            run = run + 1 if pictures < MOVING else 0
            longest = max(longest, run)
    full = [at - ended for at, _, size in steps if at > ended + 0.5 and size >= 0.8 * usual]
    return longest, full[0] if full else float("inf")


def fewest(reports):
    """Pictures in the second in which the fewest were shown, the first three seconds left out."""
    shown = [report["video"]["played"] for _, report in reports][3:]
    return min((now - before for before, now in zip(shown, shown[1:])), default=0)


def steady_pictures(way):
    """A row: a good link, half a minute, on which the picture stays whole."""
    def row(bench):
        with Stage(bench.programs, bench.folder, bench.seed) as stage:
            network = stage.network("--both", DELAY)
            through = {"down": (network, None), "up": (None, network)}[way]
            ana = stage.host("Ana", *listens(bench), through=through[0])
            stage.join("Ben", ana.link(), "--camera", PICTURE, *SILENT[:2], through=through[1])
            ana.sees("Ben")
            since = time.monotonic()
            time.sleep(STEADY_S)
            reports = ana.media("Ben", since)
        late = [report["video"]["latency_ms"]["p95"] for _, report in reports[3:]]
        least, slow = fewest(reports), quantile(late, 0.5)
        return [
            ("pictures a second, fewest", least, "", f">= {WHOLE}", least >= WHOLE),
            ("camera to decoded picture, p95, median second", slow, "ms", "<= 100", slow <= 100),
            ("the same, worst second", max(late), "ms", "", None),
        ]
    return row


def two_receivers(bench):
    """Ben speaks to Ana on a good link and to Cleo on one that loses a fifth in bursts."""
    with steady(), Stage(bench.programs, bench.folder, bench.seed) as stage:
        good = stage.network("--both", DELAY)
        bad = stage.network("--both", DELAY, "--down", "burst-every=2s/400ms,rate=300kbit/s,queue=32KB")
        ana = stage.host("Ana", *listens(bench), through=good)
        ben = stage.join("Ben", ana.link(), "--camera", PICTURE, *SPEAKS)
        cleo = stage.join("Cleo", ana.link(), *SILENT, "--speaker", "null", through=bad)
        for listener in (ana, cleo):
            listener.hears("Ben")
        tape = Tape(bench.folder / "tape.wav")
        since = time.monotonic()
        say(bench.voice).wait()
        time.sleep(1)
        heard = tape.finish().spoken()
        lost = {listener: concealed(listener.media("Ben", since)) for listener in (ana, cleo)}
    score, _ = quality(heard)
    late = quantile([ms for _, ms in heard.delays()], 0.95)
    return [
        ("concealed on the bad link", lost[cleo], "%", "", None),
        ("concealed on the good link", lost[ana], "%", "<= 0.5", lost[ana] <= 0.5),
        ("PESQ on the good link", score, "", ">= 4.0", score >= 4.0),
        ("mouth to ear on the good link, p95", late, "ms", "<= 150", late <= 150),
    ]


ROWS = {
    "cut-bytes": cut("down", "64KB"),
    "cut-packets": cut("down", "50pkt"),
    "cut-up-bytes": cut("up", "64KB"),
    "cut-up-packets": cut("up", "50pkt"),
    "pictures-down": steady_pictures("down"),
    "pictures-up": steady_pictures("up"),
    "two-receivers": two_receivers,
}
