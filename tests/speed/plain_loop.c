/* The floor of the backtest: the same work as plain C, in one pass after the other, as one would write it by hand.

   Two averages of the close cross: the position flips at the next open, one quantity, a fee on each side. With
   `stop_ppm` also a stop, a target and a trailing stop. Whole numbers where money is, doubles where it is measured.
   Out come the trades (first and last bar, side, entry, exit, fees, result, best and worst price), equity at each
   close and the eight numbers. */
#include <math.h>
#include <stdint.h>

typedef struct {
    int64_t opened, closed, side, entry, exit, fees, pnl, worst, best, reason;
} trade;

static int64_t fee_of(int64_t value, int64_t ppm) {
    int64_t whole = value / 1000000, rest = value % 1000000;
    return whole * ppm + (rest * ppm + 999999) / 1000000;
}

static int64_t share_up(int64_t price, int64_t ppm) { return (price * ppm + 999999) / 1000000; }

int64_t backtest(int64_t n, const int64_t *opened_ms, const int64_t *open, const int64_t *high, const int64_t *low,
                 const int64_t *close, int64_t fast, int64_t slow, int64_t lots, int64_t units, int64_t fee_ppm,
                 int64_t stop_ppm, int64_t take_ppm, int64_t trail_ppm, int64_t capital, int64_t *equity,
                 trade *trades, double *numbers) {
    int64_t cash = capital, pos = 0, count = 0, fast_sum = 0, slow_sum = 0;
    int64_t entry = 0, opened = 0, fees = 0, best = 0, worst = 0, stop = 0, take = 0, trail = 0;
    int want = 0; /* decided at the close before: 1 long, -1 short */
    int above = 0, below = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t exit = 0, reason = 0;
        /* the open: a level that it has passed, then the decision */
        if (pos > 0) {
            if (stop_ppm && open[i] <= stop) exit = open[i], reason = 4;
            else if (stop_ppm && open[i] >= take) exit = take, reason = 7;
            else if (want < 0) exit = open[i], reason = 2;
        } else if (pos < 0) {
            if (stop_ppm && open[i] >= stop) exit = open[i], reason = 4;
            else if (stop_ppm && open[i] <= take) exit = take, reason = 7;
            else if (want > 0) exit = open[i], reason = 2;
        }
        for (int pass = 0; pass < 2; pass++) {
            if (exit) {
                int64_t value = lots * exit * units, fee = fee_of(value, fee_ppm);
                cash += pos > 0 ? value - fee : -value - fee;
                fees += fee;
                if (exit > best) { if (pos > 0) best = exit; }
                if (exit < worst) { if (pos > 0) worst = exit; }
                if (pos < 0) { if (exit < best) best = exit; if (exit > worst) worst = exit; }
                trade *t = &trades[count++];
                t->opened = opened, t->closed = i, t->side = pos > 0 ? 1 : -1, t->entry = entry, t->exit = exit;
                t->fees = fees, t->worst = worst, t->best = best, t->reason = reason;
                t->pnl = t->side * lots * units * (exit - entry) - fees;
                pos = 0;
                exit = 0;
            }
            if (pass) break;
            if (want && pos == 0) {
                int64_t value = lots * open[i] * units;
                fees = fee_of(value, fee_ppm);
                pos = want * lots;
                cash -= want * value + fees;
                entry = open[i], opened = i, best = worst = entry;
                if (stop_ppm) {
                    trail = share_up(entry, trail_ppm);
                    int64_t away = share_up(entry, stop_ppm);
                    if (trail < away) away = trail;
                    stop = entry - want * away;
                    take = entry + want * share_up(entry, take_ppm);
                }
            }
            want = 0;
            /* inside the bar: the stop before the target */
            if (!stop_ppm || pos == 0) break;
            if (pos > 0) {
                if (low[i] <= stop) exit = stop, reason = 4;
                else if (high[i] >= take) exit = take, reason = 7;
            } else {
                if (high[i] >= stop) exit = stop, reason = 4;
                else if (low[i] <= take) exit = take, reason = 7;
            }
            if (!exit) break;
        }
        if (pos > 0) {
            if (high[i] > best) best = high[i];
            if (low[i] < worst) worst = low[i];
            if (stop_ppm && best - trail > stop) stop = best - trail;
        } else if (pos < 0) {
            if (low[i] < best) best = low[i];
            if (high[i] > worst) worst = high[i];
            if (stop_ppm && best + trail < stop) stop = best + trail;
        }
        equity[i] = cash + pos * close[i] * units;
        /* the close: do the averages cross? fast/f > slow/s without a division */
        fast_sum += close[i] - (i >= fast ? close[i - fast] : 0);
        slow_sum += close[i] - (i >= slow ? close[i - slow] : 0);
        if (i >= slow - 1) {
            int64_t difference = fast_sum * slow - slow_sum * fast;
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
        int64_t last = close[n - 1];
        t->opened = opened, t->closed = n - 1, t->side = pos > 0 ? 1 : -1, t->entry = entry, t->exit = last;
        t->fees = fees, t->worst = worst, t->best = best, t->reason = 10;
        t->pnl = t->side * lots * units * (last - entry) - fees;
    }
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
