/* Says which system call ended the process: see violations_impl.c. */
#ifndef NDFD_VIOLATIONS_IMPL_H
#define NDFD_VIOLATIONS_IMPL_H

#include <stddef.h>

/* Room for a frame. */
#define VIO_FRAME_MAX 64

/* From now on the first system call that a filter refuses with SECCOMP_RET_TRAP sends `frame` on the socket `channel`, with
 * the number of the call in its last four bytes (big-endian), and the process ends by SIGSYS. The frame is copied.
 * Returns 0, or the number of an error: ENOSYS where there are no such filters. */
int vio_tell(int channel, const unsigned char *frame, size_t length);

#endif
