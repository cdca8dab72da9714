/* The loader of OpenCL drivers as far as ndfd calls it (cl.h): one platform with a device, one without, or none. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static int with_device, without_device, device;

int clGetPlatformIDs(uint32_t room, void **platforms, uint32_t *count) {
#ifdef NO_PLATFORMS
    return -1001;
#endif
    if (count)
        *count = 2;
    if (platforms && room == 2) {
        platforms[0] = &without_device;
        platforms[1] = &with_device;
    }
    return 0;
}

int clGetDeviceIDs(void *platform, uint64_t kind, uint32_t room, void **devices, uint32_t *count) {
    if (kind != (1 << 2 | 1 << 3))
        return -31;
    if (platform == &without_device)
        return -1;
    if (platform != &with_device)
        return -32;
    if (count)
        *count = 1;
    if (devices && room == 1)
        devices[0] = &device;
    return 0;
}

int clGetDeviceInfo(void *asked, uint32_t what, size_t room, void *value, size_t *size) {
    uint64_t memory = 4ULL << 30;
    if (asked != &device)
        return -33;
    switch (what) {
    case 0x102B:
        return room < 16 ? -30 : (strcpy(value, "Fake Accelerator"), 0);
    case 0x102D:
        return room < 16 ? -30 : (strcpy(value, "23.43.027642"), 0);
    case 0x101F:
        return room != sizeof memory ? -30 : (memcpy(value, &memory, sizeof memory), 0);
    default:
        return -30;
    }
}
