/* The handler of the signal by which the kernel refuses a system call (seccomp(2), SECCOMP_RET_TRAP).
 *
 * It runs in a process that may be under a document's control, and is trusted with nothing: the call was not made, the
 * process ends whatever the handler does (a second refused call finds no handler), and what it sends is read as a claim.
 */
#define _GNU_SOURCE
#include "violations_impl.h"

#include <errno.h>
#include <string.h>

#if defined(__linux__)

#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* asm-generic/siginfo.h; the C library's headers have it only since glibc 2.31 and not in all others. */
#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

static int vio_channel = -1;
static unsigned char vio_frame[VIO_FRAME_MAX];
static size_t vio_length;

static void refused(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    if (info->si_code == SYS_SECCOMP) {
        uint32_t call = (uint32_t)info->si_syscall;
        unsigned char *number = vio_frame + vio_length - 4;
        struct iovec whole = {.iov_base = vio_frame, .iov_len = vio_length};
        struct msghdr message = {.msg_iov = &whole, .msg_iovlen = 1};
        number[0] = (unsigned char)(call >> 24);
        number[1] = (unsigned char)(call >> 16);
        number[2] = (unsigned char)(call >> 8);
        number[3] = (unsigned char)call;
        /* It does not wait: a supervisor that reads nothing does not keep this process alive. */
        syscall(SYS_sendmsg, vio_channel, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    /* The handler is gone by now (SA_RESETHAND): this call, which no filter of ours allows, ends the process by SIGSYS. */
    syscall(SYS_getppid);
    _exit(128 + SIGSYS);
}

int vio_tell(int channel, const unsigned char *frame, size_t length)
{
    struct sigaction action;
    if (length < 4 || length > VIO_FRAME_MAX)
        return EINVAL;
    memcpy(vio_frame, frame, length);
    vio_length = length;
    vio_channel = channel;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = refused;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_SIGINFO | SA_RESETHAND | SA_NODEFER;
    return sigaction(SIGSYS, &action, NULL) == 0 ? 0 : errno;
}

#else

int vio_tell(int channel, const unsigned char *frame, size_t length)
{
    (void)channel;
    (void)frame;
    (void)length;
    return ENOSYS;
}

#endif
