/* Window attention on a CPU: softmax(q k^T scale + bias) v of every group and head.

   q, k and v are read where the projection left them, rows of (3, heads, 32) values, so nothing is
   permuted or copied out. A few query rows at a time go through all three steps while their scores
   are in the nearest cache. The sums and the softmax are float32 in both precisions.

   Layout: qkv (groups * n, 3, heads, 32), out (groups * n, heads, 32), bias (heads, n, padded)
   float32, where `padded` is n rounded up to 16 and the bias after column n is -inf, which
   takes the padding out of the sum. `scale` and bias carry a factor of log2 e: powers are of two.
   Each function returns 0, or 1 without memory. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <immintrin.h>

/* LANES float32 fit in a register. ROWS queries go at a time, with two registers of keys or values:
   so many sums keep a core's multipliers busy and leave registers for the rest. */
#if defined(__AVX512F__)
#define LANES 16
#define ROWS 8
#elif defined(__AVX2__) && defined(__FMA__)
#define LANES 8
#define ROWS 5
#else
#error "written for AVX2 and AVX-512"
#endif

#define HEAD 32 /* values per head: that of every published Swin */
#define INLINE static inline __attribute__((always_inline))

typedef float vec __attribute__((vector_size(LANES * 4)));
typedef float loose __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef uint16_t half; /* bfloat16 */

INLINE vec load(const float *p) { return *(const loose *)p; }
INLINE void store(float *p, vec v) { *(loose *)p = v; }

#ifdef __AVX512F__
INLINE vec larger(vec a, vec b) { return _mm512_max_ps(a, b); }
INLINE vec bounded(vec x) { return x; }
INLINE vec nearest_whole(vec x) { return _mm512_roundscale_ps(x, 0); }
INLINE vec times_power_of_two(vec y, vec whole) { return _mm512_scalef_ps(y, whole); }
INLINE float sum_of(vec v) { return _mm512_reduce_add_ps(v); }
INLINE float largest_of(vec v) { return _mm512_reduce_max_ps(v); }
#else
INLINE vec larger(vec a, vec b) { return _mm256_max_ps(a, b); }
INLINE vec bounded(vec x) { return larger(x, (vec){0} - 126.0f); } /* the exponent has 8 bits */
INLINE vec nearest_whole(vec x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT); }
INLINE vec times_power_of_two(vec y, vec whole) {
    __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(whole), _mm256_set1_epi32(127));
    return y * (vec)_mm256_slli_epi32(exponent, 23);
}
INLINE float sum_of(vec v) {
    float sum = v[0];
    for (int i = 1; i < LANES; i++) sum += v[i];
    return sum;
}
INLINE float largest_of(vec v) {
    float most = v[0];
    for (int i = 1; i < LANES; i++) most = v[i] > most ? v[i] : most;
    return most;
}
#endif

/* 2^x for x <= 0, by `terms` of the series of 2^f, |f| <= 1/2: five leave 4e-5, seven 1e-7. */
INLINE vec power_of_two(vec x, const int terms) {
    static const float series[] = {1.0f,           0.693147182f,   0.240226507f,  0.0555041087f,
                                   9.61812911e-3f, 1.33335581e-3f, 1.54035304e-4f};
    x = bounded(x);
    vec whole = nearest_whole(x), f = x - whole, y = (vec){0} + series[terms - 1];
    for (int i = terms - 2; i >= 0; i--) y = y * f + series[i];
    return times_power_of_two(y, whole);
}

INLINE void put_score(float *scores, const float *bias, vec products, float scale) {
    store(scores, products * scale + load(bias));
}

INLINE float highest(const float *scores, long padded) {
    vec top = load(scores);
    for (long j = LANES; j < padded; j += LANES) top = larger(top, load(scores + j));
    return largest_of(top);
}

/* Row of query r of the block at i; past the end it is the last one again. */
INLINE long row_of(long i, int r, long n) { return i + r < n ? i + r : n - 1; }

/* ROWS queries times `width` vectors of keys; keys (32, padded). */
INLINE void score_f32(const float *const *q, const float *keys, const float *const *bias,
                      float scale, float *scores, long padded, long j, const int width) {
    vec sums[ROWS][2] = {0};
    for (int d = 0; d < HEAD; d++)
        for (int w = 0; w < width; w++) {
            vec key = load(keys + d * padded + j + w * LANES);
            for (int r = 0; r < ROWS; r++) sums[r][w] += q[r][d] * key;
        }
    for (int r = 0; r < ROWS; r++)
        for (int w = 0; w < width; w++)
            put_score(scores + r * padded + j + w * LANES, bias[r] + j + w * LANES, sums[r][w],
                      scale);
}

/* Scores to weights, in place but for their sum, of which the inverse is returned. */
INLINE float weigh_f32(float *scores, long padded) {
    const float most = highest(scores, padded);
    vec sums = {0};
    for (long j = 0; j < padded; j += LANES) {
        vec weight = power_of_two(load(scores + j) - most, 7);
        store(scores + j, weight);
        sums += weight;
    }
    return 1.0f / sum_of(sums);
}

INLINE void mix_f32(const float *weights, const float *values, const float *shares, float **out,
                    long n, long padded) {
    for (int d = 0; d < HEAD; d += 2 * LANES) {
        vec sums[ROWS][2] = {0};
        for (long j = 0; j < n; j++)
            for (int w = 0; w < 2; w++) {
                vec value = load(values + j * HEAD + d + w * LANES);
                for (int r = 0; r < ROWS; r++) sums[r][w] += weights[r * padded + j] * value;
            }
        for (int r = 0; r < ROWS; r++)
            for (int w = 0; w < 2; w++) store(out[r] + d + w * LANES, sums[r][w] * shares[r]);
    }
}

/* One head of one group; `scratch` holds (32 + 32 + ROWS) * padded values. */
static void attend_one_f32(const float *rows, const float *bias, float *out, long n, long padded,
                           long width, float scale, float *scratch) {
    float *keys = scratch, *values = keys + HEAD * padded, *scores = values + HEAD * padded;
    memset(keys, 0, sizeof(float) * HEAD * padded);
    for (long j = 0; j < n; j++) {
        const float *row = rows + j * 3 * width;
        for (int d = 0; d < HEAD; d++) keys[d * padded + j] = row[width + d];
        memcpy(values + j * HEAD, row + 2 * width, sizeof(float) * HEAD);
    }
    for (long i = 0; i < n; i += ROWS) {
        const float *q[ROWS], *near[ROWS];
        float *to[ROWS], shares[ROWS];
        for (int r = 0; r < ROWS; r++) {
            q[r] = rows + row_of(i, r, n) * 3 * width;
            near[r] = bias + row_of(i, r, n) * padded;
            to[r] = out + row_of(i, r, n) * width;
        }
        long j = 0;
        for (; j + 2 * LANES <= padded; j += 2 * LANES)
            score_f32(q, keys, near, scale, scores, padded, j, 2);
        if (j < padded) score_f32(q, keys, near, scale, scores, padded, j, 1);
        for (int r = 0; r < ROWS; r++) shares[r] = weigh_f32(scores + r * padded, padded);
        mix_f32(scores, values, shares, to, n, padded);
    }
}

int attend_f32(const float *qkv, const float *bias, float *out, long groups, long n, long padded,
               long heads, float scale) {
    const long width = heads * HEAD;
    float *scratch = aligned_alloc(64, sizeof(float) * (HEAD + HEAD + ROWS) * padded);
    if (!scratch) return 1;
    for (long h = 0; h < heads; h++) /* heads outside: a head's bias stays in the cache */
        for (long g = 0; g < groups; g++)
            attend_one_f32(qkv + g * n * 3 * width + h * HEAD, bias + h * n * padded,
                           out + g * n * width + h * HEAD, n, padded, width, scale, scratch);
    free(scratch);
    return 0;
}

#ifdef __AVX512BF16__
typedef uint32_t pair; /* two bfloat16, which one instruction multiplies and adds up */
typedef pair pairs __attribute__((may_alias));

INLINE vec multiply(vec sum, __m512i many, pair one) {
    return _mm512_dpbf16_ps(sum, (__m512bh)many, (__m512bh)_mm512_set1_epi32((int)one));
}

/* As score_f32; keys (16, padded) pairs of neighbouring dimensions. */
INLINE void score_bf16(const pairs *const *q, const pair *keys, const float *const *bias,
                       float scale, float *scores, long padded, long j, const int width) {
    vec sums[ROWS][2] = {0};
    for (int d = 0; d < HEAD / 2; d++)
        for (int w = 0; w < width; w++) {
            __m512i key = _mm512_loadu_si512(keys + d * padded + j + w * LANES);
            for (int r = 0; r < ROWS; r++) sums[r][w] = multiply(sums[r][w], key, q[r][d]);
        }
    for (int r = 0; r < ROWS; r++)
        for (int w = 0; w < width; w++)
            put_score(scores + r * padded + j + w * LANES, bias[r] + j + w * LANES, sums[r][w],
                      scale);
}

INLINE float weigh_bf16(const float *scores, pair *weights, long padded) {
    const float most = highest(scores, padded);
    vec sums = {0};
    for (long j = 0; j < padded; j += LANES) {
        vec weight = power_of_two(load(scores + j) - most, 5);
        sums += weight;
        _mm256_storeu_si256((void *)(weights + j / 2), (__m256i)_mm512_cvtneps_pbh(weight));
    }
    return 1.0f / sum_of(sums);
}

/* values (padded / 2, 32) pairs of neighbouring rows; weights (ROWS, padded / 2) pairs. */
INLINE void mix_bf16(const pair *weights, const pair *values, const float *shares, half **out,
                     long padded) {
    vec sums[ROWS][2] = {0};
    for (long j = 0; j < padded / 2; j++)
        for (int w = 0; w < 2; w++) {
            __m512i value = _mm512_loadu_si512(values + j * HEAD + w * LANES);
            for (int r = 0; r < ROWS; r++)
                sums[r][w] = multiply(sums[r][w], value, weights[r * (padded / 2) + j]);
        }
    for (int r = 0; r < ROWS; r++)
        _mm512_storeu_si512(out[r], (__m512i)_mm512_cvtne2ps_pbh(sums[r][1] * shares[r],
                                                                 sums[r][0] * shares[r]));
}

/* One head of one group; `scratch` holds (16 + 16 + ROWS + ROWS) * padded values. */
static void attend_one_bf16(const half *rows, const float *bias, half *out, long n, long padded,
                            long width, float scale, void *scratch) {
    pair *keys = scratch, *values = keys + HEAD / 2 * padded;
    pair *weights = values + HEAD / 2 * padded;
    float *scores = (float *)(weights + ROWS * padded);
    memset(keys, 0, sizeof(pair) * HEAD * padded); /* and values */
    for (long j = 0; j < n; j++) {
        const half *row = rows + j * 3 * width;
        half *value = (half *)(values + j / 2 * HEAD) + j % 2;
        for (int d = 0; d < HEAD / 2; d++) keys[d * padded + j] = ((pairs *)(row + width))[d];
        for (int d = 0; d < HEAD; d++) value[2 * d] = row[2 * width + d];
    }
    for (long i = 0; i < n; i += ROWS) {
        const pairs *q[ROWS];
        const float *near[ROWS];
        half *to[ROWS];
        float shares[ROWS];
        for (int r = 0; r < ROWS; r++) {
            q[r] = (const pairs *)(rows + row_of(i, r, n) * 3 * width);
            near[r] = bias + row_of(i, r, n) * padded;
            to[r] = out + row_of(i, r, n) * width;
        }
        long j = 0;
        for (; j + 2 * LANES <= padded; j += 2 * LANES)
            score_bf16(q, keys, near, scale, scores, padded, j, 2);
        if (j < padded) score_bf16(q, keys, near, scale, scores, padded, j, 1);
        for (int r = 0; r < ROWS; r++)
            shares[r] = weigh_bf16(scores + r * padded, weights + r * padded / 2, padded);
        mix_bf16(weights, values, shares, to, padded);
    }
}

int attend_bf16(const half *qkv, const float *bias, half *out, long groups, long n, long padded,
                long heads, float scale) {
    const long width = heads * HEAD;
    void *scratch = aligned_alloc(64, sizeof(pair) * (HEAD + 2 * ROWS) * padded);
    if (!scratch) return 1;
    for (long h = 0; h < heads; h++)
        for (long g = 0; g < groups; g++)
            attend_one_bf16(qkv + g * n * 3 * width + h * HEAD, bias + h * n * padded,
                            out + g * n * width + h * HEAD, n, padded, width, scale, scratch);
    free(scratch);
    return 0;
}
#endif
