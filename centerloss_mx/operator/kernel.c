/* The center loss in compiled code: MXNet calls it in place of Python's forward and backward on a CPU.
 *
 *   forward:   L = 1/2 sum_i ||x_i - c_{y_i}||^2 / z                             (Eq. 2)
 *   backward:  dL/dx_i = scale * (x_i - c_{y_i}) / z                             (Eq. 3)
 *              c_j += alpha * sum_{i: y_i = j} (x_i - c_j) / (1 + n_j)           (Eq. 4, `paper`)
 *              c_j += alpha * sum_{i: y_i = j} (x_i - c_j) / n_j                 (`moving_average`)
 *
 * Wen et al., A Discriminative Feature Learning Approach for Deep Face Recognition, ECCV 2016. z is N, 1, or
 * max(1, samples that are not ignored). N is the batch, D the dimension of a feature, C the number of classes.
 *
 * It computes the plain case. Everything else, such as an invalid label or a loss that is not finite, goes to
 * Python's entry with the same arrays: checks and their messages are there. Nothing has size C or N x C, and
 * only the first step allocates. Sums are added in a fixed order, so that results repeat bit for bit on every
 * processor: the compiler must not reorder or contract them (no -ffast-math, -ffp-contract=off).
 */
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifndef __has_attribute
#define __has_attribute(name) 0
#endif

/* One library serves old and new processors: the loader chooses between two versions of a function. It does so
 * before a sanitizer is ready. */
#if __has_attribute(target_clones) && defined(__x86_64__) && defined(__GLIBC__) && !defined(CENTERLOSS_SANITIZE)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

#define EXPORT __attribute__((visibility("default")))

/* ---- What include/mxnet/c_api.h defines ---- */

typedef void *NDArray;
typedef int Entry(int count, NDArray *arrays, const int *tags, const int *reqs, int is_train, void *context);
enum { DELETE, FORWARD, BACKWARD };
enum { IN_DATA, OUT_DATA, IN_GRAD, OUT_GRAD, AUX };
enum { REQ_NULL, REQ_WRITE, REQ_INPLACE, REQ_ADD };
enum { FLOAT32, FLOAT64, FLOAT16, UINT8, INT32, INT8, INT64 };
static const size_t ITEM_SIZE[] = {4, 8, 2, 1, 4, 1, 8};

static struct {
    int (*wait_to_read)(NDArray);
    int (*get_dtype)(NDArray, int *dtype);
    int (*get_shape)(NDArray, int *ndim, const int **shape);
    int (*get_data)(NDArray, void **memory);
    int (*free)(NDArray);
} mxnet;

/* ---- One operator ---- */

enum { IGNORED = -1, NONE = -1 };
enum { NORMALIZE_NULL, NORMALIZE_BATCH, NORMALIZE_VALID };
enum { PAPER, MOVING_AVERAGE };

struct group {           /* the samples of one class in the batch, a list in their order */
    int64_t class;       /* IGNORED: the ignored samples */
    int64_t first, last; /* sample numbers */
    int64_t count;       /* n_j */
};

struct center_loss { /* native.py has the same fields */
    double alpha, scale, ignore_label;
    int32_t normalization, update, use_ignore;
    int32_t per_sample;  /* one loss a sample, as a function of the head gradient */
    int32_t reads_scale; /* `scale` is that of the batch: the value of a third input */

    int32_t has_batch; /* the last forward was plain, and has left here what backward needs */
    int32_t moves;     /* it was in training */
    int32_t dtype;     /* of features and centers */
    int32_t table_bits;
    int64_t n, dim;    /* of the first batch: an operator's shapes do not change */
    double divisor;    /* z */
    int64_t *classes;  /* (n,): y_i, or IGNORED */
    void *diff;        /* (n, dim): x_i - c_{y_i}; 0 for ignored samples */

    struct { void *entry, *context; } python[3];
    struct center_loss *next_deleted;

    int64_t *next;        /* (n,): the next sample of the same class, or NONE */
    struct group *groups; /* the classes present, in the order of their first samples */
    int64_t num_groups;
    int64_t *table;  /* (2^table_bits,): a hash table from classes to numbers of groups, or NONE */
    double *squares; /* (n,): ||x_i - c_{y_i}||^2 */
    void *row;       /* (dim,) */
};

EXPORT size_t centerloss_size(void) { return sizeof(struct center_loss); }

/* Operators that share centers may run at the same time: MXNet takes all of them for readers. */
static pthread_mutex_t centers_lock = PTHREAD_MUTEX_INITIALIZER;

EXPORT void centerloss_lock(void) { pthread_mutex_lock(&centers_lock); }
EXPORT void centerloss_unlock(void) { pthread_mutex_unlock(&centers_lock); }
EXPORT void centerloss_renew_lock(void) { pthread_mutex_init(&centers_lock, NULL); }

/* ---- Rows ---- */

enum { AHEAD = 4 };              /* a row is prefetched so many rows before its use */
enum { PREFETCHED_BYTES = 256 }; /* the processor sees that the row goes on */

static inline void prefetch_row(const void *row, size_t bytes)
{
    for (size_t offset = 0; offset < bytes && offset < PREFETCHED_BYTES; offset += 64)
        __builtin_prefetch((const char *)row + offset);
}

#define T float
#define OF_T(name) name##_float
#include "kernel_rows.h"
#undef T
#undef OF_T
#define T double
#define OF_T(name) name##_double
#include "kernel_rows.h"

/* ---- Labels ---- */

static double from_half(uint16_t half)
{
    int exponent = half >> 10 & 31, fraction = half & 1023;
    double magnitude = exponent == 31 ? (fraction ? NAN : INFINITY)
                       : exponent     ? ldexp(fraction + 1024, exponent - 25)
                                      : ldexp(fraction, -24);
    return half >> 15 ? -magnitude : magnitude;
}

static double number_at(const void *numbers, int dtype, int64_t i)
{
    switch (dtype) {
    case FLOAT32: return ((const float *)numbers)[i];
    case FLOAT64: return ((const double *)numbers)[i];
    case FLOAT16: return from_half(((const uint16_t *)numbers)[i]);
    case UINT8: return ((const uint8_t *)numbers)[i];
    case INT32: return ((const int32_t *)numbers)[i];
    case INT8: return ((const int8_t *)numbers)[i];
    case INT64: return (double)((const int64_t *)numbers)[i];
    default: return NAN;
    }
}

/* Set the classes, and return how many samples are not ignored; NONE if a label is invalid. */
static int64_t read_labels(const struct center_loss *s, const void *labels, int dtype, int64_t num_class,
                           int64_t *classes)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < s->n; i++) {
        double label = number_at(labels, dtype, i);
        if (s->use_ignore && label == s->ignore_label) {
            classes[i] = IGNORED;
            continue;
        }
        if (!(label >= 0 && label < (double)num_class && label == floor(label)))
            return NONE;
        classes[i] = (int64_t)label;
        kept++;
    }
    return kept;
}

/* Group the samples by class, in the order of the batch. */
static void group_by_class(struct center_loss *s)
{
    const uint64_t mask = (UINT64_C(1) << s->table_bits) - 1;
    memset(s->table, NONE, sizeof *s->table << s->table_bits);
    s->num_groups = 0;
    for (int64_t i = 0; i < s->n; i++) {
        uint64_t slot = (uint64_t)s->classes[i] * UINT64_C(0x9E3779B97F4A7C15) >> (64 - s->table_bits);
        while (s->table[slot] != NONE && s->groups[s->table[slot]].class != s->classes[i])
            slot = (slot + 1) & mask;
        s->next[i] = NONE;
        if (s->table[slot] == NONE) {
            s->table[slot] = s->num_groups;
            s->groups[s->num_groups++] = (struct group){s->classes[i], i, i, 1};
        } else {
            struct group *group = &s->groups[s->table[slot]];
            s->next[group->last] = i;
            group->last = i;
            group->count++;
        }
    }
}

/* ---- Memory ---- */

static void release(struct center_loss *s)
{
    void *blocks[] = {s->classes, s->diff, s->next, s->groups, s->table, s->squares, s->row};
    for (size_t k = 0; k < sizeof blocks / sizeof *blocks; k++)
        free(blocks[k]);
    s->classes = s->next = s->table = NULL;
    s->groups = NULL;
    s->squares = NULL;
    s->diff = s->row = NULL;
    s->n = s->has_batch = 0;
}

/* Make room for batches of one shape, once. */
static int reserve(struct center_loss *s, int64_t n, int64_t dim, int dtype)
{
    if (s->n)
        return s->n == n && s->dim == dim && s->dtype == dtype;
    s->n = n;
    s->dim = dim;
    s->dtype = dtype;
    for (s->table_bits = 1; INT64_C(1) << s->table_bits < 2 * n; s->table_bits++)
        ;
    size_t rows = (size_t)n, row = (size_t)dim * ITEM_SIZE[dtype];
    s->classes = malloc(rows * sizeof *s->classes);
    s->diff = malloc(rows * row);
    s->next = malloc(rows * sizeof *s->next);
    s->groups = malloc(rows * sizeof *s->groups);
    s->table = malloc(sizeof *s->table << s->table_bits);
    s->squares = malloc(rows * sizeof *s->squares);
    s->row = malloc(row);
    if (s->classes && s->diff && s->next && s->groups && s->table && s->squares && s->row)
        return 1;
    release(s);
    return 0;
}

struct view { /* a dense CPU array of one or two dimensions */
    void *memory;
    int dtype, ndim;
    int64_t shape[2];
};

static int open_view(NDArray array, struct view *view)
{
    const int *shape;
    if (mxnet.wait_to_read(array) || mxnet.get_dtype(array, &view->dtype) || view->dtype < 0 || view->dtype > INT64
        || mxnet.get_shape(array, &view->ndim, &shape) || view->ndim < 1 || view->ndim > 2)
        return 0;
    view->shape[0] = shape[0];
    view->shape[1] = view->ndim == 2 ? shape[1] : 1;
    return mxnet.get_data(array, &view->memory) == 0 && view->memory;
}

/* Open the arrays that have a tag; 0 if one cannot be opened, or if there are more or fewer. */
static int open_views(int count, NDArray *arrays, const int *tags, int tag, int expected, struct view *views)
{
    int found = 0;
    for (int k = 0; k < count; k++)
        if (tags[k] == tag && (found == expected || !open_view(arrays[k], &views[found++])))
            return 0;
    return found == expected;
}

static int is_matrix(const struct view *view, int dtype, int64_t least_rows, int64_t dim)
{
    return view->dtype == dtype && view->ndim == 2 && view->shape[0] >= least_rows && view->shape[1] == dim;
}

static int is_vector(const struct view *view, int64_t size) { return view->ndim == 1 && view->shape[0] == size; }

/* ---- MXNet's entries ---- */

struct states { /* the auxiliary states; an operator with one loss a sample has the centers only */
    struct view views[3], *diff, *centers, *sum;
};

static int open_states(const struct center_loss *s, int count, NDArray *arrays, const int *tags,
                       struct states *states)
{
    int all = !s->per_sample;
    states->diff = all ? &states->views[0] : NULL;
    states->centers = &states->views[all ? 1 : 0];
    states->sum = all ? &states->views[2] : NULL;
    return open_views(count, arrays, tags, AUX, all ? 3 : 1, states->views)
           && is_matrix(states->centers, s->dtype, 1, s->dim)
           && (!all || (is_matrix(states->diff, s->dtype, s->n, s->dim) && states->sum->dtype == s->dtype
                        && is_vector(states->sum, s->dim)));
}

static int num_inputs(const struct center_loss *s) { return s->reads_scale ? 3 : 2; }

/* Emit the loss; 0, with nothing written, if the case is not plain. */
static int forward(struct center_loss *s, int count, NDArray *arrays, const int *tags, int req, int is_train)
{
    struct view in[3], out, *data = &in[0], *label = &in[1];
    struct states states;
    if (!open_views(count, arrays, tags, IN_DATA, num_inputs(s), in) || data->dtype > FLOAT64 || data->ndim != 2
        || !reserve(s, data->shape[0], data->shape[1], data->dtype) || !is_vector(label, s->n)
        || !open_views(count, arrays, tags, OUT_DATA, 1, &out) || out.dtype != s->dtype
        || !is_vector(&out, s->per_sample ? s->n : 1) || !open_states(s, count, arrays, tags, &states))
        return 0;

    double scale = s->reads_scale ? number_at(in[2].memory, in[2].dtype, 0) : s->scale;
    if (is_train && !(scale >= 0 && scale <= DBL_MAX))
        return 0;
    int keeps = is_train || s->per_sample; /* scoring keeps the last batch of training for its backward */
    int64_t *classes = keeps ? s->classes : s->next;
    int64_t kept = read_labels(s, label->memory, label->dtype, states.centers->shape[0], classes);
    if (kept == NONE)
        return 0;
    double divisor = s->normalization == NORMALIZE_NULL    ? 1
                     : s->normalization == NORMALIZE_BATCH ? (double)s->n
                                                           : (double)(kept ? kept : 1);

    int is_float = s->dtype == FLOAT32;
    centerloss_lock();
    double total = (is_float ? measure_float : measure_double)(s, data->memory, states.centers->memory, classes,
                                                               keeps ? s->diff : s->row, keeps);
    centerloss_unlock();
    double loss = 0.5 * total / divisor;
    if (is_train && !(loss <= (is_float ? FLT_MAX : DBL_MAX)))
        return 0;
    if (s->per_sample)
        (is_float ? emit_float : emit_double)(s->n, 0.5 * s->scale / divisor, s->squares, req, out.memory);
    else
        (is_float ? emit_float : emit_double)(1, 1, &loss, req, out.memory);
    if (is_train && states.diff)
        memcpy(states.diff->memory, s->diff, (size_t)(s->n * s->dim) * ITEM_SIZE[s->dtype]);
    if (keeps) {
        s->divisor = divisor;
        s->scale = scale;
        s->moves = is_train;
        s->has_batch = 1;
    }
    return 1;
}

/* Write the gradients and move the centers; 0, with nothing written, if the case is not plain. */
static int backward(struct center_loss *s, int count, NDArray *arrays, const int *tags, const int *reqs)
{
    struct view grad[3], head = {0}, *data = &grad[0], *label = &grad[1];
    struct states states;
    if (!s->has_batch || !open_views(count, arrays, tags, IN_GRAD, num_inputs(s), grad)
        || !is_matrix(data, s->dtype, s->n, s->dim) || !is_vector(label, s->n)
        || !open_states(s, count, arrays, tags, &states))
        return 0;
    if (s->per_sample
        && (!open_views(count, arrays, tags, OUT_GRAD, 1, &head) || head.dtype != s->dtype
            || !is_vector(&head, s->n)))
        return 0;

    for (int k = 1; k < num_inputs(s); k++)
        if (reqs[k] == REQ_WRITE || reqs[k] == REQ_INPLACE)
            memset(grad[k].memory, 0, (size_t)grad[k].shape[0] * ITEM_SIZE[grad[k].dtype]);
    group_by_class(s);
    centerloss_lock();
    (s->dtype == FLOAT32 ? learn_float : learn_double)(s, head.memory, reqs[0], data->memory,
                                                       s->moves ? states.centers->memory : NULL,
                                                       states.sum ? states.sum->memory : NULL);
    centerloss_unlock();
    return 1;
}

static int done(int count, NDArray *arrays)
{
    for (int k = 0; k < count; k++)
        mxnet.free(arrays[k]);
    return 1;
}

EXPORT int centerloss_forward(int count, NDArray *arrays, const int *tags, const int *reqs, int is_train,
                              void *context)
{
    struct center_loss *s = context;
    if (is_train || s->per_sample)
        s->has_batch = 0; /* backward must not use the last batch if this one is refused */
    if (forward(s, count, arrays, tags, reqs[0], is_train))
        return done(count, arrays);
    return ((Entry *)s->python[FORWARD].entry)(count, arrays, tags, reqs, is_train, s->python[FORWARD].context);
}

EXPORT int centerloss_backward(int count, NDArray *arrays, const int *tags, const int *reqs, int is_train,
                               void *context)
{
    struct center_loss *s = context;
    if (backward(s, count, arrays, tags, reqs))
        return done(count, arrays);
    return ((Entry *)s->python[BACKWARD].entry)(count, arrays, tags, reqs, is_train, s->python[BACKWARD].context);
}

/* MXNet deletes an operator in any thread, also where the thread that has the GIL waits for it, and at the end of
 * the process. So Python's entry is left to Python: see native.py. */
static _Atomic(struct center_loss *) deleted;

EXPORT int centerloss_delete(void *context)
{
    struct center_loss *s = context;
    release(s);
    s->next_deleted = atomic_load(&deleted);
    while (!atomic_compare_exchange_weak(&deleted, &s->next_deleted, s))
        ;
    return 1;
}

EXPORT struct center_loss *centerloss_take_deleted(void) { return atomic_exchange(&deleted, NULL); }

EXPORT struct center_loss *centerloss_new(void) { return calloc(1, sizeof(struct center_loss)); }

EXPORT void centerloss_free(struct center_loss *s) { free(s); }

EXPORT void centerloss_connect(void *wait_to_read, void *get_dtype, void *get_shape, void *get_data, void *free)
{
    mxnet.wait_to_read = (int (*)(NDArray))wait_to_read;
    mxnet.get_dtype = (int (*)(NDArray, int *))get_dtype;
    mxnet.get_shape = (int (*)(NDArray, int *, const int **))get_shape;
    mxnet.get_data = (int (*)(NDArray, void **))get_data;
    mxnet.free = (int (*)(NDArray))free;
}
