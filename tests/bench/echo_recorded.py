"""What cleaning makes of two who spoke at once in a real room: `./dev bench media-echo --recordings FOLDER`.

FOLDER holds pairs of recordings, NAME_lpb.wav of what a loudspeaker played and NAME_mic.wav of what the
microphone beside it heard, as in the test sets of Microsoft's AEC Challenge. Nobody has the near voice
without the echo, so nothing can be held against it. Instead AECMOS, a model that learnt from what people
said of such recordings, tells what they would say of these, from 1 (bad) to 5: of the echo, and of whatever
else was done to the voice.
"""

import numpy
from speechmos import aecmos

from cleaner import DEVICE_RATE, low, read
from listening import RATE

# Of longer recordings the first 15 s and half of the rest are for learning the room, as the challenge has it.
LONG_S, LEARNING_S = 20, 15


def judge(folder, cleaner):
    """Prints what is thought of each pair, as it was heard and cleaned."""
    names = sorted(played.name.removesuffix("_lpb.wav") for played in folder.glob("*_lpb.wav"))
    missing = [heard for name in names for heard in [f"{name}_mic.wav"] if not (folder / heard).exists()]
    if missing or not names:
        raise SystemExit(f"media-echo: {folder} lacks {', '.join(missing) or 'NAME_lpb.wav, NAME_mic.wav'}")
    print(f"{'':45}{'echo':>6}{'cleaned':>9}{'voice':>8}{'cleaned':>9}")
    thoughts = []
    for name in names:
        played, heard = (read(folder / f"{name}_{end}.wav") for end in ("lpb", "mic"))
        before = opinion(played, heard, heard)
        after = opinion(played, heard, cleaner.clean(name, played, heard))
        thoughts.append((before[0], after[0], before[1], after[1]))
        tell(name, thoughts[-1])
    tell(f"mean of {len(thoughts)}", numpy.mean(thoughts, axis=0))


def opinion(played, heard, sent):
    """Of the echo in `sent`, and of what else was done to the voice."""
    length = min(map(len, (played, heard, sent)))
    rated = slice(length - rated_samples(length), length)
    clips = [numpy.clip(low(sound[rated]), -1, 1) for sound in (played, heard, sent)]
    told = aecmos.run(dict(zip(("lpb", "mic", "enh"), clips)), sr=RATE, talk_type="dt")
    return told["echo_mos"], told["deg_mos"]


def rated_samples(length):
    if length <= LONG_S * DEVICE_RATE:
        return length
    return (length - LEARNING_S * DEVICE_RATE) // 2


def tell(name, thoughts):
    echo, echo_cleaned, voice, voice_cleaned = thoughts
    print(f"{name:45}{echo:6.2f}{echo_cleaned:9.2f}{voice:8.2f}{voice_cleaned:9.2f}", flush=True)
