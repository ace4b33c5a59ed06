"""One exchange's journey. `exchange.py` knows the order of the stages; the other rooms do one of them each."""
