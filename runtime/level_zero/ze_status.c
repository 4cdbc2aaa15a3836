/* ze_status.c - the asserts of launches: each launch of a kernel that has some writes to a kd_gpu_status of its own in memory that the host
 * sees, and whoever waits for the launch reads it. */
#include "runtime/level_zero/ze_impl.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_OF_BLOCK = 64 };

struct ze_slots {
    ze_slots *next;
    kd_gpu_status *memory; /* SLOTS_OF_BLOCK of them */
    uint64_t used;
};

/* Under the device's lock, like everything here. */
static kd_status take_slot(ze_device *device, kd_gpu_status **out_status)
{
    ze_slots *slots = device->slots;
    while (slots && slots->used == UINT64_MAX)
        slots = slots->next;
    if (!slots) {
        if (!(slots = calloc(1, sizeof *slots)))
            return kd_fail(kd_device_why(&device->base), KD_ERR_MEMORY, "no memory for a launch");
        ze_host_mem_alloc_desc_t desc = {.stype = ZE_STRUCTURE_TYPE_HOST_MEM_ALLOC_DESC};
        void *memory = NULL;
        ze_result_t result = device->ze.zeMemAllocHost(device->context, &desc, SLOTS_OF_BLOCK * sizeof *slots->memory, 64, &memory);
        if (result) {
            free(slots);
            return ZE_FAIL(device, result, "no memory for the asserts of a launch");
        }
        slots->memory = memory;
        slots->next = device->slots;
        device->slots = slots;
    }
    unsigned index = (unsigned)__builtin_ctzll(~slots->used);
    slots->used |= 1ull << index;
    *out_status = &slots->memory[index];
    memset(*out_status, 0, sizeof **out_status);
    return KD_OK;
}

static void give_slot(ze_device *device, const kd_gpu_status *status)
{
    for (ze_slots *slots = device->slots; slots; slots = slots->next)
        if (status >= slots->memory && status < slots->memory + SLOTS_OF_BLOCK)
            slots->used &= ~(1ull << (status - slots->memory));
}

kd_status ze_record_begin(ze_queue *queue, ze_kernel *kernel, ze_event *event, ze_record **out_record)
{
    ze_device *device = ze_device_of(queue->base.device);
    ze_record *record = calloc(1, sizeof *record);
    if (!record)
        return kd_fail(kd_device_why(&device->base), KD_ERR_MEMORY, "no memory for a launch");
    *record = (ze_record){.queue = queue, .kernel = kernel, .event = event};
    pthread_mutex_lock(&device->lock);
    kd_status status = take_slot(device, &record->status);
    if (!status) {
        record->next = device->records;
        device->records = record;
    }
    pthread_mutex_unlock(&device->lock);
    if (status)
        free(record);
    else
        *out_record = record;
    return status;
}

static void read_status(const ze_record *record)
{
    const kd_gpu_status *s = record->status;
    const kd_kernel_desc *desc = record->kernel->base.desc;
    if (!s->failed)
        return;
    kd_failure why;
    kd_fail(&why, KD_ERR_ASSERT, "an assertion failed in kernel '%s', program (%u, %u, %u): %s", desc->name, s->program_id[0],
            s->program_id[1], s->program_id[2], s->failed <= desc->n_messages ? desc->messages[s->failed - 1] : "an unknown one");
    if (record->event) {
        record->event->failed = true;
        record->event->why = why;
    }
    if (!record->queue->failed)
        record->queue->why = why;
    record->queue->failed = true;
}

static void end(ze_device *device, ze_record **at)
{
    ze_record *record = *at;
    *at = record->next;
    give_slot(device, record->status);
    free(record);
}

void ze_record_cancel(ze_device *device, ze_record *record)
{
    pthread_mutex_lock(&device->lock);
    for (ze_record **at = &device->records; *at; at = &(*at)->next)
        if (*at == record) {
            end(device, at);
            break;
        }
    pthread_mutex_unlock(&device->lock);
}

void ze_records_read(ze_device *device, const ze_queue *queue, const ze_kernel *kernel, const ze_event *event)
{
    pthread_mutex_lock(&device->lock);
    for (ze_record **at = &device->records; *at;) {
        ze_record *record = *at;
        if (record->queue == queue || record->kernel == kernel || (event && record->event == event)) {
            read_status(record);
            end(device, at);
        } else {
            at = &record->next;
        }
    }
    pthread_mutex_unlock(&device->lock);
}

void ze_records_forget_event(ze_device *device, const ze_event *event)
{
    pthread_mutex_lock(&device->lock);
    for (ze_record *record = device->records; record; record = record->next)
        if (record->event == event)
            record->event = NULL;
    pthread_mutex_unlock(&device->lock);
}

void ze_records_release(ze_device *device)
{
    while (device->records)
        end(device, &device->records);
    while (device->slots) {
        ze_slots *slots = device->slots;
        device->slots = slots->next;
        device->ze.zeMemFree(device->context, slots->memory);
        free(slots);
    }
}
