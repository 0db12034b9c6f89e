/* The floor of the sweep: many pairs of averages over the same candles, as quick plain C.

   What all pairs share is made once: the sum of the last closes for each length of an average (a running sum), and the
   bars with which a UTC day ends. Then there is one pass over the bars for each pair, which compares the two sums
   (fast / f > slow / s without a division), flips the position at the next open and writes equity at each close; the
   eight numbers come of the same pass and of the ends of days. No array is made for a pair: each thread has equity and
   trades of its own, which the next pair overwrites. Two threads take every other pair; they share nothing else.

   Of the last pair of each thread trades and equity can be looked at; of all, the number of trades, the final equity and
   the eight numbers. */
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct {
    int64_t opened, closed, side, entry, exit, fees, pnl, worst, best, reason;
} trade;

typedef struct {
    int64_t n, days, lots, units, fee_ppm, capital, span;
    const int64_t *opened_ms, *open, *high, *low, *close, *ends;
    double years;
} market;

typedef struct {
    const market *m;
    int64_t **sums;
    const int64_t *pairs; /* fast, slow */
    int64_t count, first, step;
    int64_t *equity;
    trade *trades;
    int64_t *told; /* for each pair: number of trades, final equity */
    double *numbers;
} share;

static int64_t fee_of(int64_t value, int64_t ppm) {
    int64_t whole = value / 1000000, rest = value % 1000000;
    return whole * ppm + (rest * ppm + 999999) / 1000000;
}

static int64_t one_pair(const market *m, const int64_t *fast_sum, int64_t fast, const int64_t *slow_sum, int64_t slow,
                        int64_t *equity, trade *trades, double *numbers) {
    int64_t cash = m->capital, pos = 0, count = 0, entry = 0, opened = 0, fees = 0, best = 0, worst = 0, wins = 0;
    int64_t top = m->capital, fallen = 0, n = m->n;
    double won = 0, lost = 0, deepest = 0;
    int want = 0, above = 0, below = 0;
    const int64_t *open = m->open, *high = m->high, *low = m->low, *close = m->close;
    for (int64_t i = 0; i < n; i++) {
        if (want && pos * want <= 0) {
            int64_t price = open[i], value = m->lots * price * m->units, fee = fee_of(value, m->fee_ppm);
            if (pos) {
                cash += pos > 0 ? value - fee : -value - fee;
                fees += fee;
                if (pos > 0) {
                    if (price > best) best = price;
                    if (price < worst) worst = price;
                } else {
                    if (price < best) best = price;
                    if (price > worst) worst = price;
                }
                trade *t = &trades[count++];
                int64_t side = pos > 0 ? 1 : -1, pnl = side * m->lots * m->units * (price - entry) - fees;
                t->opened = opened, t->closed = i, t->side = side, t->entry = entry, t->exit = price, t->fees = fees;
                t->pnl = pnl, t->worst = worst, t->best = best, t->reason = 2;
                if (pnl > 0) won += (double)pnl, wins++;
                else lost -= (double)pnl;
            }
            fees = fee, pos = want * m->lots, cash -= want * value + fee;
            entry = price, opened = i, best = worst = price;
        }
        want = 0;
        if (pos > 0) {
            if (high[i] > best) best = high[i];
            if (low[i] < worst) worst = low[i];
        } else if (pos < 0) {
            if (low[i] < best) best = low[i];
            if (high[i] > worst) worst = high[i];
        }
        int64_t worth = cash + pos * close[i] * m->units;
        equity[i] = worth;
        if (worth >= top) {
            if (fallen) {
                double depth = (double)fallen / (double)top;
                if (depth > deepest) deepest = depth;
                fallen = 0;
            }
            top = worth;
        } else if (top - worth > fallen) fallen = top - worth;
        if (i >= slow - 1) {
            int64_t difference = fast_sum[i] * slow - slow_sum[i] * fast;
            int is_above = difference > 0, is_below = difference < 0;
            if (i >= slow) {
                if (is_above && !above) want = 1;
                if (is_below && !below) want = -1;
            }
            above = is_above, below = is_below;
        }
    }
    if (pos) {
        trade *t = &trades[count++];
        int64_t last = close[n - 1], side = pos > 0 ? 1 : -1;
        int64_t pnl = side * m->lots * m->units * (last - entry) - fees;
        t->opened = opened, t->closed = n - 1, t->side = side, t->entry = entry, t->exit = last, t->fees = fees;
        t->pnl = pnl, t->worst = worst, t->best = best, t->reason = 10;
        if (pnl > 0) won += (double)pnl, wins++;
        else lost -= (double)pnl;
    }
    if (fallen && (double)fallen / (double)top > deepest) deepest = (double)fallen / (double)top;
    double sum = 0, squares = 0, falls = 0, before = (double)m->capital;
    for (int64_t d = 0; d < m->days; d++) {
        double now = (double)equity[m->ends[d]], step = before > 0 ? now / before - 1 : 0;
        sum += step, squares += step * step;
        if (step < 0) falls += step * step;
        before = now;
    }
    double days = (double)m->days, mean = sum / days, spread = sqrt((squares - sum * mean) / (days - 1));
    double growth = (double)equity[n - 1] / (double)m->capital;
    numbers[0] = growth - 1;
    numbers[1] = growth > 0 ? pow(growth, 1 / m->years) - 1 : -1;
    numbers[2] = spread * sqrt(365.0);
    numbers[3] = mean / spread * sqrt(365.0);
    numbers[4] = mean / sqrt(falls / days) * sqrt(365.0);
    numbers[5] = deepest;
    numbers[6] = won / lost;
    numbers[7] = (double)wins / (double)count;
    return count;
}

static void *some_pairs(void *of) {
    share *s = of;
    for (int64_t k = s->first; k < s->count; k += s->step) {
        int64_t fast = s->pairs[2 * k], slow = s->pairs[2 * k + 1];
        s->told[2 * k] = one_pair(s->m, s->sums[fast], fast, s->sums[slow], slow, s->equity, s->trades, s->numbers + 8 * k);
        s->told[2 * k + 1] = s->equity[s->m->n - 1];
    }
    return 0;
}

/* equity: int64[threads, n]; trades: trade[threads, room]; sums and days are part of the work. */
int64_t sweep(int64_t n, const int64_t *opened_ms, const int64_t *open, const int64_t *high, const int64_t *low,
              const int64_t *close, int64_t count, const int64_t *pairs, int64_t lots, int64_t units, int64_t fee_ppm,
              int64_t capital, int64_t threads, int64_t *equity, trade *trades, int64_t room, int64_t *told,
              double *numbers) {
    int64_t most = 0, days = 0, span = n > 1 ? opened_ms[1] - opened_ms[0] : 60000;
    for (int64_t k = 0; k < 2 * count; k++) if (pairs[k] > most) most = pairs[k];
    int64_t **sums = calloc((size_t)most + 1, sizeof *sums), *ends = malloc((size_t)n * sizeof *ends);
    for (int64_t k = 0; k < 2 * count; k++) {
        int64_t length = pairs[k];
        if (sums[length]) continue;
        int64_t *found = sums[length] = malloc((size_t)n * sizeof *found), sum = 0;
        for (int64_t i = 0; i < n; i++) {
            sum += close[i] - (i >= length ? close[i - length] : 0);
            found[i] = sum;
        }
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t day = (opened_ms[i] + span - 1) / 86400000;
        if (i + 1 == n || day != (opened_ms[i + 1] + span - 1) / 86400000) ends[days++] = i;
    }
    double years = (double)(opened_ms[n - 1] + span - opened_ms[0]) / (365.0 * 86400000.0);
    market m = {n, days, lots, units, fee_ppm, capital, span, opened_ms, open, high, low, close, ends, years};
    pthread_t running[64];
    share shares[64];
    for (int64_t t = 0; t < threads; t++) {
        shares[t] = (share){&m, sums, pairs, count, t, threads, equity + t * n, trades + t * room, told, numbers};
        pthread_create(&running[t], 0, some_pairs, &shares[t]);
    }
    for (int64_t t = 0; t < threads; t++) pthread_join(running[t], 0);
    for (int64_t length = 0; length <= most; length++) free(sums[length]);
    free(sums), free(ends);
    return 0;
}
