"""How much masking finds and how often it is wrong, on data that others wrote, beside two other tools."""
