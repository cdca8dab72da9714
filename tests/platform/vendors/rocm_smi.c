/* ROCm SMI as far as ndfd calls it (rocm_smi.h): one device, or a status other than success. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#ifndef INIT_STATUS
#define INIT_STATUS 0
#endif

int rsmi_init(uint64_t flags) { return flags == 0 ? INIT_STATUS : 1; }
int rsmi_shut_down(void) { return 0; }

int rsmi_num_monitor_devices(uint32_t *count) {
    *count = 1;
    return 0;
}

int rsmi_version_str_get(int component, char *version, uint32_t length) {
    if (component != 0)
        return 1;
    snprintf(version, length, "6.12.12");
    return 0;
}

int rsmi_dev_name_get(uint32_t device, char *name, size_t length) {
    if (device != 0)
        return 1;
    snprintf(name, length, "Fake Instinct");
    return 0;
}

int rsmi_dev_memory_total_get(uint32_t device, int kind, uint64_t *total) {
    if (device != 0 || kind != 0)
        return 1;
    *total = 192ULL << 30;
    return 0;
}
