"""An hour with four people: whether memory stays flat, and sound in time.

Ana and Ben are whole clients: they speak by the virtual microphone, which is the same for both, hear
through the virtual loudspeaker and show a picture; Ana decodes and saves what the three others show.
Four of them would fill the two cores of the machine that this is measured on, and an hour would say
what a full machine does; so the other two are played by one process (`crowd`). The first twelfth is for
warming up; after that the first sixth is held against the last."""

import itertools
import os
import pathlib
import statistics
import subprocess
import threading
import time

from client import concealed, taken_s
from crowd import Crowd
from listening import RATE, ffmpeg
from stage import PICTURE, Stage

PLAYED = 2
LOOKS = 60  # in all
WARM = LOOKS // 12
PART = LOOKS // 6
SPOKEN_AT_ONCE = 2 * RATE  # bytes, a second
MOST_GROWTH = 5.0  # percent
MOST_DRIFT_MS = 10.0
MOST_UNMIXED_MS = 20.0  # of all together: the reserve of mixed sound grows by what it lacked


def hour(bench):
    every_s = bench.minutes * 60 / LOOKS
    with Stage(bench.programs, bench.folder, bench.seed) as stage:
        seat = ["--camera", PICTURE]
        ana = stage.host("Ana", *seat, "--save", bench.folder)
        ben = stage.join("Ben", ana.link(), *seat)
        with Crowd(bench.programs, ana.link(), PLAYED, bench.long_voice) as crowd:
            crowd.is_in()
            for name in ["Ben", *crowd.names]:
                ana.sees(name)
            processes = [ana.process.pid, ben.process.pid, stage.server.pid]
            talk = Talk(bench.long_voice)
            begun = time.monotonic()
            memory, moments, taken = [], [begun], [taken_s()]
            for look in range(1, LOOKS + 1):
                time.sleep(max(0.0, begun + look * every_s - time.monotonic()))
                memory.append([resident_mb(process) for process in processes])
                moments.append(time.monotonic())
                taken.append(taken_s())
            talk.end()
            # The end of the meeting is a change of devices, and not counted.
            told = [(at, event["text"]) for person in (ana, ben) for at, event in list(person.events)
                    if event["event"] == "warning" and at > begun]
            holes = [person.holes() for person in (ana, ben)]
        parts = [(moments[WARM], moments[WARM + PART]), (moments[-1 - PART], moments[-1])]
        # Only whole clients hear by devices what others say by devices.
        pair = [(ana, "Ben"), (ben, "Ana")]
        late = [statistics.median(latencies(pair, *part)) for part in parts]
        hidden = [statistics.mean(concealed(person.media(name, *part)) for person, name in pair) for part in parts]
        unheard = sum(
            person.media(name, begun)[-1][1]["audio"][count]
            for person, whole in pair for name in [whole, *crowd.names] for count in ("failed", "forged"))
    first, last = memory[WARM:WARM + PART], memory[-PART:]
    growth = [100 * (median_of(last, at) / median_of(first, at) - 1) for at in range(len(processes))]
    for at, text in sorted(told):
        print(f"  told after {(at - begun) / 60:.1f} min: {text}")
    show_memory(("Ana", "Ben", "server"), memory)
    explain((ana, ben), moments, taken, bench.witness)
    anas, bens, servers = growth
    drift = late[1] - late[0]
    unmixed = sum(one["unmixed_ms"] for one in holes)
    return [
        ("length", bench.minutes, "min", "", None),
        ("memory of a client that decodes and saves three", last[-1][0], "MB", "", None),
        ("growth of it", anas, "%", f"<= {MOST_GROWTH}", anas <= MOST_GROWTH),
        ("memory of a client that shows nobody", last[-1][1], "MB", "", None),
        ("growth of it", bens, "%", f"<= {MOST_GROWTH}", bens <= MOST_GROWTH),
        ("memory of the server", last[-1][2], "MB", "", None),
        ("growth of it", servers, "%", f"<= {MOST_GROWTH}", servers <= MOST_GROWTH),
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


def show_memory(names, memory):
    """What grows step by step is told from what grows on and on."""
    for at, name in enumerate(names):
        sixths = [median_of(memory[start:start + PART], at) for start in range(0, LOOKS, PART)]
        print(f"  memory of {name} by sixths: {', '.join(f'{mb:.0f}' for mb in sixths)} MB")


def explain(people, moments, taken, witness):
    """Says between which looks too little was mixed, and what became of the machine meanwhile."""
    for since, until, before, after in zip(moments, moments[1:], taken, taken[1:]):
        unmixed = sum(person.unmixed_ms(since, until) for person in people)
        if unmixed:
            stills = witness.stood_still_s(since, until)
            share = 100 * (after - before) / (until - since) / os.cpu_count()
            stood = f"{1000 * sum(stills):.0f} ms" if stills is not None else "nobody knows how long"
            print(f"  {unmixed:.0f} ms were not mixed in time within the {until - since:.0f} s before"
                  f" {(until - moments[0]) / 60:.1f} min; the host took {share:.1f} % then,"
                  f" and a processor stood still for {stood}")


class Talk:
    """A voice that does not stop: one stream, since the sound server may refuse a new one."""

    def __init__(self, voice):
        sound = ffmpeg(voice, "-ac", 1, "-ar", RATE, "-f", "s16le")
        starts = range(0, len(sound), SPOKEN_AT_ONCE)
        self.parts = itertools.cycle([sound[start:start + SPOKEN_AT_ONCE] for start in starts])
        self.ended = threading.Event()
        self.failed = 0
        self.speaking = threading.Thread(target=self._go_on, daemon=True)
        self.speaking.start()

    def _go_on(self):
        while not self.ended.is_set():
            player = subprocess.Popen(
                ["pacat", "--playback", "--device=conclave_voice", f"--rate={RATE}", "--channels=1"],
                stdin=subprocess.PIPE)
            try:
                while not self.ended.is_set():
                    player.stdin.write(next(self.parts))
                player.kill()
            except BrokenPipeError:
                # The sound server ended it: a meeting of silence is no measurement.
                self.failed += 1
                self.ended.wait(1)
            player.wait()

    def end(self):
        self.ended.set()
        self.speaking.join()


def resident_mb(process):
    status = pathlib.Path(f"/proc/{process}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def median_of(looks, at):
    return statistics.median(look[at] for look in looks)


def latencies(pair, since, until):
    """What both told of each other, each second, in milliseconds."""
    return [
        report["audio"]["latency_ms"]["p50"]
        for person, name in pair for _, report in person.media(name, since, until)
        if report["audio"]["latency_ms"]
    ]


ROWS = {"hour": hour}
