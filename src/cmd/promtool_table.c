/* promtool_table.c - promtool's commands and flags (of 3.16), with what they do here. */
#include "cmd/promtool_int.h"

#define N(v) v, ARRAY_LEN(v)
#define NONE NULL, 0
#define HTTP_CONFIG                                                                                                    \
    {                                                                                                                  \
        .name = "http.config.file", .kind = PT_FILE, .value = "FILE",                                                  \
        .help = "How to sign in and what to trust: Prometheus' http_config."                                           \
    }
#define SERVER_URL                                                                                                     \
    { .name = "url", .kind = PT_URL, .help = "The server's address.", .fallback = "http://localhost:9090" }
#define LINT_FATAL                                                                                                     \
    { .name = "lint-fatal", .kind = PT_SWITCH, .help = "What lint finds gives exit code 3." }
#define IGNORE_UNKNOWN                                                                                                 \
    {                                                                                                                  \
        .name = "ignore-unknown-fields", .kind = PT_SWITCH,                                                            \
        .help = "Keys that nobody knows are no errors. A server refuses them all the same."                            \
    }
#define START(text)                                                                                                    \
    { .name = "start", .kind = PT_TEXT, .value = "TIME", .help = text }
#define END(text)                                                                                                      \
    { .name = "end", .kind = PT_TEXT, .value = "TIME", .help = text }
#define HEADER                                                                                                         \
    { .name = "header", .kind = PT_PAIRS, .value = "NAME=VALUE", .help = "A header of the request." }
#define MATCH                                                                                                          \
    { .name = "match", .kind = PT_LIST, .value = "SELECTOR", .help = "Only series that it selects." }
#define MATCH_ALL                                                                                                      \
    {                                                                                                                  \
        .name = "match", .kind = PT_LIST, .fallback = "{__name__=~'(?s:.*)'}", .value = "SELECTOR",                    \
        .help = "Only series that one of them selects."                                                                \
    }
#define DUMP_FLAGS                                                                                                     \
    {.name = "sandbox-dir-root",                                                                                       \
        .kind = PT_TEXT,                                                                                               \
        .value = "DIR",                                                                                                \
        .help = "Taken and not needed: nothing is written."},                                                          \
        {.name = "min-time",                                                                                           \
            .kind = PT_INT,                                                                                            \
            .help = "The first time, in milliseconds.",                                                                \
            .value = "MS",                                                                                             \
            .fallback = "-9223372036854775808"},                                                                       \
        {.name = "max-time",                                                                                           \
            .kind = PT_INT,                                                                                            \
            .help = "The last time, in milliseconds.",                                                                 \
            .value = "MS",                                                                                             \
            .fallback = "9223372036854775807"},                                                                        \
        MATCH_ALL

/* --- flags of groups --- */

static const PtFlag all_flags[] = {
    {.name = "help", .kind = PT_SWITCH, .brief = 'h', .help = "Help of a command; --help-long: of all of them."},
    {.name = "version", .kind = PT_SWITCH, .help = "The version."},
    {.name = "experimental", .kind = PT_SWITCH, .help = "Allows experimental commands."},
    {.name = "enable-feature",
        .kind = PT_LIST,
        .value = "NAME",
        .help = "Features of Prometheus, commas between them. promql-delayed-name-removal counts for test rules; what "
                "expressions may say is always on."},
};
static const PtFlag check_flags[] = {
    {.name = "query.lookback-delta",
        .kind = PT_DURATION,
        .fallback = "5m",
        .help = "The server's lookback, for lint's too-long-scrape-interval."},
};
static const PtFlag query_flags[] = {
    {.name = "format",
        .kind = PT_ENUM,
        .brief = 'o',
        .fallback = "promql",
        .choices = "promql,json",
        .help = "How results are printed: promql, json."},
    HTTP_CONFIG,
};
static const PtFlag push_flags[] = {HTTP_CONFIG};
static const PtFlag test_flags[] = {
    {.name = "junit", .kind = PT_TEXT, .value = "FILE", .help = "Writes the results as JUnit XML."},
};
static const PtFlag create_flags[] = {
    {.name = "human-readable", .kind = PT_SWITCH, .brief = 'r', .help = "Times and sizes for people."},
    {.name = "quiet", .kind = PT_SWITCH, .brief = 'q', .help = "Does not print the blocks."},
    {.name = "max-block-duration",
        .kind = PT_DURATION,
        .value = "DURATION",
        .help = "Taken and not needed: blocks span two hours."},
    {.name = "allow-incompatible-block-duration", .kind = PT_SWITCH, .help = "Taken and not needed."},
};

static const PtGroup groups[] = {
    {"", "Prometheus' command-line tool, as Meerkat has it.", N(all_flags)},
    {"check", "Checks files, servers and what targets expose.", N(check_flags)},
    {"query", "Asks a server.", N(query_flags)},
    {"debug", "Fetches what a server tells of itself.", NONE},
    {"push", "Sends to a server.", N(push_flags)},
    {"test", "Unit tests.", N(test_flags)},
    {"tsdb", "Data directories of Prometheus and of Meerkat.", NONE},
    {"tsdb create-blocks-from", "Blocks from other data.", N(create_flags)},
    {"tsdb bench", "Measures.", NONE},
    {"promql", "Prints and changes expressions; wants --experimental.", NONE},
    {"promql label-matchers", "Changes the matchers of an expression.", NONE},
};

/* --- flags and arguments of commands --- */

static const PtFlag sd_flags[] = {
    {.name = "timeout", .kind = PT_DURATION, .fallback = "30s", .help = "How long discovery may take."},
};
static const PtArg sd_args[] = {
    {.name = "config-file", .kind = PT_FILE, .required = true}, {.name = "job", .required = true}};

static const PtFlag config_flags[] = {
    {.name = "syntax-only", .kind = PT_SWITCH, .help = "Does not look at the files that it names."},
    {.name = "lint",
        .kind = PT_TEXT,
        .fallback = "duplicate-rules",
        .help = "all, duplicate-rules, too-long-scrape-interval, none; commas between them."},
    LINT_FATAL,
    IGNORE_UNKNOWN,
    {.name = "agent", .kind = PT_SWITCH, .help = "For a Prometheus in agent mode."},
};
static const PtArg config_args[] = {{.name = "config-files", .kind = PT_FILE, .required = true, .many = true}};
static const PtArg web_args[] = {{.name = "web-config-files", .kind = PT_FILE, .required = true, .many = true}};
static const PtFlag status_flags[] = {HTTP_CONFIG, SERVER_URL};
static const PtFlag rules_flags[] = {
    {.name = "lint", .kind = PT_TEXT, .fallback = "duplicate-rules", .help = "all, duplicate-rules, none."},
    LINT_FATAL,
    IGNORE_UNKNOWN,
};
static const PtArg rules_args[] = {{.name = "rule-files", .kind = PT_FILE, .many = true}};
static const PtFlag metrics_flags[] = {
    {.name = "extended", .kind = PT_SWITCH, .help = "How many series each metric has."},
    {.name = "lint", .kind = PT_TEXT, .fallback = "all", .help = "all, none."},
};

static const PtArg query_args[] = {
    {.name = "server", .kind = PT_URL, .required = true}, {.name = "expr", .required = true}};
static const PtFlag instant_flags[] = {
    {.name = "time", .kind = PT_TEXT, .value = "TIME", .help = "When: RFC 3339 or Unix seconds; now unless given."},
    HEADER,
};
static const PtFlag range_flags[] = {
    HEADER,
    START("From when on: RFC 3339 or Unix seconds; five minutes before the end unless given."),
    END("Until when; now unless given."),
    {.name = "step", .kind = PT_DURATION, .value = "DURATION", .help = "About 250 steps unless given."},
};
static const PtFlag series_flags[] = {
    {.name = "match",
        .kind = PT_LIST,
        .value = "SELECTOR",
        .help = "Series that one of them selects.",
        .required = true},
    START("From when on: RFC 3339 or Unix seconds."),
    END("Until when."),
};
static const PtFlag labels_flags[] = {START("From when on: RFC 3339 or Unix seconds."), END("Until when."), MATCH};
static const PtArg series_args[] = {{.name = "server", .kind = PT_URL, .required = true}};
static const PtArg labels_args[] = {
    {.name = "server", .kind = PT_URL, .required = true}, {.name = "name", .required = true}};
static const PtFlag analyze_flags[] = {
    {.name = "server", .kind = PT_URL, .value = "URL", .help = "The server to ask.", .required = true},
    {.name = "type", .kind = PT_TEXT, .value = "TYPE", .help = "What the metrics are: histogram.", .required = true},
    {.name = "duration", .kind = PT_DURATION, .fallback = "1h", .help = "How much time to look at."},
    {.name = "time", .kind = PT_TEXT, .value = "TIME", .help = "Its end: RFC 3339 or Unix seconds; now unless given."},
    {.name = "match",
        .kind = PT_LIST,
        .value = "SELECTOR",
        .help = "Histograms that one of them selects.",
        .required = true},
};

static const PtArg server_args[] = {{.name = "server", .required = true}};
static const PtFlag pushed_flags[] = {
    {.name = "label", .kind = PT_PAIRS, .fallback = "job=promtool", .help = "A label that all series get."},
    {.name = "timeout", .kind = PT_DURATION, .fallback = "30s", .help = "How long it may take."},
    HEADER,
    {.name = "protobuf_message",
        .kind = PT_TEXT,
        .fallback = "prometheus.WriteRequest",
        .help = "prometheus.WriteRequest (version 1) or io.prometheus.write.v2.Request."},
    {.name = "remote-write.path", .kind = PT_TEXT, .fallback = "/api/v1/write", .help = "The receiver's path."},
};
static const PtArg push_args[] = {{.name = "remote-write-url", .kind = PT_URL, .required = true},
    {.name = "metric-files", .kind = PT_FILE, .many = true}};

static const PtFlag unit_flags[] = {
    {.name = "run", .kind = PT_LIST, .value = "REGEX", .help = "Only tests whose name matches one of them."},
    {.name = "debug", .kind = PT_SWITCH, .help = "Tells what runs, and prints all samples at the end of each test."},
    {.name = "diff", .kind = PT_SWITCH, .help = "Differences line by line, in colours."},
    IGNORE_UNKNOWN,
};
static const PtArg unit_args[] = {{.name = "test-rule-file", .kind = PT_FILE, .required = true, .many = true}};

static const PtFlag bench_flags[] = {
    {.name = "out", .kind = PT_TEXT, .fallback = "benchout", .help = "Where the store is made; emptied first."},
    {.name = "metrics", .kind = PT_INT, .fallback = "10000", .help = "How many series there are."},
    {.name = "scrapes", .kind = PT_INT, .fallback = "3000", .help = "How many samples each gets."},
};
static const PtArg bench_args[] = {{.name = "file"}};
static const PtFlag block_flags[] = {
    {.name = "limit", .kind = PT_INT, .fallback = "20", .help = "How long each list may be."},
    {.name = "extended", .kind = PT_SWITCH, .help = "Looks at the chunks as well."},
    {.name = "match", .kind = PT_TEXT, .value = "SELECTOR", .help = "Only series that it selects."},
};
static const PtArg analyze_args[] = {{.name = "db path"}, {.name = "block id"}};
static const PtArg db_args[] = {{.name = "db path"}};
static const PtFlag list_flags[] = {
    {.name = "human-readable", .kind = PT_SWITCH, .brief = 'r', .help = "Times and sizes for people."},
};
static const PtFlag dump_flags[] = {
    DUMP_FLAGS,
    {.name = "format",
        .kind = PT_ENUM,
        .fallback = "prom",
        .choices = "prom,seriesjson",
        .help = "prom: samples; seriesjson: series alone."},
};
static const PtFlag dump_om_flags[] = {DUMP_FLAGS};
static const PtFlag openmetrics_flags[] = {
    {.name = "label", .kind = PT_PAIRS, .value = "NAME=VALUE", .help = "A label that all series get."},
};
static const PtArg openmetrics_args[] = {
    {.name = "input file", .required = true}, {.name = "output directory", .fallback = "data/"}};
static const PtFlag backfill_flags[] = {
    HTTP_CONFIG,
    SERVER_URL,
    {.name = "start",
        .kind = PT_TEXT,
        .value = "TIME",
        .required = true,
        .help = "From when on: RFC 3339 or Unix seconds."},
    END("Until when; three hours ago unless given."),
    {.name = "output-dir", .kind = PT_TEXT, .fallback = "data/", .help = "Where the blocks go."},
    {.name = "eval-interval", .kind = PT_DURATION, .fallback = "60s", .help = "Of groups that have no interval."},
};
static const PtArg backfill_args[] = {{.name = "rule-files", .kind = PT_FILE, .required = true, .many = true}};

static const PtArg format_args[] = {{.name = "query", .required = true}};
static const PtFlag matcher_flags[] = {
    {.name = "type",
        .kind = PT_ENUM,
        .brief = 't',
        .fallback = "=",
        .choices = "=,!=,=~,!~",
        .help = "=, !=, =~ or !~."},
};
static const PtArg matcher_args[] = {
    {.name = "query", .required = true}, {.name = "name", .required = true}, {.name = "value", .required = true}};
static const PtArg label_args[] = {{.name = "query", .required = true}, {.name = "name", .required = true}};

/* --- commands --- */

static const PtCommand commands[] = {
    {"check service-discovery", promtool_check_sd,
        "What a job's service discovery finds, and what relabelling makes of it.", N(sd_flags), N(sd_args), false},
    {"check config", promtool_check_config, "Checks configuration files, and the rule files they name.",
        N(config_flags), N(config_args), false},
    {"check web-config", promtool_check_web_config,
        "Checks files of --web.config.file: TLS, headers and users of Prometheus and of exporters.", NONE, N(web_args),
        false},
    {"check healthy", promtool_check_healthy, "Whether a server is healthy.", N(status_flags), NONE, false},
    {"check ready", promtool_check_ready, "Whether a server is ready.", N(status_flags), NONE, false},
    {"check rules", promtool_check_rules, "Checks rule files, or rules on standard input.", N(rules_flags),
        N(rules_args), false},
    {"check metrics", promtool_check_metrics, "Checks what a target exposes, on standard input.", N(metrics_flags),
        NONE, false},
    {"query instant", promtool_query_instant, "An expression at one time.", N(instant_flags), N(query_args), false},
    {"query range", promtool_query_range, "An expression over a range of time.", N(range_flags), N(query_args), false},
    {"query series", promtool_query_series, "The series that match.", N(series_flags), N(series_args), false},
    {"query labels", promtool_query_labels, "The values of a label.", N(labels_flags), N(labels_args), false},
    {"query analyze", promtool_query_analyze, "How many buckets of histograms are in use.", N(analyze_flags), NONE,
        false},
    {"debug pprof", promtool_debug_pprof, "Fetches the profiles of a Go server into debug.tar.gz.", NONE,
        N(server_args), false},
    {"debug metrics", promtool_debug_metrics, "Fetches a server's own metrics into debug.tar.gz.", NONE, N(server_args),
        false},
    {"debug all", promtool_debug_all, "Fetches both into debug.tar.gz.", NONE, N(server_args), false},
    {"push metrics", promtool_push_metrics, "Sends metrics to a remote write receiver.", N(pushed_flags), N(push_args),
        false},
    {"test rules", promtool_test_rules, "Runs unit tests of rules.", N(unit_flags), N(unit_args), false},
    {"tsdb bench write", promtool_tsdb_bench_write,
        "How fast Meerkat's store of metrics takes samples here. Series come from a file of labels as JSON, one a "
        "line, or "
        "are made up.",
        N(bench_flags), N(bench_args), false},
    {"tsdb analyze", promtool_tsdb_analyze, "Churn and cardinality of a block.", N(block_flags), N(analyze_args),
        false},
    {"tsdb list", promtool_tsdb_list, "The blocks of a data directory.", N(list_flags), N(db_args), false},
    {"tsdb dump", promtool_tsdb_dump, "The samples, one a line.", N(dump_flags), N(db_args), false},
    {"tsdb dump-openmetrics", promtool_tsdb_dump_openmetrics,
        "The samples as OpenMetrics text, without native histograms.", N(dump_om_flags), N(db_args), false},
    {"tsdb create-blocks-from openmetrics", promtool_tsdb_create_openmetrics, "Blocks from OpenMetrics text.",
        N(openmetrics_flags), N(openmetrics_args), false},
    {"tsdb create-blocks-from rules", promtool_tsdb_create_rules, "Past values of recording rules, as blocks.",
        N(backfill_flags), N(backfill_args), false},
    {"promql format", promtool_format, "An expression, prettily printed.", NONE, N(format_args), true},
    {"promql label-matchers set", promtool_matchers_set, "An expression with a matcher in all selectors.",
        N(matcher_flags), N(matcher_args), true},
    {"promql label-matchers delete", promtool_matchers_delete, "An expression without a label's matchers.", NONE,
        N(label_args), true},
};

const PtTable promtool_table = {N(commands), N(groups)};
