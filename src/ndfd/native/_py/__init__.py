"""The Python reference implementations: plain, slow, value for value what the compiled ones in `_c` give."""
