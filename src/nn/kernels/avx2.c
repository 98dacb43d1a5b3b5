/* SPDX-License-Identifier: Apache-2.0
 *
 * The vector kernels for AVX2 with FMA. Compiled with those instructions
 * allowed; select.c sees to it that it only runs where they are.
 */
#include <immintrin.h>

#define VECTOR_FLOATS 8
#define VECTOR_BLOCK 8
#define VECTOR_NAME "avx2"
#define VECTOR_TABLE nd_kernels_avx2
#define WIDEN(p) \
    _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)(p))))

#include "nn/kernels/vector.inc"
