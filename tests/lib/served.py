"""`sscard serve` as a process, for tests: up when it has said where its cards are."""

import json
import signal
import subprocess
import sys

PROGRAM = (sys.executable, "-m", "sscard")


class Served:
    """A running `sscard serve`; `facts` is what it said. With `stdin` it can be written to."""

    def __init__(self, *arguments, stdin=None):
        self.process = subprocess.Popen(
            (*PROGRAM, "serve", *map(str, arguments), "--json"),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        self.facts = json.loads(line) if line else {}

    def finish(self):
        """Wait for its end; return exit code, what else it wrote, and its errors."""
        output, errors = self.process.communicate(timeout=20)
        return self.process.returncode, output, errors

    def end(self, number=signal.SIGTERM):
        """Send a signal and wait, as `finish`."""
        self.process.send_signal(number)
        return self.finish()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()  # killed, it would leave its pcscd's folder behind
        try:
            self.process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
