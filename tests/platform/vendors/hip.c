/* HIP's runtime as far as ndfd calls it (hip_runtime_api.h): -DDEVICES of them. */
#include <stdio.h>
#include <string.h>

int hipGetDeviceCount(int *count) {
    *count = DEVICES;
    return DEVICES ? 0 : 100;
}

int hipDriverGetVersion(int *version) {
    *version = 60342134;
    return 0;
}

int hipDeviceGetName(char *name, int length, int device) {
    snprintf(name, (size_t)length, "Fake Radeon %d", device);
    return 0;
}

int hipDeviceTotalMem(size_t *bytes, int device) {
    *bytes = (size_t)(16 + device) << 30;
    return 0;
}
