"""The compiled implementations, built from ext/ by setuptools and Cython."""
