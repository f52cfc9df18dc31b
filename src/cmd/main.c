/* main.c - picks the sub-command. */
#include "base/hash.h"
#include "cmd/command.h"
#include "cmd/config.h"
#include "cmd/version.h"
#include "self/crash.h"
#include "self/log_ring.h"
#include "sys/random.h"
#include "sys/signals.h"

#include <stdio.h>

/* Read by jemalloc at start: what a burst needed goes back to the system within seconds, also when nothing allocates.
 */
extern const char *malloc_conf;
const char *malloc_conf = "background_thread:true,dirty_decay_ms:2000,muzzy_decay_ms:0";

#define QUERY_HELP                                                                                                     \
    "\nOptions of every query:\n"                                                                                      \
    "  --server URL           the server to ask, also as the first argument; this machine's when missing\n"            \
    "  -o, --format FORM      promql: lines to read; json: the result alone\n"                                         \
    "  --json                 the server's answer as it is\n"                                                          \
    "  --header NAME=VALUE    one more header, may be repeated\n"                                                      \
    "  --user NAME:PASSWORD   how to sign in\n"                                                                        \
    "  --token TOKEN          likewise, by an API token\n\n"                                                           \
    "T is RFC 3339, Unix seconds, or a duration back from now (15m); D a duration (30s).\n\n"

const Command command_table[] = {
    {"serve", "[--config FILE] [OPTIONS]", "run the server", NULL, cmd_serve},
    {"prometheus", "[FLAGS]", "run the server by Prometheus' command line", NULL, cmd_prometheus},
    {"alertmanager", "[FLAGS]", "run the server by Alertmanager's command line", NULL, cmd_alertmanager},
    {"status", "[--json]", "ask every port of a running server",
        "Prints the address of every service and whether it answers. Exit code 1 when one does not.\n"
        "Ports come from the same configuration as `meerkat serve` uses.\n\n"
        "Examples:\n  meerkat status\n  meerkat status --port-offset 100 --json\n",
        cmd_status, true},
    {"query instant", "[--time T] [-o promql|json] [URL] EXPR", "evaluate a PromQL expression at one time",
        "Prints a series a line, as promtool does: `up{job=\"x\"} => 1 @[1700000000]`.\n" QUERY_HELP
        "Examples:\n  meerkat query instant up\n"
        "  meerkat query instant --time 1h 'sum(rate(http_requests_total[5m]))'\n"
        "  meerkat query instant -o json http://prometheus:9090 up | jq .\n",
        cmd_query_instant, true},
    {"query range", "[--start T] [--end T] [--step D] [-o promql|json] [URL] EXPR",
        "evaluate a PromQL expression over a range of time",
        "From 5m ago until now unless told otherwise; about 250 steps.\n" QUERY_HELP
        "Examples:\n  meerkat query range --start 1h --step 1m 'sum(rate(http_requests_total[5m]))'\n",
        cmd_query_range, true},
    {"query series", "[--match SELECTOR]... [--start T] [--end T] [-o promql|json] [URL] [SELECTOR...]",
        "list the series that match",
        "Label sets, one a line, of every selector.\n" QUERY_HELP
        "Examples:\n  meerkat query series --match up\n  meerkat query series 'up{job=\"node\"}'\n",
        cmd_query_series, true},
    {"query labels", "[--match SELECTOR]... [--start T] [--end T] [-o promql|json] [URL] [NAME]",
        "list label names, or the values of one",
        "One a line, of the series that match (all of them without --match).\n" QUERY_HELP
        "Examples:\n  meerkat query labels\n  meerkat query labels --match up job\n",
        cmd_query_labels, true},
    {"query analyze", "--server URL --type histogram --match SELECTOR... [--duration D] [--time T]",
        "how many buckets of histograms are in use",
        "Classic (x_bucket) and native histograms: least, mean and most buckets that are not empty, and all there "
        "are.\n\n"
        "  --server URL      the server to ask\n"
        "  --type histogram  the only type there is\n"
        "  --match SELECTOR  histograms that it selects; may be given several times\n"
        "  --duration D      how much time to look at (1h)\n"
        "  --time T          its end: RFC 3339 or Unix seconds (now)\n\n"
        "Examples:\n  meerkat query analyze --server http://localhost:9090 --type histogram --match "
        "http_request_duration_seconds_bucket\n",
        cmd_promtool_verb},
    {"query metadata", "[--limit N] [-o promql|json] [URL] [METRIC]", "type, unit and help of metrics",
        "One metric a line, or all of them without METRIC.\n" QUERY_HELP
        "Examples:\n  meerkat query metadata http_requests_total\n",
        cmd_query_metadata, true},
    {"query exemplars", "[--start T] [--end T] [-o promql|json] [URL] EXPR", "exemplars of the series of an expression",
        "One a line: the series, the exemplar's labels, its value and time.\n" QUERY_HELP
        "Examples:\n  meerkat query exemplars --start 1h http_request_duration_seconds_bucket\n",
        cmd_query_exemplars, true},
    {"query logs", "[--since D] [--limit N] [URL] LOGQL", "find log lines",
        "The newest of the last hour unless told otherwise; expressions that count give series.\n" QUERY_HELP
        "Examples:\n  meerkat query logs --since 15m '{service_name=\"llm-api\"} |= \"timeout\"'\n",
        cmd_query_logs, true},
    {"query traces", "[--since D] [--limit N] [--step D] [URL] TRACEQL|SERVICE", "find traces",
        "The newest of the last hour unless told otherwise, one a line: id, start, duration, spans that match, root.\n"
        "Queries that count give series. A service's name alone gives its newest traces.\n" QUERY_HELP
        "Examples:\n  meerkat query traces --since 15m '{ resource.service.name = \"llm-api\" && status = error }'\n"
        "  meerkat query traces --limit 5 llm-api\n",
        cmd_query_traces, true},
    {"check config", "[--markdown] [FILE...]", "check a meerkat.yml or prometheus.yml",
        "Reports every problem with file, line and column, those of a prometheus.yml's rule files too.\n"
        "--markdown prints the reference of all keys of meerkat.yml instead.\n\n"
        "Examples:\n  meerkat check config meerkat.yml\n  meerkat check config prometheus.yml\n",
        cmd_check_config},
    {"check metrics", "[--extended] [--lint all|none] < TEXT", "check what a target exposes",
        "Reads the text format from standard input and says what is against Prometheus' conventions, in promtool's "
        "words.\n"
        "--extended prints how many series each metric has.\n"
        "Exit codes: 0 fine, 1 it cannot be read, 3 something is against the conventions.\n\n"
        "Examples:\n  curl -s localhost:8080/metrics | meerkat check metrics\n",
        cmd_check_metrics},
    {"check rules",
        "[--lint all|duplicate-rules|traps|none] [--lint-fatal] [--ignore-unknown-fields] [--datasource NAME] "
        "[FILE...]",
        "check rule files",
        "Prometheus' rule files, and those over logs and traces: what expressions ask stands in the file (datasource), "
        "or\n"
        "is said by --datasource prometheus|loki|tempo. Without a FILE the rules are read from standard input.\n"
        "Errors come with file, line and column; warnings name rules that load and do not do what they seem to "
        "(traps)\n"
        "or are there twice.\n"
        "Exit codes: 0 fine, 1 an error, 3 a warning with --lint-fatal.\n\n"
        "--packs lists the rule packs that come with the program; pack:NAME stands for one of them.\n\n"
        "Examples:\n  meerkat check rules rules/*.yml\n  meerkat check rules pack:llm\n",
        cmd_check_rules},
    {"check service-discovery", "[--timeout D] FILE JOB", "what a job's service discovery finds",
        "Runs the discovery of a job of a prometheus.yml and prints, as JSON, the labels of each target that it finds, "
        "and "
        "those\n"
        "that are left of it after relabelling; none when a rule drops it. Why one cannot be a target is said on "
        "standard "
        "error.\n"
        "Ends when every source has answered, or after the timeout (30s).\n\n"
        "  --timeout D  how long discovery may take, like 10s\n\n"
        "Examples:\n  meerkat check service-discovery prometheus.yml node | jq '.[].labels'\n",
        cmd_promtool_verb},
    {"check web-config", "FILE...", "check files of --web.config.file, of Prometheus and exporters",
        "TLS, HTTP headers, users and their bcrypt hashes, in the words of Prometheus' exporter toolkit.\n\n"
        "Examples:\n  meerkat check web-config web.yml\n",
        cmd_promtool_verb},
    {"check alertmanager", "FILE...", "check an alertmanager.yml",
        "What amtool check-config prints, and every problem with file, line and column.\n\n"
        "Examples:\n  meerkat check alertmanager alertmanager.yml\n",
        cmd_check_alertmanager},
    {"test rules",
        "[--run REGEX]... [--diff] [--debug] [--junit FILE] [--ignore-unknown-fields] [--delayed-name-removal] FILE...",
        "run unit tests of rules",
        "The files are those that promtool test rules reads: series by their values, and the alerts and values that "
        "are\n"
        "expected at given times. Exit code 1 when a test fails.\n\n"
        "  --run REGEX              only tests whose name matches; may be given several times\n"
        "  --diff                   differences line by line\n"
        "  --debug                  tell what runs, and print all samples at the end of each test\n"
        "  --junit FILE             write the results as JUnit XML\n"
        "  --ignore-unknown-fields  keys that nobody knows are no errors\n"
        "  --delayed-name-removal   evaluate as a server with query.delayed-name-removal does\n\n"
        "Examples:\n  meerkat test rules tests/rules/*.yml\n  meerkat test rules --run latency --diff tests.yml\n",
        cmd_test_rules},
    {"alert", "query|add|routes|why|ack|unack|history|test-receiver|template|config|cluster ...",
        "alerts of a running server, as amtool does",
        "  meerkat alert [query] [-i] [-s] [-a] [-u] [-r RECEIVER] [MATCHER...]\n"
        "  meerkat alert add [--annotation N=V] [--generator-url U] [--start T] [--end T] NAME=VALUE...\n"
        "  meerkat alert routes [show|test] [--config.file F] [--tree] [--verify.receivers R] [NAME=VALUE...]\n"
        "  meerkat alert why FINGERPRINT                why it was sent, or was not\n"
        "  meerkat alert ack [-c COMMENT] [-d 2h] [--owner O] FINGERPRINT|MATCHER...\n"
        "  meerkat alert unack FINGERPRINT...\n"
        "  meerkat alert history [--within 24h] [--kind K] [--limit N] [MATCHER...]\n"
        "  meerkat alert test-receiver [--resolved] [--annotation N=V] RECEIVER [NAME=VALUE...]\n"
        "  meerkat alert template render --template.glob F --template.text T [--template.type text|html] "
        "[--template.data F]\n"
        "  meerkat alert config|cluster [show]          as amtool config show, amtool cluster show\n\n"
        "--alertmanager.url URL, -o simple|extended|json, --date.format F, --http.config.file F and --timeout D are "
        "amtool's;\n"
        "so is its configuration file. `meerkat amtool ...` takes amtool's command lines as they are.\n\n"
        "Examples:\n  meerkat alert severity=critical\n  meerkat alert routes test --tree severity=critical "
        "service=db\n"
        "  meerkat alert ack -d 2h -c 'on it' alertname=HighErrorRate\n",
        cmd_alert, true},
    {"silence", "query|add|update|expire|import ...", "silences of a running server, as amtool does",
        "  meerkat silence [query] [--expired] [-q] [--created-by U] [--id ID] [--within D] [MATCHER...]\n"
        "  meerkat silence add -c COMMENT [-a AUTHOR] [-d 1h] [--start T] [--end T] [--annotation N=V] [--force] "
        "MATCHER...\n"
        "  meerkat silence update [-q] [-d D] [--start T] [--end T] [-c COMMENT] ID...\n"
        "  meerkat silence expire ID...\n"
        "  meerkat silence import [-f] [FILE]\n\n"
        "--alertmanager.url URL, -o simple|extended|json and --timeout D are amtool's; so is its configuration file.\n"
        "Too broad or too long a silence is refused (alerting.silence_guard); --force (-f) makes it all the same.\n\n"
        "Examples:\n  meerkat silence add -c 'planned work' -d 2h instance=~'db-.*'\n  meerkat silence expire "
        "$(meerkat silence -q)\n",
        cmd_silence, true},
    {"amtool", "[FLAGS] COMMAND [ARGS]", "Alertmanager's command-line tool, for scripts that call it",
        "alert, silence, config, cluster, check-config and template with amtool's flags, output and exit codes. A link "
        "to the\n"
        "program named amtool does the same.\n\n"
        "Examples:\n  meerkat amtool --alertmanager.url=http://localhost:9093 silence query -o json\n"
        "  ln -s $(command -v meerkat) ~/bin/amtool\n",
        cmd_amtool, true},
    {"promtool", "[FLAGS] COMMAND [ARGS]", "Prometheus' command-line tool, for scripts that call it",
        "check, query, debug, push, test, tsdb and promql with promtool's flags, output and exit codes. A link to the\n"
        "program named promtool does the same. `meerkat promtool --help` lists the commands, `meerkat promtool COMMAND "
        "--help`\nexplains one.\n\n"
        "Examples:\n  meerkat promtool check rules rules/*.yml\n"
        "  meerkat promtool query instant http://localhost:9090 up\n"
        "  ln -s $(command -v meerkat) ~/bin/promtool\n",
        cmd_promtool, true},
    {"demo", "[--once] [--scenario NAME] [OPTIONS]", "send a simulated fleet's telemetry to a running server", NULL,
        cmd_demo, true},
    {"completion", "bash|zsh|fish", "print completion for a shell",
        "Examples:\n  meerkat completion bash > /etc/bash_completion.d/meerkat\n"
        "  meerkat completion zsh > ~/.zfunc/_meerkat\n"
        "  meerkat completion fish > ~/.config/fish/completions/meerkat.fish\n",
        cmd_completion},
    {"man", "", "print the manual page", "Examples:\n  meerkat man | man -l -\n", cmd_man},
    {"backup", "[--server URL | --data-dir DIR] DEST", "copy everything the server keeps, while it runs",
        "Metrics, logs, traces, users and all other state as of one moment, with checksums. Run it on the server's "
        "machine as\n"
        "a user who may read the data directory. A second backup to the same DEST copies only new parts; an "
        "interrupted\n"
        "one leaves the one before as it was. --data-dir is for a stopped server.\n\n"
        "Examples:\n  meerkat backup /backup/meerkat\n  meerkat backup --data-dir ./meerkat-data /backup/meerkat\n",
        cmd_backup, true},
    {"restore", "--data-dir DIR SRC", "make a data directory from a backup",
        "Every file is checked against the backup's manifest; on damage nothing is made. DIR must not exist or be "
        "empty.\n\n"
        "Examples:\n  meerkat restore --data-dir ./meerkat-data /backup/meerkat\n",
        cmd_restore},
    {"tsdb list", "[-r] [DIR]", "list the blocks of a data directory",
        "DIR is a data directory of Meerkat (default ./meerkat-data; its server must be stopped) or of Prometheus.\n"
        "-r prints times and sizes for people.\n\n"
        "Examples:\n  meerkat tsdb list -r /var/lib/prometheus/metrics2\n",
        cmd_tsdb_list},
    {"tsdb analyze", "[--limit N] [--extended] [--match SELECTOR] [DIR [BLOCK]]",
        "churn and cardinality of a block's labels",
        "Of the newest block unless one is named as `meerkat tsdb list` shows it.\n\n"
        "Examples:\n  meerkat tsdb analyze --limit 10 ./meerkat-data\n",
        cmd_tsdb_analyze},
    {"tsdb dump", "[--min-time MS] [--max-time MS] [--match SELECTOR]... [--format prom|seriesjson] [DIR]",
        "print samples, one a line",
        "Prints `{labels} value timestamp`, sorted by labels and time; with --format seriesjson only the series.\n"
        "--start and --end take RFC 3339, Unix seconds or a duration back from now instead of milliseconds.\n\n"
        "Examples:\n  meerkat tsdb dump --match 'up{job=\"node\"}' --start 1h ./meerkat-data\n",
        cmd_tsdb_dump},
    {"tsdb dump-openmetrics", "[--min-time MS] [--max-time MS] [--match SELECTOR]... [DIR]",
        "print samples as OpenMetrics text",
        "What `promtool tsdb create-blocks-from openmetrics` reads. Native histograms have no such form and are left "
        "out.\n\n"
        "Examples:\n  meerkat tsdb dump-openmetrics --start 7d ./meerkat-data > samples.om\n",
        cmd_tsdb_dump_openmetrics},
    {"tsdb create-blocks-from openmetrics", "[--label NAME=VALUE]... [-q] [-r] FILE [DIR]",
        "make Prometheus blocks from OpenMetrics text",
        "Every sample needs a timestamp. The blocks go to DIR (default ./data) and do not cross multiples of two "
        "hours;\n"
        "Prometheus takes them in its data directory, `meerkat tsdb import` reads them.\n\n"
        "  --label NAME=VALUE     a label that all series get; may be given several times\n"
        "  -q, --quiet            do not print the blocks\n"
        "  -r, --human-readable   print times and sizes for people\n\n"
        "Examples:\n  meerkat tsdb create-blocks-from openmetrics samples.om ./blocks\n",
        cmd_tsdb_create_blocks},
    {"tsdb create-blocks-from rules", "[--url URL] --start T [--end T] [--output-dir DIR] [--eval-interval D] FILE...",
        "make Prometheus blocks of past values of recording rules",
        "A server that has the data (default: http://localhost:9090) evaluates the rules at multiples of their group's "
        "interval.\n"
        "Alerting rules are left out. The blocks go to DIR (default ./data); `meerkat tsdb import` reads them.\n\n"
        "  --url URL          the server to ask; --http.config.file FILE says how to sign in\n"
        "  --start T, --end T from when to when: RFC 3339 or Unix seconds; the end is three hours ago unless given\n"
        "  --output-dir DIR   where the blocks go\n"
        "  --eval-interval D  of groups that have no interval (60s)\n\n"
        "Examples:\n  meerkat tsdb create-blocks-from rules --start 2026-11-01T00:00:00Z --output-dir ./blocks "
        "rules.yml\n",
        cmd_promtool_verb},
    {"tsdb bench write", "[--metrics N] [--scrapes N] [--out DIR] [FILE]", "how fast this machine takes samples",
        "Appends samples to a store of its own, below DIR (default ./benchout), and prints how many a second were on "
        "disk.\n"
        "Series come from FILE, a JSON object of labels a line, or are made up.\n\n"
        "  --metrics N  how many series there are (10000)\n"
        "  --scrapes N  how many samples each gets (3000)\n"
        "  --out DIR    where the store is made\n\n"
        "Examples:\n  meerkat tsdb bench write --metrics 100000 --scrapes 100\n",
        cmd_promtool_verb},
    {"tsdb import", "[--data-dir DIR | --server URL] [--start T] [--end T] DIR",
        "take over a Prometheus data directory",
        "Reads blocks, head chunks and write-ahead logs of a Prometheus that is stopped (or of a snapshot of it) and "
        "adds\n"
        "their samples to a data directory whose server is stopped, or sends them to a running server. Doing it again\n"
        "after an interruption does no harm: samples that are there already are kept once.\n\n"
        "Examples:\n  meerkat tsdb import --data-dir ./meerkat-data /var/lib/prometheus/metrics2\n"
        "  meerkat tsdb import --server http://127.0.0.1:9090 /backup/prometheus/snapshots/20260101T000000Z-1a2b\n",
        cmd_tsdb_import},
    {"tsdb export", "--output DIR [--data-dir DIR] [--start T] [--end T] [--match SELECTOR]",
        "write samples as Prometheus blocks",
        "The blocks do not cross multiples of two hours; Prometheus, promtool, Thanos and Mimir read them. The server "
        "must\n"
        "be stopped; of a running one, POST /api/v1/admin/tsdb/snapshot writes the same.\n\n"
        "Examples:\n  meerkat tsdb export --output ./blocks --start 7d\n",
        cmd_tsdb_export},
    {"debug dump-wal", "[--json] DIR", "print the frames of a write-ahead log",
        "Examples:\n  meerkat debug dump-wal meerkat-data/metrics/wal\n", cmd_debug_dump_wal},
    {"debug dump-part", "[--json] FILE", "print the blocks of a part",
        "Examples:\n  meerkat debug dump-part meerkat-data/logs/parts/part-0000000000000001.mkp\n",
        cmd_debug_dump_part},
};

const size_t command_table_n = ARRAY_LEN(command_table);

static int print_version(void) {
    printf("meerkat %s (build %s)\n", MEERKAT_VERSION, crash_build_id()[0] ? crash_build_id() : "unknown");
    return 0;
}

/* Links to the program by other programs' names do what those do. */
static int run_as(const char *name, int argc, char **argv) {
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } names[] = {{"amtool", cmd_amtool}, {"alertmanager", cmd_alertmanager}, {"prometheus", cmd_prometheus},
        {"promtool", cmd_promtool}};
    const char *slash = strrchr(name, '/');
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(slash ? slash + 1 : name, names[i].name) == 0) return names[i].run(argc, argv);
    }
    return -1;
}

int main(int argc, char **argv) {
    hash_set_process_seed(random_u64());
    signals_block();
    crash_install(MEERKAT_VERSION);
    log_ring_install();
    int code = argc ? run_as(argv[0], argc - 1, argv + 1) : -1;
    if (code >= 0) return code;
    if (argc < 2) {
        command_put_overview(stderr);
        return 2;
    }
    if (strcmp(argv[1], "help") == 0 && argc > 2) return command_help(argc - 2, argv + 2);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        command_put_overview(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) return print_version();
    return command_dispatch(argc - 1, argv + 1);
}
