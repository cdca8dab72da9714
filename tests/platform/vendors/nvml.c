/* NVML as far as ndfd calls it: 2 devices, and by -D whatever a library may do wrong.
 *
 * The signatures are those of nvml.h; the soname is the one that NVIDIA's driver installs.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct { unsigned long long total, free, used; } nvmlMemory_t;
typedef struct { int number; } *nvmlDevice_t;

static int initialised;
static int devices[2] = { 0, 1 };

#ifndef DEVICES
#define DEVICES 2
#endif
#ifndef INIT_STATUS
#define INIT_STATUS 0
#endif
#ifndef MEMORY_STATUS
#define MEMORY_STATUS 0
#endif
#ifndef NAME
#define NAME "Fake GPU %d"
#endif

__attribute__((unused)) static void hang(void) {
    /* As a driver that waits for a device: not to be talked out of it by polite signals. */
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    for (;;)
        pause();
}

#ifdef HANGS_WHEN_LOADED
__attribute__((constructor)) static void loaded(void) { hang(); }
#endif
#ifdef HANGS_WHEN_UNLOADED
__attribute__((destructor)) static void unloaded(void) { hang(); }
#endif
#ifdef NEEDS_ANOTHER
extern int ndfd_another(void);
int nvmlAnother(void) { return ndfd_another(); }
#endif

int nvmlInit_v2(void) {
#ifdef PRINTS
    printf("{\"backend\": \"cuda\", \"state\": \"empty\"}\n");
    fflush(stdout);
    fprintf(stderr, "warning: this library talks too much\n");
#endif
#ifdef HANGS
    hang();
#endif
#ifdef CRASHES
    *(volatile int *)8 = 1;
#endif
#ifdef EXITS
    exit(3);
#endif
    initialised = INIT_STATUS == 0;
    return INIT_STATUS;
}

int nvmlShutdown(void) {
    initialised = 0;
    return 0;
}

const char *nvmlErrorString(int status) { return status == 1 ? "Uninitialized" : "Unknown Error"; }

int nvmlSystemGetDriverVersion(char *version, unsigned int length) {
    if (!initialised)
        return 1;
    if (length < sizeof "550.54.15")
        return 7;
    strcpy(version, "550.54.15");
    return 0;
}

#ifndef LACKS_COUNT
int nvmlDeviceGetCount_v2(unsigned int *count) {
    if (!initialised)
        return 1;
    *count = DEVICES;
    return 0;
}
#endif

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device) {
    if (index >= 2)
        return 2;
    *device = (nvmlDevice_t)&devices[index];
    return 0;
}

int nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned int length) {
    if (device != (nvmlDevice_t)&devices[0] && device != (nvmlDevice_t)&devices[1])
        return 2;
#ifdef NAME_WITHOUT_END
    memset(name, 'x', length);
#else
    snprintf(name, length, NAME, device->number);
#endif
    return 0;
}

int nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory) {
    memory->total = (80ULL + (unsigned)device->number) << 30;
    memory->free = memory->used = memory->total / 2;
    return MEMORY_STATUS;
}
