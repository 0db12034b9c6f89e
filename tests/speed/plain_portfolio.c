/* The floor of the portfolio: the same work as plain C, as one would write it by hand.

   Two averages of each instrument cross: above it is bought, below it is sold, at the next open. All share one account:
   a tenth of equity each, at most so many at once, who comes first by number. A fee on each side. Out come the trades,
   equity at each close and the eight numbers. Whole numbers where money is, doubles where it is measured. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct {
    int64_t leg, opened, closed, lots, entry, exit, fees, pnl, worst, best;
} trade;

typedef struct {
    int64_t lots, entry, opened, fees, worst, best;
} held;

static int64_t part_up(int64_t value, int64_t ppm) {
    int64_t whole = value / 1000000, rest = value % 1000000;
    return whole * ppm + (rest * ppm + 999999) / 1000000;
}

static int64_t part_down(int64_t value, int64_t ppm) {
    int64_t whole = value / 1000000, rest = value % 1000000;
    return whole * ppm + rest * ppm / 1000000;
}

static void signals(int64_t n, const int64_t *close, int64_t fast, int64_t slow, uint8_t *wish) {
    int64_t fast_sum = 0, slow_sum = 0;
    int above = 0, below = 0;
    for (int64_t i = 0; i < n; i++) {
        fast_sum += close[i] - (i >= fast ? close[i - fast] : 0);
        slow_sum += close[i] - (i >= slow ? close[i - slow] : 0);
        wish[i] = 0;
        if (i >= slow - 1) {
            int64_t difference = fast_sum * slow - slow_sum * fast;
            int is_above = difference > 0, is_below = difference < 0;
            if (i >= slow) wish[i] = (uint8_t)((is_above && !above) | ((is_below && !below) << 1));
            above = is_above, below = is_below;
        }
    }
}

int64_t portfolio(int64_t m, int64_t n, const int64_t *opened_ms, const int64_t *const *open, const int64_t *const *high,
                  const int64_t *const *low, const int64_t *const *close, int64_t fast, int64_t slow, int64_t units,
                  int64_t fee_ppm, int64_t share_ppm, int64_t places, int64_t capital, uint8_t *wishes, int64_t *equity,
                  trade *trades, double *numbers) {
    for (int64_t k = 0; k < m; k++) signals(n, close[k], fast, slow, wishes + k * n);
    held *of = calloc((size_t)m, sizeof(held));
    int64_t *active = calloc((size_t)m, sizeof(int64_t));
    int64_t cash = capital, count = 0, used = 0;
    for (int64_t i = 0; i < n; i++) {
        if (i > 0) {
            int64_t kept = 0;
            for (int64_t a = 0; a < used; a++) {
                int64_t k = active[a];
                if (wishes[k * n + i - 1] & 2) {
                    held *h = &of[k];
                    int64_t price = open[k][i], value = h->lots * price * units, fee = part_up(value, fee_ppm);
                    cash += value - fee;
                    h->fees += fee;
                    if (price > h->best) h->best = price;
                    if (price < h->worst) h->worst = price;
                    trade *t = &trades[count++];
                    t->leg = k, t->opened = h->opened, t->closed = i, t->lots = h->lots, t->entry = h->entry;
                    t->exit = price, t->fees = h->fees, t->worst = h->worst, t->best = h->best;
                    t->pnl = h->lots * units * (price - h->entry) - h->fees;
                    h->lots = 0;
                } else active[kept++] = k;
            }
            used = kept;
            for (int64_t k = 0; used < places && k < m; k++) {
                if (!(wishes[k * n + i - 1] & 1) || of[k].lots) continue;
                int64_t price = open[k][i], each = price * units;
                int64_t lots = part_down(equity[i - 1], share_ppm) / (close[k][i - 1] * units);
                if (lots * each > cash) lots = cash / each;
                while (lots > 0 && lots * each + part_up(lots * each, fee_ppm) > cash) lots--;
                if (lots <= 0) continue;
                held *h = &of[k];
                h->lots = lots, h->entry = price, h->opened = i, h->worst = h->best = price;
                h->fees = part_up(lots * each, fee_ppm);
                cash -= lots * each + h->fees;
                int64_t at = used++;
                for (; at > 0 && active[at - 1] > k; at--) active[at] = active[at - 1];
                active[at] = k;
            }
        }
        int64_t worth = cash;
        for (int64_t a = 0; a < used; a++) {
            int64_t k = active[a];
            held *h = &of[k];
            if (high[k][i] > h->best) h->best = high[k][i];
            if (low[k][i] < h->worst) h->worst = low[k][i];
            worth += h->lots * close[k][i] * units;
        }
        equity[i] = worth;
    }
    for (int64_t a = 0; a < used; a++) {
        int64_t k = active[a], last = close[k][n - 1];
        held *h = &of[k];
        trade *t = &trades[count++];
        t->leg = k, t->opened = h->opened, t->closed = n - 1, t->lots = h->lots, t->entry = h->entry;
        t->exit = last, t->fees = h->fees, t->worst = h->worst, t->best = h->best;
        t->pnl = h->lots * units * (last - h->entry) - h->fees;
    }
    free(of), free(active);
    /* the eight numbers: returns per UTC day, as the house measures */
    double won = 0, lost = 0;
    int64_t wins = 0;
    for (int64_t k = 0; k < count; k++) {
        if (trades[k].pnl > 0) won += (double)trades[k].pnl, wins++;
        else lost -= (double)trades[k].pnl;
    }
    int64_t span = n > 1 ? opened_ms[1] - opened_ms[0] : 60000, days = 0, top = capital;
    double sum = 0, squares = 0, falls = 0, deepest = 0, before = (double)capital;
    for (int64_t i = 0; i < n; i++) {
        if (equity[i] > top) top = equity[i];
        double depth = (double)(top - equity[i]) / (double)top;
        if (depth > deepest) deepest = depth;
        int64_t end = opened_ms[i] + span;
        if (i + 1 == n || (end - 1) / 86400000 != (opened_ms[i + 1] + span - 1) / 86400000) {
            double now = (double)equity[i], step = before > 0 ? now / before - 1 : 0;
            sum += step, squares += step * step, days++;
            if (step < 0) falls += step * step;
            before = now;
        }
    }
    double years = (double)(opened_ms[n - 1] + span - opened_ms[0]) / (365.0 * 86400000.0);
    double mean = sum / (double)days, spread = sqrt((squares - sum * mean) / (double)(days - 1));
    double growth = (double)equity[n - 1] / (double)capital;
    numbers[0] = growth - 1;
    numbers[1] = pow(growth, 1 / years) - 1;
    numbers[2] = spread * sqrt(365.0);
    numbers[3] = mean / spread * sqrt(365.0);
    numbers[4] = mean / sqrt(falls / (double)days) * sqrt(365.0);
    numbers[5] = deepest;
    numbers[6] = won / lost;
    numbers[7] = (double)wins / (double)count;
    return count;
}
