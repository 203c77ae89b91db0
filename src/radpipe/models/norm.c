/* Group normalisation, scale and shift, SiLU: one pass over memory after the statistics, and two
   in the backward pass.

   x, y: [B, P, C], P pixels, channels last, float32 or bfloat16; all else is float32. Of each
   image, with K = 1 vector and weight 1, or K = 2 vectors and their weights w at every pixel:

       z = ((x - mean) rstd gamma + beta) (1 + sum_k w_k scale_k) + sum_k w_k shift_k
         = x sum_k w_k a_k + sum_k w_k d_k,        y = SiLU(z), or z.

   Every image is computed by itself and in one order, so results depend neither on the batch nor
   on the number of threads. LANES channels go at a time, in the compiler's portable vectors (GCC,
   Clang), and never mix. Sums run over BLOCK pixels in float32 and over blocks in float64. */

#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef __FMA__
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))
#define EACH(i, n) for (long i = 0; i < (n); i++)

#if defined(__AVX512F__)
enum { LANES = 16 };
#elif defined(__AVX__)
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif
enum { BLOCK = 64, WIDEST = 4096 }; /* WIDEST: most channels */

typedef float Floats __attribute__((vector_size(4 * LANES)));
typedef int32_t Ints __attribute__((vector_size(4 * LANES)));
typedef uint32_t Bits __attribute__((vector_size(4 * LANES)));
typedef uint16_t Halves __attribute__((vector_size(2 * LANES)));

typedef struct {
  long pixels, channels, groups, vectors, silu, half; /* half: x and y are bfloat16 */
  float eps;
} Shape;

INLINE Floats load(const void *x, long i, int half) {
  Floats value;
  if (half) {
    Halves bits;
    memcpy(&bits, (const uint16_t *)x + i, sizeof bits);
    return (Floats)(__builtin_convertvector(bits, Bits) << 16);
  }
  memcpy(&value, (const float *)x + i, sizeof value);
  return value;
}

INLINE void store(void *x, long i, Floats value, int half) {
  if (half) {
    Bits bits = (Bits)value, nan = (Bits)((bits & 0x7fffffff) > 0x7f800000);
    Bits nearest_even = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    Halves out = __builtin_convertvector((nearest_even & ~nan) | (0x7fc0 & nan), Halves);
    memcpy((uint16_t *)x + i, &out, sizeof out);
  } else
    memcpy((float *)x + i, &value, sizeof value);
}

/* a b + c, rounded once where the processor can. Said here and not left to the compiler (which is
   called with -ffp-contract=off), so that K = 1 and K = 2 round alike. */
INLINE Floats add_product(Floats a, Floats b, Floats c) {
#if defined(__AVX512F__)
  return (Floats)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__)
  return (Floats)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
  return a * b + c;
#endif
}

INLINE Floats all(float value) { return value - (Floats){0}; }

/* 1 / (1 + exp(-z)), relative error 2e-7: exp as 2^n times a polynomial on [-1/2, 1/2]. */
INLINE Floats sigmoid(Floats z) {
  Floats t = z * -1.44269504f;
  Floats shifted = t + 12582912.0f; /* 1.5 * 2^23: the sum has no room for a fraction */
  Floats r = t - (shifted - 12582912.0f);
  Floats p = add_product(r, all(1.5403530e-4f), all(1.3333558e-3f));
  p = add_product(p, r, all(9.6181291e-3f));
  p = add_product(p, r, all(5.5504109e-2f));
  p = add_product(p, r, all(2.4022651e-1f));
  p = add_product(p, r, all(6.9314718e-1f));
  p = add_product(p, r, all(1));
  Ints n = (Ints)shifted - 0x4b400000;
  Ints low = n < -126, high = n > 127;
  n = (n & ~low & ~high) | (-126 & low) | (127 & high);
  return 1 / add_product(p, (Floats)((n + 127) << 23), all(1));
}

/* sum_k w_k v_k at one pixel, from the nearer vector: exact where a weight is 1 or both v agree. */
INLINE Floats mix(const Floats *v, const float *w, long p, long pixels, int K) {
  if (K == 1) return v[0];
  float second = w[pixels + p];
  return second < 0.5f ? add_product(v[1] - v[0], all(second), v[0])
                       : add_product(v[0] - v[1], all(w[p]), v[1]);
}

/* Mean and 1 / standard deviation of every group. Sums are of differences to the first pixel, so
   that a mean far from 0 costs no digits. */
INLINE void statistics(Shape s, const void *x, float *mean, float *rstd, int half) {
  long C = s.channels, P = s.pixels, width = C / s.groups;
  double sum[WIDEST], square[WIDEST];
  for (long c = 0; c < C; c += LANES) {
    Floats first = load(x, c, half);
    EACH(i, LANES) sum[c + i] = square[c + i] = 0;
    for (long begin = 0; begin < P; begin += BLOCK) {
      long end = begin + BLOCK < P ? begin + BLOCK : P;
      Floats part = {0}, part2 = {0};
      for (long p = begin; p < end; p++) {
        Floats away = load(x, p * C + c, half) - first;
        part += away;
        part2 = add_product(away, away, part2);
      }
      EACH(i, LANES) sum[c + i] += part[i];
      EACH(i, LANES) square[c + i] += part2[i];
    }
    EACH(i, LANES) {
      square[c + i] -= sum[c + i] * sum[c + i] / P;
      sum[c + i] = first[i] + sum[c + i] / P;
    }
  }
  EACH(g, s.groups) {
    const double *m = sum + g * width, *v = square + g * width;
    double middle = 0, variance = 0;
    EACH(c, width) middle += m[c] / width;
    EACH(c, width) variance += (v[c] / P + (m[c] - middle) * (m[c] - middle)) / width;
    mean[g] = (float)middle;
    rstd[g] = (float)(1 / sqrt((variance > 0 ? variance : 0) + s.eps));
  }
}

INLINE void forward_image(Shape s, const void *x, const float *gamma, const float *beta,
                          const float *scale, const float *shift, const float *w, float *mean,
                          float *rstd, float *a, float *d, void *y, int half, int K) {
  long C = s.channels, P = s.pixels, width = C / s.groups;
  statistics(s, x, mean, rstd, half);
  EACH(k, K) EACH(c, C) {
    long i = k * C + c;
    float one = scale ? 1 + scale[i] : 1;
    a[i] = gamma[c] * one * rstd[c / width];
    d[i] = beta[c] * one + (shift ? shift[i] : 0) - mean[c / width] * a[i];
  }
  for (long c = 0; c < C; c += LANES) {
    Floats va[2], vd[2];
    EACH(k, K) va[k] = load(a, k * C + c, 0), vd[k] = load(d, k * C + c, 0);
    EACH(p, P) {
      Floats value = load(x, p * C + c, half);
      Floats z = add_product(value, mix(va, w, p, P, K), mix(vd, w, p, P, K));
      store(y, p * C + c, s.silu ? z * sigmoid(z) : z, half);
    }
  }
}

/* dx, and for each vector sum_p w_k g (s1) and sum_p w_k g (x - mean) rstd (s2), g = dL / dz. */
INLINE void backward_image(Shape s, const void *x, const void *dy, const float *w,
                           const float *mean, const float *rstd, const float *a, const float *d,
                           float *s1, float *s2, float *g, void *dx, int half, int K) {
  long C = s.channels, P = s.pixels, width = C / s.groups;
  float middle[WIDEST], constant[WIDEST], slope[WIDEST];
  double sum1[2 * WIDEST], sum2[2 * WIDEST];
  EACH(c, C) middle[c] = mean[c / width];
  for (long c = 0; c < C; c += LANES) {
    Floats va[2], vd[2], m = load(middle, c, 0);
    EACH(k, K) va[k] = load(a, k * C + c, 0), vd[k] = load(d, k * C + c, 0);
    EACH(k, K) EACH(i, LANES) sum1[k * C + c + i] = sum2[k * C + c + i] = 0;
    for (long begin = 0; begin < P; begin += BLOCK) {
      long end = begin + BLOCK < P ? begin + BLOCK : P;
      Floats part1[2] = {{0}}, part2[2] = {{0}};
      for (long p = begin; p < end; p++) {
        Floats value = load(x, p * C + c, half), to_z = load(dy, p * C + c, half);
        if (s.silu) {
          Floats z = add_product(value, mix(va, w, p, P, K), mix(vd, w, p, P, K));
          Floats sigma = sigmoid(z);
          to_z *= add_product(sigma, z - z * sigma, sigma);
        }
        store(g, c * P + p * LANES, to_z, 0);
        EACH(k, K) {
          Floats part = K == 2 ? to_z * w[k * P + p] : to_z;
          part1[k] += part;
          part2[k] = add_product(part, value - m, part2[k]);
        }
      }
      EACH(k, K) EACH(i, LANES) sum1[k * C + c + i] += part1[k][i];
      EACH(k, K) EACH(i, LANES) sum2[k * C + c + i] += part2[k][i];
    }
  }
  EACH(q, s.groups) {
    double mean1 = 0, mean2 = 0;
    EACH(k, K) for (long c = q * width; c < (q + 1) * width; c++) {
      long i = k * C + c;
      sum2[i] *= rstd[q];
      s1[i] = (float)sum1[i];
      s2[i] = (float)sum2[i];
      mean1 += a[i] * sum1[i] / width / P;
      mean2 += a[i] * sum2[i] / width / P;
    }
    for (long c = q * width; c < (q + 1) * width; c++) {
      slope[c] = (float)(-mean2 * rstd[q]);
      constant[c] = (float)(mean2 * rstd[q] * middle[c] - mean1);
    }
  }
  for (long c = 0; c < C; c += LANES) {
    Floats va[2], vc = load(constant, c, 0), vs = load(slope, c, 0);
    EACH(k, K) va[k] = load(a, k * C + c, 0);
    EACH(p, P) {
      Floats to_z = load(g, c * P + p * LANES, 0), value = load(x, p * C + c, half);
      Floats rest = add_product(value, vs, vc);
      store(dx, p * C + c, add_product(to_z, mix(va, w, p, P, K), rest), half);
    }
  }
}

/* The images first..last of a batch, compiled for each type and each K. */
#define AT(pointer, step) ((pointer) ? (pointer) + b * (step) : 0)
#define IMAGES(HALF, K, CALL)                                         \
  if (s.half == HALF && s.vectors == K)                               \
    for (long b = first; b < last; b++) {                             \
      long KC = K * s.channels, G = s.groups, KP = K * s.pixels;      \
      long bytes = s.pixels * s.channels * (HALF ? 2 : 4);            \
      CALL;                                                           \
    }
#define KINDS(NAME, ...)                                              \
  IMAGES(0, 1, NAME(s, __VA_ARGS__, 0, 1))                            \
  IMAGES(0, 2, NAME(s, __VA_ARGS__, 0, 2))                            \
  IMAGES(1, 1, NAME(s, __VA_ARGS__, 1, 1))                            \
  IMAGES(1, 2, NAME(s, __VA_ARGS__, 1, 2))

void norm_forward(Shape s, long first, long last, const char *x, const float *gamma,
                  const float *beta, const float *scale, const float *shift, const float *w,
                  float *mean, float *rstd, float *a, float *d, char *y) {
  KINDS(forward_image, x + b * bytes, gamma, beta, AT(scale, KC), AT(shift, KC), AT(w, KP),
        mean + b * G, rstd + b * G, a + b * KC, d + b * KC, y + b * bytes)
}

void norm_backward(Shape s, long first, long last, const char *x, const char *dy, const float *w,
                   const float *mean, const float *rstd, const float *a, const float *d, float *s1,
                   float *s2, float *scratch, char *dx) {
  KINDS(backward_image, x + b * bytes, dy + b * bytes, AT(w, KP), mean + b * G, rstd + b * G,
        a + b * KC, d + b * KC, s1 + b * KC, s2 + b * KC, scratch, dx + b * bytes)
}
