# cython: language_level=3
"""Names the system call that ends this process: see violations_impl.h and native/_c/violations.pyi."""

cdef extern from "violations_impl.h":
    int vio_tell(int channel, const unsigned char *frame, size_t length) nogil


def tell(int channel, bytes frame):
    """See the stub."""
    cdef const unsigned char *data = frame
    return vio_tell(channel, data, len(frame)) == 0
