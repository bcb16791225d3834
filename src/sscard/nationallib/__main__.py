"""`python -m sscard.nationallib`: the process behind the C library, its socket as standard input.

Started by the library; nobody calls it by hand.
"""

import os
import signal
import socket

from sscard.nationallib.serve import Calls, serve

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program that uses the library
    with socket.socket(fileno=0) as line, Calls(os.environ) as calls:
        serve(line, calls)
