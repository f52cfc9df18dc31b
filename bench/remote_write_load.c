/* remote_write_load.c - sends remote write 1.0 requests to any receiver as fast as it answers them.
 *
 * usage: remote_write_load [OPTIONS] URL
 *   --series N      10000     series at any time
 *   --samples N     720       per series
 *   --batch N       2000      series of one request, each with one sample (2000 is what Prometheus sends at most)
 *   --interval MS   15000     between two samples of a series
 *   --end MS        now       time of the last sample, milliseconds since 1970
 *   --mix real|decimal        see load_series.h
 *   --churn N       0         every target is replaced by a new one (new pod, new series) after N samples
 *   --senders N     4         connections; each has its share of the series and keeps their order
 *   --seed N        1
 * Label bytes are encoded once, a request is put together from them and compressed before it is sent, so the generator
 * takes a small part of what the receivers take. An answer of 429 or 5xx, or none, is tried again; any other but 2xx
 * ends the run. One JSON object on stdout. */
#include "codec/compress.h"
#include "load_http.h"
#include "load_series.h"
#include "sys/clock.h"
#include "sys/thread.h"

#include <getopt.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define SENDERS_MAX 64
#define RETRY_MS 20
#define STEPS_APART 8 /* a sender that is ahead of the slowest by more waits: receivers may refuse what is late */

typedef struct Options {
    uint32_t series, samples, batch, interval_ms, churn, senders;
    uint64_t seed;
    int64_t end_ms;
    Mix mix;
    LoadUrl url;
} Options;

typedef struct Sender {
    const Options *o;
    uint32_t first, end; /* its series */
    LoadSeries *series;
    Buf labels;           /* encoded, series after series */
    uint32_t *label_ends; /* into labels */
    Buf raw, body;
    LoadConn conn;
    uint64_t requests, retries, samples, bytes;
    _Atomic uint32_t step;
    Thread *thread;
} Sender;

static Sender senders[SENDERS_MAX];

static void keep_together(const Options *o, uint32_t step) {
    for (uint32_t i = 0; i < o->senders; i++)
        while (senders[i].step + STEPS_APART < step) clock_sleep_ms(1);
}

static void encode_labels(Sender *s, uint32_t step) {
    const Options *o = s->o;
    buf_clear(&s->labels);
    for (uint32_t i = s->first; i < s->end; i++) {
        /* Targets are replaced one after the other, not all at once. */
        uint32_t life = o->churn ? (step + i / SERIES_PER_TARGET * 7919 % o->churn) / o->churn : 0;
        load_series_labels(&s->labels, i, life);
        s->label_ends[i - s->first] = (uint32_t)s->labels.n;
    }
}

static size_t put_varint(char *p, uint64_t v) {
    size_t n = 0;
    for (; v >= 0x80; v >>= 7) p[n++] = (char)(v | 0x80);
    p[n++] = (char)v;
    return n;
}

/* One TimeSeries: labels, and a sample {value, timestamp}. */
static void put_series(Sender *s, uint32_t at, int64_t t_ms) {
    uint32_t from = at ? s->label_ends[at - 1] : 0, n = s->label_ends[at] - from;
    double v = load_series_next(&s->series[at], s->o->mix);
    char sample[32] = {0x12, 0, 0x09}, head[8] = {0x0a};
    memcpy(sample + 3, &v, 8);
    sample[11] = 0x10;
    size_t sample_n = 12 + put_varint(sample + 12, (uint64_t)t_ms);
    sample[1] = (char)(sample_n - 2);
    buf_put(&s->raw, head, 1 + put_varint(head + 1, n + sample_n));
    buf_put(&s->raw, s->labels.p + from, n);
    buf_put(&s->raw, sample, sample_n);
}

static void post(Sender *s) {
    static const char headers[] = "Content-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n"
                                  "X-Prometheus-Remote-Write-Version: 0.1.0\r\nUser-Agent: remote_write_load\r\n";
    for (int status; (status = load_post(&s->conn, &s->o->url, headers, buf_str(&s->body))) / 100 != 2;) {
        if (status && status != 429 && status / 100 != 5) {
            (void)fprintf(stderr, "remote_write_load: %s\n", buf_cstr(&s->conn.answer));
            exit(1);
        }
        if (++s->retries > 5000) {
            (void)fprintf(stderr, "remote_write_load: the receiver does not take the data\n");
            exit(1);
        }
        clock_sleep_ms(RETRY_MS);
    }
    s->requests++;
    s->bytes += s->body.n;
}

static void sender_main(void *ctx) {
    Sender *s = ctx;
    const Options *o = s->o;
    int64_t start_ms = o->end_ms - (int64_t)o->samples * o->interval_ms;
    for (uint32_t step = 0; step < o->samples; step++) {
        s->step = step;
        keep_together(o, step);
        if (step == 0 || o->churn) encode_labels(s, step);
        for (uint32_t i = s->first; i < s->end;) {
            uint32_t end = MIN(s->end, i + o->batch);
            buf_clear(&s->raw);
            for (s->samples += end - i; i < end; i++)
                put_series(s, i - s->first,
                    start_ms + (int64_t)step * o->interval_ms + load_series_offset_ms(i, o->interval_ms));
            buf_clear(&s->body);
            ErrCode code = compress(ENCODING_SNAPPY, buf_str(&s->raw), 0, &s->body);
            ASSERT(code == OK);
            post(s);
        }
    }
    s->step = o->samples;
}

/* The senders' shares: whole requests, as evenly as that goes. */
static void sender_init(Sender *s, const Options *o, uint32_t index) {
    uint64_t requests = (o->series + o->batch - 1) / o->batch;
    *s = (Sender){.o = o, .conn.fd = -1};
    s->first = (uint32_t)MIN(o->series, requests * index / o->senders * o->batch);
    s->end = (uint32_t)MIN(o->series, requests * (index + 1) / o->senders * o->batch);
    s->series = mem_alloc_array(MAX(s->end - s->first, 1), sizeof *s->series);
    s->label_ends = mem_alloc_array(MAX(s->end - s->first, 1), sizeof *s->label_ends);
    for (uint32_t i = s->first; i < s->end; i++) load_series_init(&s->series[i - s->first], i, o->seed);
}

static void sender_done(Sender *s) {
    load_conn_done(&s->conn);
    mem_free(s->series);
    mem_free(s->label_ends);
    buf_done(&s->labels);
    buf_done(&s->raw);
    buf_done(&s->body);
}

static void run(const Options *o) {
    uint64_t samples = 0, requests = 0, retries = 0, bytes = 0;
    for (uint32_t i = 0; i < o->senders; i++) sender_init(&senders[i], o, i);
    int64_t begin = clock_mono_ns();
    for (uint32_t i = 0; i < o->senders; i++) {
        senders[i].thread = thread_start("sender", sender_main, &senders[i]);
        ASSERT(senders[i].thread);
    }
    for (uint32_t i = 0; i < o->senders; i++) thread_join(senders[i].thread);
    double wall_s = (double)(clock_mono_ns() - begin) / 1e9;
    for (uint32_t i = 0; i < o->senders; i++) {
        samples += senders[i].samples;
        requests += senders[i].requests;
        retries += senders[i].retries;
        bytes += senders[i].bytes;
        sender_done(&senders[i]);
    }
    printf("{\"series\": %u, \"samples\": %llu, \"requests\": %llu, \"retries\": %llu, \"wall_s\": %.3f, "
           "\"samples_per_wall_s\": %.0f, \"wire_bytes_per_sample\": %.2f}\n",
        o->series, (unsigned long long)samples, (unsigned long long)requests, (unsigned long long)retries, wall_s,
        (double)samples / wall_s, (double)bytes / (double)samples);
}

static bool parse(Options *o, int argc, char **argv) {
    enum { SERIES = 1, SAMPLES, BATCH, INTERVAL, END, MIX, CHURN, SENDERS, SEED };
    static const struct option longs[] = {{"series", 1, NULL, SERIES}, {"samples", 1, NULL, SAMPLES},
        {"batch", 1, NULL, BATCH}, {"interval", 1, NULL, INTERVAL}, {"end", 1, NULL, END}, {"mix", 1, NULL, MIX},
        {"churn", 1, NULL, CHURN}, {"senders", 1, NULL, SENDERS}, {"seed", 1, NULL, SEED}, {0}};
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        uint64_t n = optarg ? strtoull(optarg, NULL, 10) : 0;
        switch (c) {
        case SERIES: o->series = (uint32_t)n; break;
        case SAMPLES: o->samples = (uint32_t)n; break;
        case BATCH: o->batch = (uint32_t)n; break;
        case INTERVAL: o->interval_ms = (uint32_t)n; break;
        case END: o->end_ms = (int64_t)n; break;
        case CHURN: o->churn = (uint32_t)n; break;
        case SENDERS: o->senders = (uint32_t)n; break;
        case SEED: o->seed = n; break;
        case MIX:
            o->mix = strcmp(optarg, "decimal") == 0 ? MIX_DECIMAL : MIX_REAL;
            if (o->mix == MIX_REAL && strcmp(optarg, "real") != 0) return false;
            break;
        default: return false;
        }
    }
    return optind + 1 == argc && load_url_parse(argv[optind], &o->url) && o->series && o->samples && o->batch &&
           o->interval_ms && o->senders && o->senders <= SENDERS_MAX;
}

int main(int argc, char **argv) {
    Options o = {.series = 10000, .samples = 720, .batch = 2000, .interval_ms = 15000, .senders = 4, .seed = 1};
    o.end_ms = clock_now_ms();
    if (!parse(&o, argc, argv)) {
        (void)fprintf(stderr,
            "usage: %s [--series N] [--samples N] [--batch N] [--interval MS] [--end MS] "
            "[--mix real|decimal] [--churn N] [--senders N] [--seed N] http://HOST:PORT/PATH\n",
            argv[0]);
        return 2;
    }
    run(&o);
    return 0;
}
