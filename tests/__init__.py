"""The tests of ndfd: one folder for each package of src/ndfd, and `documents`, which makes the PDFs they need."""
