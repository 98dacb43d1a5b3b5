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
#define INVERSE_ROOT(v) inverse_root(v)
#define WIDEN(p) \
    _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)(p))))

/* The estimate is good to 14 bits; one step of Newton's method doubles them. */
static inline __m512 inverse_root(__m512 value)
{
    __m512 root = _mm512_rsqrt14_ps(value);
    __m512 half =
        _mm512_mul_ps(_mm512_mul_ps(value, root), _mm512_set1_ps(0.5F));
    __m512 rest = _mm512_fnmadd_ps(half, root, _mm512_set1_ps(1.5F));
    return _mm512_mul_ps(root, rest);
}

#include "nn/kernels/vector.inc"
