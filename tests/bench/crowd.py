"""People who are played by one process (crates/client/examples/crowd)."""

import subprocess
import sys

from stage import FILM


class Crowd:
    """So many; muted and without pictures, or with a voice that all speak and a film that all show. It
    ends with the `with` that opened it."""

    def __init__(self, programs, link, count, voice=None):
        role, plays = ("Speaker", [FILM, voice]) if voice else ("Audience", [])
        self.names = [f"{role} {number}" for number in range(count)]
        self.process = subprocess.Popen([programs / "examples" / "crowd", link, str(count), *plays],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def is_in(self):
        if not self.process.stdout.readline():
            sys.exit("bench: the audience did not come in")

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
