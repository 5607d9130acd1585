"""Mouth and ear on one clock: what goes into the virtual microphone and comes out of the virtual
loudspeaker (`tests/with-virtual-sound`), recorded as the two channels of one file."""

import contextlib
import signal
import subprocess
import time

import numpy
from scipy.signal import correlate

from listening import RATE, ffmpeg

WINDOW = RATE  # a second of speech tells how late it comes
LATEST_S = 1.0
LOUD = 0.02  # a step of 20 ms with speech in it

# Blocks of the sound system in frames, when its own holes must not count: on a machine that shares
# its processors, blocks of 256 (5 ms, what a client asks for) are lost a few times a minute, in the
# microphone, in the loudspeaker and on the tape alike. 512 adds 10 to 20 ms between mouth and ear.
STEADY = 512


@contextlib.contextmanager
def steady():
    """The sound system in blocks that this machine does not lose."""
    force = ["pw-metadata", "-n", "settings", "0", "clock.force-quantum"]
    subprocess.run([*force, str(STEADY)], check=True, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        subprocess.run([*force, "0"], check=True, stdout=subprocess.DEVNULL)


class Tape:
    def __init__(self, path):
        self.path = path
        self.process = subprocess.Popen(
            ["pw-record", "--channels", "2", "--rate", "48000", "--format", "s16",
             "-P", "{ node.name = conclave_tape, node.autoconnect = false }", path])
        for source, side in [("conclave_voice", "FL"), ("conclave_speaker", "FR")]:
            link = ["pw-link", f"{source}:monitor_FL", f"conclave_tape:input_{side}"]
            for _ in range(50):
                if subprocess.run(link, capture_output=True).returncode == 0:
                    break
                time.sleep(0.1)
            else:
                raise SystemExit(f"bench: {source} cannot be recorded: run it by ./dev bench media")
        # The tape has begun by now; where, its own sound tells.
        self.begun = time.monotonic()

    def finish(self):
        """Mouth and ear, and the moment at which the tape ended."""
        self.process.send_signal(signal.SIGINT)
        ended = time.monotonic()
        self.process.wait(timeout=10)
        raw = ffmpeg(self.path, "-ar", RATE, "-f", "f32le")
        both = numpy.frombuffer(raw, dtype="<f4").astype(float).reshape(-1, 2)
        return Listened(both[:, 0], both[:, 1], ended - len(both) / RATE)


class Listened:
    """Mouth and ear from the moment `start` on."""

    def __init__(self, mouth, ear, start):
        self.mouth, self.ear, self.start = mouth, ear, start

    def part(self, since, until):
        """What was said between two moments, and what was heard in the same time and a bit."""
        first = max(0, int((since - self.start) * RATE))
        last = int((until - self.start) * RATE)
        return Listened(self.mouth[first:last], self.ear[first:last], self.start + first / RATE)

    def spoken(self):
        """From the first word to the last."""
        loud = numpy.flatnonzero(numpy.abs(self.mouth) > 0.01)
        if len(loud) == 0:
            raise SystemExit("bench: nothing was said")
        last = min(loud[-1] + RATE, len(self.ear))
        return Listened(self.mouth[loud[0]:last], self.ear[loud[0]:last], self.start + loud[0] / RATE)

    def delays(self):
        """For each half second of speech: when it was said, and how much later it was heard, ms.
        What cannot be found again counts as the latest."""
        found = []
        reach = int(LATEST_S * RATE)
        for at in range(0, len(self.mouth) - WINDOW - reach, WINDOW // 2):
            said = self.mouth[at:at + WINDOW]
            if numpy.sqrt(numpy.mean(said**2)) < 5e-3:
                continue
            around = self.ear[at:at + WINDOW + reach]
            likeness = correlate(around, said, "valid")
            best = int(numpy.argmax(likeness))
            heard = around[best:best + WINDOW]
            norm = numpy.sqrt(numpy.sum(said**2) * numpy.sum(heard**2))
            late = 1000 * best / RATE if norm > 0 and likeness[best] > 0.3 * norm else 1000 * LATEST_S
            found.append((self.start + at / RATE, late))
        return found

    def gain(self, delay_ms):
        """How much louder the ear is than the mouth, where most of what was said is heard."""
        mouth, ear = self._powers(delay_ms)
        loud = mouth > LOUD
        return float(numpy.median(ear[loud] / mouth[loud]))

    def _powers(self, delay_ms, frame=RATE // 50):
        shift = int(delay_ms * RATE / 1000)
        count = min(len(self.mouth), len(self.ear) - shift) // frame
        sounds = self.mouth[:count * frame], self.ear[shift:shift + count * frame]
        return [numpy.sqrt(numpy.mean(sound.reshape(count, frame)**2, axis=1)) for sound in sounds]

    def longest_silence(self, delay_ms, gain):
        """The longest time for which what was said did not come out, in s: from its first word
        to its last, with `delay_ms` and `gain` between mouth and ear."""
        mouth, ear = self._powers(delay_ms)
        loud = mouth > LOUD
        # A syllable's end may come a frame early or late: the neighbours count as well.
        near = numpy.max([numpy.roll(ear, by) for by in (-2, -1, 0, 1, 2)], axis=0)
        lost = near < 0.1 * gain * mouth
        longest, first = 0, None
        for at in numpy.flatnonzero(loud):
            if not lost[at]:
                first = None
                continue
            first = at if first is None else first
            longest = max(longest, at + 1 - first)
        return longest / 50
