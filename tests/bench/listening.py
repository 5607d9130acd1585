"""What the benches share: speech, and how well what was heard matches it."""

import pathlib
import subprocess

import numpy
from pesq import pesq
from pystoi import stoi
from scipy.signal import correlate

RATE = 16_000  # what PESQ wide-band takes
TEXT = """The committee met on Tuesday, behind a closed door. First, the treasurer read the figures
of the last quarter, twice. Then a question came from the back of the room: who else can hear us?
Nobody, said the chair, for the key is with the people here, and with no one besides. They voted
by a show of hands, thanked the treasurer, and went home in the rain, quite content."""


def speak(path: pathlib.Path):
    """Makes 22 seconds of speech."""
    subprocess.run(["espeak-ng", "-v", "en-gb", "-s", "160", "-w", path, TEXT], check=True)


def repeat(path: pathlib.Path, copies, into: pathlib.Path):
    """Makes a sound of so many copies of one."""
    into.write_bytes(ffmpeg(path, "-af", f"aloop=loop={copies - 1}:size=2e9", "-f", "wav"))


def ffmpeg(path, *arguments):
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", path, *arguments, "-"]
    return subprocess.run(list(map(str, command)), check=True, capture_output=True).stdout


def read_sound(path):
    raw = ffmpeg(path, "-ac", 1, "-ar", RATE, "-f", "f32le")
    return numpy.frombuffer(raw, dtype="<f4").astype(float)


def align(source, heard):
    """The parts that both have in common, by the one lag at which they are most alike."""
    lag = int(numpy.argmax(correlate(heard, source, "full"))) - (len(source) - 1)
    start = max(lag, 0)
    end = min(len(heard), len(source) + lag)
    return source[start - lag:end - lag], heard[start:end]


def measure_sound(source, heard):
    """PESQ and STOI over what both have in common, and how many seconds that is."""
    source, heard = align(source, heard)
    return pesq(RATE, source, heard, "wb"), stoi(source, heard, RATE), len(source) / RATE


def stoi_by_second(source, heard, reach=RATE // 5):
    """Mean STOI of each second, aligned by itself: time stretching moves what is heard."""
    source, heard = align(source, heard)
    scores = []
    for start in range(reach, len(source) - RATE - reach, RATE):
        said = source[start:start + RATE]
        if numpy.sqrt(numpy.mean(said**2)) < 1e-3:
            continue  # a pause has no words
        around = heard[start - reach:start + RATE + reach]
        lag = int(numpy.argmax(correlate(around, said, "valid")))
        scores.append(stoi(said, around[lag:lag + RATE], RATE))
    return float(numpy.mean(scores))
