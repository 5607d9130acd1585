"""An hour with four people: whether memory stays flat, and sound in time.

Everybody speaks by the virtual microphone, which is the same for all, hears through the virtual
loudspeaker, shows a picture and watches three. The first twelfth is for warming up; after that the
first sixth is held against the last."""

import pathlib
import statistics
import threading
import time

from rows_sound import say
from stage import PICTURE, Stage

PEOPLE = 4
LOOKS = 60  # in all
WARM = LOOKS // 12
PART = LOOKS // 6
MOST_GROWTH = 5.0  # percent
MOST_DRIFT_MS = 10.0
MOST_UNMIXED_MS = 20.0  # of all together: the reserve of mixed sound grows by what it lacked


def hour(bench):
    every_s = bench.minutes * 60 / LOOKS
    with Stage(bench.programs, bench.folder, bench.seed) as stage:
        seat = ["--camera", PICTURE]
        people = [stage.host("P0", *seat)]
        link = people[0].link()
        for number in range(1, PEOPLE):
            people.append(stage.join(f"P{number}", link, *seat))
            people[0].hears(f"P{number}", 10)
        processes = [*(person.process.pid for person in people), stage.server.pid]
        talk = Talk(bench.long_voice)
        begun = time.monotonic()
        memory, moments = [], [begun]
        for look in range(1, LOOKS + 1):
            time.sleep(max(0.0, begun + look * every_s - time.monotonic()))
            memory.append([resident_mb(process) for process in processes])
            moments.append(time.monotonic())
        talk.end()
        parts = [(moments[WARM], moments[WARM + PART]), (moments[-1 - PART], moments[-1])]
        # The end of the meeting is a change of devices, and not counted.
        told = [event["text"] for person in people for at, event in list(person.events)
                if event["event"] == "warning" and at > begun]
        late = [statistics.median(latencies(people, *part)) for part in parts]
        hidden = [concealed(people, *part) for part in parts]
        unheard = sum(
            person.media(name, since=begun)[-1][1]["audio"][count]
            for person in people for name in names(person, people) for count in ("failed", "forged"))
        holes = [person.holes() for person in people]
    first, last = memory[WARM:WARM + PART], memory[-PART:]
    growth = [100 * (median_of(last, at) / median_of(first, at) - 1) for at in range(len(processes))]
    for text in sorted(set(told)):
        print(f"  told {told.count(text)} times: {text}")
    most = max(growth[:-1])
    drift = late[1] - late[0]
    unmixed = sum(one["unmixed_ms"] for one in holes)
    return [
        ("length", bench.minutes, "min", "", None),
        ("memory of a client, median", statistics.median(last[-1][:-1]), "MB", "", None),
        ("growth of a client's memory, most", most, "%", f"<= {MOST_GROWTH}", most <= MOST_GROWTH),
        ("memory of the server", last[-1][-1], "MB", "", None),
        ("growth of the server's memory", growth[-1], "%", f"<= {MOST_GROWTH}", growth[-1] <= MOST_GROWTH),
        ("capture to play, median, at first", late[0], "ms", "", None),
        ("change of it until the end", drift, "ms", f"<= {MOST_DRIFT_MS:.0f}", abs(drift) <= MOST_DRIFT_MS),
        ("concealed sound, at first", hidden[0], "%", "", None),
        ("concealed sound, at the end", hidden[1], "%", "<= 1", hidden[1] <= 1),
        ("frames of sound that did not open or were forged", unheard, "", "0", unheard == 0),
        ("times the sound system lost sound", sum(one["microphone"] + one["speaker"] for one in holes), "", "0",
         not any(one["microphone"] + one["speaker"] for one in holes)),
        ("silence because nothing was mixed in time", unmixed, "ms", f"<= {MOST_UNMIXED_MS:.0f}",
         unmixed <= MOST_UNMIXED_MS),
        ("times the voice could not be played", talk.failed, "", "0", talk.failed == 0),
        ("warnings, notices and device troubles told", len(told), "", "0", not told),
    ]


class Talk:
    """A voice that does not stop."""

    def __init__(self, voice):
        self.ended = threading.Event()
        self.failed = 0
        self.voice = say(voice)
        threading.Thread(target=self._go_on, args=[voice], daemon=True).start()

    def _go_on(self, voice):
        while True:
            # The sound server may not take it: a meeting of silence is no measurement.
            refused = self.voice.wait() != 0 and not self.ended.is_set()
            self.failed += refused
            if self.ended.wait(1 if refused else 0):
                return
            self.voice = say(voice)

    def end(self):
        self.ended.set()
        self.voice.terminate()


def resident_mb(process):
    status = pathlib.Path(f"/proc/{process}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def median_of(looks, at):
    return statistics.median(look[at] for look in looks)


def names(person, people):
    return [f"P{number}" for number, other in enumerate(people) if other is not person]


def latencies(people, since, until):
    """What every client told of every other, each second, in milliseconds."""
    return [
        report["audio"]["latency_ms"]["p50"]
        for person in people for name in names(person, people)
        for _, report in person.media(name, since, until) if report["audio"]["latency_ms"]
    ]


def concealed(people, since, until):
    """The share of time in which a sender's sound was made up, in percent."""
    shares = []
    for person in people:
        for name in names(person, people):
            (at, first), *_, (end, last) = person.media(name, since, until)
            ms = last["audio"]["concealed_ms"] - first["audio"]["concealed_ms"]
            shares.append(ms / 10 / (end - at))
    return statistics.mean(shares)


ROWS = {"hour": hour}
