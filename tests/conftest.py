"""Makes `support` importable for every suite below this directory."""

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in a shell's background; the programs that tests start are to end at Ctrl-C all the same.
    signal.signal(signal.SIGINT, signal.default_int_handler)
