/* protocol.h - what libkdsl-codegen and kdsl-spirv say to each other: a header and n_bytes after it, there and back. */
#ifndef KD_TARGETS_SPIRV_PROTOCOL_H
#define KD_TARGETS_SPIRV_PROTOCOL_H

#include <stdint.h>

enum kd_translate_flags {
    KD_TRANSLATE_VALIDATE = 1 << 0, /* by SPIR-V's own validator */
    KD_TRANSLATE_TEXT = 1 << 1,     /* SPIR-V assembly */
};

typedef struct kd_translate_message {
    uint32_t magic; /* KD_TRANSLATE_MAGIC */
    uint32_t what;  /* there: kd_translate_flags; back: 0 SPIR-V follows, 1 the text of an error */
    uint64_t n_bytes;
} kd_translate_message;

#define KD_TRANSLATE_MAGIC 0x6b645350u

#endif
