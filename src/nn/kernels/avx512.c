/* SPDX-License-Identifier: Apache-2.0
 *
 * The vector kernels for AVX-512 (F, BW, DQ, VL). Compiled with those
 * instructions allowed; select.c sees to it that it only runs where they are.
 */
#include <immintrin.h>

#define VECTOR_FLOATS 16
#define VECTOR_BLOCK 12
#define VECTOR_NAME "avx512"
#define VECTOR_TABLE nd_kernels_avx512
#define VECTOR_NARROW nd_kernels_avx2
#define WIDEN(p) \
    _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)(p))))

#include "nn/kernels/vector.inc"
