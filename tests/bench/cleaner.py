"""The cleaning of a microphone's sound, in virtual time: `crates/media/benches/echo.rs`."""

import subprocess
import wave

import numpy
from scipy.signal import resample_poly

from listening import RATE

DEVICE_RATE = 48_000


class Cleaner:
    def __init__(self, program, folder):
        """Keeps in `folder` what was played, heard and sent."""
        self.program, self.folder = program, folder

    def clean(self, name, played, heard, delay_ms=0):
        """What is sent of `heard` while `played` comes from the loudspeaker, all of the devices' rate.
        `delay_ms` is what the devices say about the time from playing to hearing."""
        paths = [self.folder / f"{name}-{end}.wav" for end in ("played", "heard", "sent")]
        for path, sound in zip(paths, (played, heard)):
            write(path, sound)
        command = [self.program, "--played", paths[0], "--heard", paths[1], "--out", paths[2]]
        subprocess.run(list(map(str, [*command, "--delay", delay_ms])), check=True)
        return read(paths[2])


def read(path):
    """Any mono WAV of 16 bits, at the devices' rate."""
    with wave.open(str(path)) as file:
        samples = numpy.frombuffer(file.readframes(file.getnframes()), dtype="<i2") / 32768
        return resample_poly(samples, DEVICE_RATE, file.getframerate())


def low(sound):
    """At the rate of listeners."""
    return resample_poly(sound, RATE, DEVICE_RATE)


def write(path, sound):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(DEVICE_RATE)
        file.writeframes((numpy.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
