"""Speech into a virtual microphone, over a bad network, out of a virtual loudspeaker.

Ben speaks and shows his picture; Ana listens and watches with the network before her, so that one
way from mouth to ear passes it once. Both sound devices are recorded on one clock (`tape`)."""

import contextlib
import os
import statistics
import subprocess
import sys
import time

import numpy
from pesq import pesq

from client import concealed
from listening import RATE, align, stoi_by_second
from stage import PICTURE, Stage
from tape import Tape, steady

DELAY = "delay=25ms"
SPEAKS_CLEANED = ["--microphone", "default", "--speaker", "null"]
# Cleaning changes a voice by itself, which says nothing of the link.
SPEAKS = [*SPEAKS_CLEANED, "--clean", "none"]
SILENT = ["--microphone", "off", "--camera", "off"]
MOST_DELAY_MS = 180


def listens(bench):
    """Hears by the virtual loudspeaker. A client without a window decodes what it saves."""
    return [*SILENT, "--speaker", "default", "--save", bench.folder]


def say(voice):
    """Speaks a file into the microphone."""
    return subprocess.Popen(["paplay", "--device=conclave_voice", voice])


def quantile(values, share):
    return float(numpy.quantile(values, share))


def quality(heard):
    """PESQ, and STOI second by second."""
    mouth, ear = align(heard.mouth, heard.ear)
    return pesq(RATE, mouth, ear, "wb"), stoi_by_second(heard.mouth, heard.ear)


def listen(bench, down, speaks=SPEAKS):
    """What Ben said and Ana heard over a link with these settings, and what Ana's client told."""
    with Stage(bench.programs, bench.folder, bench.seed) as stage:
        network = stage.network("--both", DELAY, *(["--down", down] if down else []))
        ana = stage.host("Ana", *listens(bench), through=network)
        ben = stage.join("Ben", ana.link(), "--camera", PICTURE, *speaks)
        ana.hears("Ben")
        ana.sees("Ben")
        tape = Tape(bench.folder / "tape.wav")
        since = time.monotonic()
        say(bench.voice).wait()
        time.sleep(1)
        heard = tape.finish().spoken()
        return heard, ana.media("Ben", since)


def latency(bench):
    heard, reports = listen(bench, "", SPEAKS_CLEANED)
    late = [ms for _, ms in heard.delays()]
    p50, p95 = quantile(late, 0.5), quantile(late, 0.95)
    pictures = [report["video"]["latency_ms"]["p50"] for _, report in reports if report["video"]["latency_ms"]]
    picture = statistics.median(pictures)
    sounds = [report["audio"]["latency_ms"]["p50"] for _, report in reports if report["audio"]["latency_ms"]]
    lead = statistics.median(sounds) - picture
    return [
        ("mouth to ear, p50", p50, "ms", "<= 110", p50 <= 110),
        ("mouth to ear, p95", p95, "ms", "<= 150", p95 <= 150),
        ("camera to decoded picture, p50", picture, "ms", "<= 100", picture <= 100),
        ("picture before its sound, p50", lead, "ms", "-45 to 45", abs(lead) <= 45),
    ]


def over(down, least_pesq, least_stoi=None, most_gap_ms=None):
    """A row: speech over a downlink with these settings."""
    def row(bench):
        with steady():
            heard, reports = listen(bench, down)
        score, stoi = quality(heard)
        late = [ms for _, ms in heard.delays()]
        p50, p95 = quantile(late, 0.5), quantile(late, 0.95)
        rows = [
            ("PESQ wide-band", score, "", f">= {least_pesq}", score >= least_pesq),
            ("STOI by second", stoi, "", f">= {least_stoi}" if least_stoi else "",
             stoi >= least_stoi if least_stoi else None),
            ("mouth to ear, p50", p50, "ms", "", None),
            ("mouth to ear, p95", p95, "ms", f"<= {MOST_DELAY_MS}", p95 <= MOST_DELAY_MS),
            ("concealed", concealed(reports), "%", "", None),
        ]
        if most_gap_ms:
            gap = 1000 * heard.longest_silence(p50, heard.gain(p50))
            rows.append(("longest dropout", gap, "ms", f"<= {most_gap_ms}", gap <= most_gap_ms))
        return rows
    return row


@contextlib.contextmanager
def crowded():
    """Four programs that never pause on each processor, as when something is compiled."""
    spin = [sys.executable, "-c", "while True: pass"]
    busy = [subprocess.Popen(spin) for _ in range(4 * os.cpu_count())]
    try:
        yield
    finally:
        for program in busy:
            program.kill()
            program.wait()


def busy(bench):
    with crowded():
        return over("", 3.8, 0.97)(bench)


ROWS = {
    "latency": latency,
    "loss-0": over("", 4.2, 0.97),
    "busy": busy,
    "loss-1": over("loss=1%", 4.1, 0.97),
    "loss-5": over("loss=5%", 4.05, 0.97),
    "loss-10": over("loss=10%", 4.0, 0.97),
    "loss-20": over("loss=20%", 3.7, 0.97),
    "loss-30": over("loss=30%", 2.8, 0.93),
    "bursts": over("burst-every=2s/100ms", 3.2, most_gap_ms=200),
    "jitter": over("delay=45ms,jitter=40ms", 4.2, most_gap_ms=200),
}
