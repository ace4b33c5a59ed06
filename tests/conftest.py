"""Makes `support` importable for every suite below this directory."""

import signal

for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        # Started in a shell's background; the programs that tests start are to end at Ctrl-C all the same.
        signal.signal(number, handler)
