/* SPDX-License-Identifier: Apache-2.0
 *
 * The vector kernels for NEON, which every 64-bit ARM processor has.
 */
#include <arm_neon.h>

#define VECTOR_FLOATS 4
#define VECTOR_BLOCK 12
#define VECTOR_NAME "neon"
#define VECTOR_TABLE nd_kernels_neon
#define WIDEN(p) widen(p)

static inline float32x4_t widen(const uint8_t *numbers)
{
    int32_t packed;
    __builtin_memcpy(&packed, numbers, sizeof(packed));
    int8x8_t bytes = vreinterpret_s8_s32(vdup_n_s32(packed));
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(bytes))));
}

#include "nn/kernels/vector.inc"
