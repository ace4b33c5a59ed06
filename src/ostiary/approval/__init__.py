"""Must somebody agree? The asking as a table, and what exactly is agreed to."""
