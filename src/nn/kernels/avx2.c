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
#define INVERSE_ROOT(v) inverse_root(v)
#define WIDEN(p) \
    _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)(p))))

/* The estimate is good to 12 bits; one step of Newton's method doubles them. */
static inline __m256 inverse_root(__m256 value)
{
    __m256 root = _mm256_rsqrt_ps(value);
    __m256 half =
        _mm256_mul_ps(_mm256_mul_ps(value, root), _mm256_set1_ps(0.5F));
    __m256 rest = _mm256_fnmadd_ps(half, root, _mm256_set1_ps(1.5F));
    return _mm256_mul_ps(root, rest);
}

#include "nn/kernels/vector.inc"
