/* The arithmetic on rows of features and centers, for T = float and T = double: kernel.c includes it twice. */

enum { OF_T(LANES) = 64 / sizeof(T) };

/* diff = x - c. Return ||diff||^2: lane l adds the elements l, l + LANES, ... */
static inline double OF_T(difference)(int64_t dim, const T *restrict x, const T *restrict c, T *restrict diff)
{
    T lanes[OF_T(LANES)] = {0};
    int64_t d = 0;
    for (; d + OF_T(LANES) <= dim; d += OF_T(LANES))
        for (int lane = 0; lane < OF_T(LANES); lane++) {
            T difference = x[d + lane] - c[d + lane];
            diff[d + lane] = difference;
            lanes[lane] += difference * difference;
        }
    for (int lane = 0; d < dim; d++, lane++) {
        diff[d] = x[d] - c[d];
        lanes[lane] += diff[d] * diff[d];
    }
    double square = 0;
    for (int lane = 0; lane < OF_T(LANES); lane++)
        square += (double)lanes[lane];
    return (double)(T)square;
}

/* Set the rows of diff, or one row again and again, and the squares. Return the sum of the squares. */
FOR_EACH_PROCESSOR
static double OF_T(measure)(struct center_loss *s, const void *x, const void *centers, const int64_t *classes,
                            void *diff, int keeps)
{
    const int64_t dim = s->dim, stride = keeps ? dim : 0;
    double total = 0;
    for (int64_t i = 0; i < s->n; i++) {
        T *row = (T *)diff + i * stride;
        if (i + AHEAD < s->n && classes[i + AHEAD] != IGNORED)
            prefetch_row((const T *)centers + classes[i + AHEAD] * dim, (size_t)dim * sizeof(T));
        if (classes[i] == IGNORED) { /* assigned, not multiplied: an ignored row may hold NaN */
            memset(row, 0, (size_t)dim * sizeof(T));
            s->squares[i] = 0;
            continue;
        }
        s->squares[i] = OF_T(difference)(dim, (const T *)x + i * dim, (const T *)centers + classes[i] * dim, row);
        total += s->squares[i];
    }
    return total;
}

static void OF_T(emit)(int64_t n, double factor, const double *losses, int req, void *out)
{
    for (int64_t i = 0; i < n; i++) {
        T loss = (T)losses[i] * (T)factor;
        if (req == REQ_ADD)
            ((T *)out)[i] += loss;
        else if (req != REQ_NULL)
            ((T *)out)[i] = loss;
    }
}

static inline void OF_T(add)(int64_t dim, const T *restrict row, T *restrict sum)
{
    for (int64_t d = 0; d < dim; d++)
        sum[d] += row[d];
}

/* row += factor * diff, or without `adds` the product alone. */
static inline void OF_T(multiply)(int64_t dim, T factor, const T *restrict diff, int adds, T *restrict row)
{
    if (adds)
        for (int64_t d = 0; d < dim; d++)
            row[d] += factor * diff[d];
    else
        for (int64_t d = 0; d < dim; d++)
            row[d] = factor * diff[d];
}

/* Return the sum of diff over the samples of a class: the row itself, if there is one. */
static inline const T *OF_T(pull)(const struct center_loss *s, const struct group *group)
{
    const T *diff = s->diff;
    if (group->count == 1)
        return diff + group->first * s->dim;
    T *sum = memcpy(s->row, diff + group->first * s->dim, (size_t)s->dim * sizeof(T));
    for (int64_t i = s->next[group->first]; i != NONE; i = s->next[i])
        OF_T(add)(s->dim, diff + i * s->dim, sum);
    return sum;
}

/* Class by class: write the gradients of its samples (Eq. 3), then move its center (Eq. 4). */
FOR_EACH_PROCESSOR
static void OF_T(learn)(const struct center_loss *s, const void *head, int req, void *gradient, void *centers,
                        void *sum)
{
    const int64_t dim = s->dim;
    const T scale = (T)(s->scale / s->divisor);
    if (sum)
        memset(sum, 0, (size_t)dim * sizeof(T));
    for (int64_t k = 0; k < s->num_groups; k++) {
        const struct group *group = &s->groups[k];
        if (centers && k + AHEAD < s->num_groups && group[AHEAD].class != IGNORED)
            prefetch_row((T *)centers + group[AHEAD].class * dim, (size_t)dim * sizeof(T));
        if (req != REQ_NULL)
            for (int64_t i = group->first; i != NONE; i = s->next[i])
                OF_T(multiply)(dim, head ? ((const T *)head)[i] * scale : scale, (const T *)s->diff + i * dim,
                               req == REQ_ADD, (T *)gradient + i * dim);
        if (!centers || group->class == IGNORED)
            continue;
        const T *pull = OF_T(pull)(s, group);
        int64_t count = group->count + (s->update == PAPER);
        OF_T(multiply)(dim, (T)(s->alpha / (double)count), pull, 1, (T *)centers + group->class * dim);
        if (sum)
            OF_T(add)(dim, pull, sum);
    }
}
