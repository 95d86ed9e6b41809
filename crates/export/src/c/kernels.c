/* @matrix */
/* Rows of numbers. 32 bits are floats. Fewer bits are code * scale: codes counted from the lowest one, low bits first, each row from a
   byte of its own; the scales of the rows are half floats or floats. Codes of 2 bits are -3, -1, 1 and 3, others all whole numbers
   from -largest to largest. */
typedef struct {
    const void *codes;
    const uint16_t *halves;
    const float *scales;
    size_t rows, columns, bits;
} matrix;

/* A half float that is not negative. */
static float half(uint16_t bits)
{
    if (bits < 1024)
        return ldexpf((float)bits, -24);
    return ldexpf((float)(1024 + (bits & 1023)), (bits >> 10) - 25);
}

static void unpack_row(const matrix *m, size_t row, float *out)
{
    const size_t bits = m->bits;
    const uint8_t *codes;
    float scale;
    int largest, step;
    size_t i;
    if (bits == 32) {
        memcpy(out, (const float *)m->codes + row * m->columns, m->columns * sizeof *out);
        return;
    }
    codes = (const uint8_t *)m->codes + row * ((m->columns * bits + 7) / 8);
    scale = m->halves ? half(m->halves[row]) : m->scales[row];
    largest = bits == 2 ? 3 : (1 << (bits - 1)) - 1;
    step = bits == 2 ? 2 : 1;
    for (i = 0; i < m->columns; i++) {
        const size_t byte = i * bits / 8, shift = i * bits % 8;
        int pair = codes[byte];
        if (shift + bits > 8)
            pair |= codes[byte + 1] << 8;
        out[i] = scale * (float)(((pair >> shift) & ((1 << bits) - 1)) * step - largest);
    }
}
/* @window */

/* A window over an image [channels][height][width]. */
typedef struct {
    size_t channels, height, width, kernel, stride, padding, groups;
} window;

static size_t outputs(size_t size, const window *w)
{
    return (size + 2 * w->padding - w->kernel) / w->stride + 1;
}
/* @conv */

/* [C][H][W] to [O][H'][W']; `row` holds the kernels of one output channel. */
static void conv(const float *x, const matrix *weight, const float *bias, window w, float *row, float *out)
{
    const size_t h = outputs(w.height, &w), v = outputs(w.width, &w), area = w.kernel * w.kernel;
    const size_t in_group = w.channels / w.groups;
    size_t o, k, r, c;
    for (o = 0; o < weight->rows; o++) {
        float *plane = out + o * h * v;
        const size_t first = o / (weight->rows / w.groups) * in_group;
        unpack_row(weight, o, row);
        for (r = 0; r < h * v; r++)
            plane[r] = bias[o];
        for (k = 0; k < in_group * area; k++) {
            const float *image = x + (first + k / area) * w.height * w.width;
            for (r = 0; r < h; r++) {
                const size_t y = r * w.stride + k / w.kernel % w.kernel;
                if (y < w.padding || y - w.padding >= w.height)
                    continue;
                for (c = 0; c < v; c++) {
                    const size_t column = c * w.stride + k % w.kernel;
                    if (column >= w.padding && column - w.padding < w.width)
                        plane[r * v + c] += row[k] * image[(y - w.padding) * w.width + column - w.padding];
                }
            }
        }
    }
}
/* @max_pool */

static void max_pool(const float *x, window w, float *out)
{
    const size_t h = outputs(w.height, &w), v = outputs(w.width, &w);
    size_t i, dy, dx;
    for (i = 0; i < w.channels * h * v; i++) {
        const float *image = x + i / (h * v) * w.height * w.width;
        float largest = -INFINITY;
        for (dy = 0; dy < w.kernel; dy++)
            for (dx = 0; dx < w.kernel; dx++) {
                const size_t y = i / v % h * w.stride + dy, column = i % v * w.stride + dx;
                if (y >= w.padding && y - w.padding < w.height && column >= w.padding && column - w.padding < w.width)
                    largest = fmaxf(largest, image[(y - w.padding) * w.width + column - w.padding]);
            }
        out[i] = largest;
    }
}
/* @average */

/* Mean over the pixels of each channel. */
static void average(const float *x, size_t channels, size_t pixels, float *out)
{
    size_t c, i;
    for (c = 0; c < channels; c++) {
        float sum = 0;
        for (i = 0; i < pixels; i++)
            sum += x[c * pixels + i];
        out[c] = sum / (float)pixels;
    }
}
/* @linear */

/* x W^T + b for each of n vectors. */
static void linear(const float *x, size_t n, const matrix *weight, const float *bias, float *row, float *out)
{
    size_t o, s, i;
    for (o = 0; o < weight->rows; o++) {
        unpack_row(weight, o, row);
        for (s = 0; s < n; s++) {
            float sum = 0;
            for (i = 0; i < weight->columns; i++)
                sum += row[i] * x[s * weight->columns + i];
            out[s * weight->rows + o] = sum + bias[o];
        }
    }
}
/* @relu */

static void relu(float *x, size_t n)
{
    size_t i;
    for (i = 0; i < n; i++)
        if (x[i] < 0)
            x[i] = 0;
}
/* @gelu_erf */

static void gelu_erf(float *x, size_t n)
{
    size_t i;
    for (i = 0; i < n; i++)
        x[i] = 0.5f * x[i] * (1 + erff(x[i] * 0.70710678f));
}
/* @gelu_tanh */

static void gelu_tanh(float *x, size_t n)
{
    size_t i;
    for (i = 0; i < n; i++)
        x[i] = 0.5f * x[i] * (1 + tanhf(0.79788456f * (x[i] + 0.044715f * x[i] * x[i] * x[i])));
}
/* @add */

static void add(float *x, const float *y, size_t n)
{
    size_t i;
    for (i = 0; i < n; i++)
        x[i] += y[i];
}
/* @embedding */

/* The rows of n ids; ids beyond the table, which no tokenizer of the model gives, read row 0. */
static void embedding(const matrix *table, const uint32_t *ids, size_t n, float *out)
{
    size_t s;
    for (s = 0; s < n; s++)
        unpack_row(table, ids[s] < table->rows ? ids[s] : 0, out + s * table->columns);
}
/* @add_positions */

static void add_positions(float *x, const matrix *table, size_t n, float *row)
{
    size_t s, i;
    for (s = 0; s < n; s++) {
        unpack_row(table, s, row);
        for (i = 0; i < table->columns; i++)
            x[s * table->columns + i] += row[i];
    }
}
/* @mean_rows */

/* Mean of n rows; zeros where there is none. */
static void mean_rows(const float *x, size_t n, size_t width, float *out)
{
    size_t s, i;
    for (i = 0; i < width; i++) {
        float sum = 0;
        for (s = 0; s < n; s++)
            sum += x[s * width + i];
        out[i] = n > 0 ? sum / (float)n : 0;
    }
}
/* @first_row */

static void first_row(const float *x, size_t n, size_t width, float *out)
{
    size_t i;
    for (i = 0; i < width; i++)
        out[i] = n > 0 ? x[i] : 0;
}
/* @layer_norm */

static void layer_norm(float *x, size_t n, size_t width, const float *scale, const float *shift, float eps)
{
    size_t s, i;
    for (s = 0; s < n; s++, x += width) {
        float mean = 0, variance = 0, factor;
        for (i = 0; i < width; i++)
            mean += x[i];
        mean /= (float)width;
        for (i = 0; i < width; i++)
            variance += (x[i] - mean) * (x[i] - mean);
        factor = 1 / sqrtf(variance / (float)width + eps);
        for (i = 0; i < width; i++)
            x[i] = (x[i] - mean) * factor * scale[i] + shift[i];
    }
}
/* @rotate */

/* Turns the pairs (i, i + E / 2) of all queries and keys by the angles of their position. */
static void rotate(float *x, size_t n, size_t width, size_t heads, const float *cosines, const float *sines)
{
    const size_t half = width / heads / 2;
    size_t s, head, i;
    for (s = 0; s < n; s++)
        for (head = 0; head < 2 * heads; head++) {
            float *vector = x + s * 3 * width + head * 2 * half;
            for (i = 0; i < half; i++) {
                const float c = cosines[s * half + i], t = sines[s * half + i], a = vector[i], b = vector[i + half];
                vector[i] = a * c - b * t;
                vector[i + half] = a * t + b * c;
            }
        }
}
/* @attention */

/* softmax(Q K^T / sqrt(E)) V of each head; a row of x is the query, the key and the value of one token. */
static void attention(const float *x, size_t n, size_t width, size_t heads, float *row, float *out)
{
    const size_t head_width = width / heads;
    size_t head, s, t, i;
    for (head = 0; head < heads; head++)
        for (s = 0; s < n; s++) {
            const float *query = x + s * 3 * width + head * head_width;
            float *mixed = out + s * width + head * head_width, largest = -INFINITY, sum = 0;
            for (t = 0; t < n; t++) {
                const float *key = x + t * 3 * width + width + head * head_width;
                row[t] = 0;
                for (i = 0; i < head_width; i++)
                    row[t] += query[i] * key[i];
                row[t] /= sqrtf((float)head_width);
                largest = fmaxf(largest, row[t]);
            }
            for (t = 0; t < n; t++)
                sum += row[t] = expf(row[t] - largest);
            for (i = 0; i < head_width; i++) {
                float value = 0;
                for (t = 0; t < n; t++)
                    value += row[t] * x[t * 3 * width + 2 * width + head * head_width + i];
                mixed[i] = value / sum;
            }
        }
}
/* @pixel_tokens */

/* [D][H][W] to [1 + H W][D], behind the class token. */
static void pixel_tokens(const float *x, const float *class_token, size_t pixels, size_t width, float *out)
{
    size_t s, i;
    for (i = 0; i < width; i++) {
        out[i] = class_token[i];
        for (s = 0; s < pixels; s++)
            out[(s + 1) * width + i] = x[i * pixels + s];
    }
}
/* @end */
