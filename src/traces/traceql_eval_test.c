/* TraceQL over hand-made traces: which spans each query selects. What differs from Tempo 3.0 beside which the table was
 * made is said in docs/traceql.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "traces/span_codec.h"
#include "traces/traceql_fixture_test.h"

#define TRACES 5

/* Spans as trace.span in ascending start; " | " between the spansets of one trace. */
static const struct {
    const char *query, *spans;
} cases[] = {
    {"{}", "1.1 1.2 1.3 1.4 1.6 1.7 1.5 2.1 2.2 2.3 2.4 3.2 3.3 3.4 4.1 4.2 4.3"},
    {"{ true }", "1.1 1.2 1.3 1.4 1.6 1.7 1.5 2.1 2.2 2.3 2.4 3.2 3.3 3.4 4.1 4.2 4.3"},
    {"{ false }", ""},
    {"{ .http.method = \"GET\" }", "1.1 1.3"},
    {"{ span.http.method = \"GET\" }", "1.1 1.3"},
    {"{ resource.http.method = \"GET\" }", ""},
    {"{ .cluster = \"prod\" }", "1.1 1.2 1.3 1.4 1.5 2.1 3.2 3.3 3.4"},
    {"{ span.cluster = \"prod\" }", ""},
    {"{ resource.cluster = \"dev\" }", "1.6 1.7 2.2 2.3 2.4"},
    {"{ resource.service.name = \"cart\" }", "1.3 1.4 1.5 3.3 3.4"},
    {"{ .service.name = \"cart\" }", "1.3 1.4 1.5 3.3 3.4"},
    {"{ span.http.status_code = 500 }", "1.1"},
    {"{ span.http.status_code = 200 }", ""},
    {"{ span.http.status_code = \"200\" }", "1.6"},
    {"{ span.http.status_code >= 500 }", "1.1 1.3"},
    {"{ span.http.status_code >= \"100\" }", "1.6"},
    {"{ span.http.status_code != 500 }", "1.3"},
    {"{ span.http.method != \"GET\" }", "1.6 3.2"},
    {"{ span.http.method != nil }", "1.1 1.3 1.6 3.2"},
    {"{ span.http.method = nil }", "1.2 1.4 1.7 1.5 2.1 2.2 2.3 2.4 3.3 3.4 4.1 4.2 4.3"},
    {"{ nil = span.http.method }", "1.2 1.4 1.7 1.5 2.1 2.2 2.3 2.4 3.3 3.4 4.1 4.2 4.3"},
    {"{ nil != span.http.method }", "1.1 1.3 1.6 3.2"},
    {"{ .foo = nil }", "1.1 1.2 1.3 1.4 1.6 1.7 2.3 2.4 3.2 3.4 4.1 4.2 4.3"},
    {"{ resource.version = nil }", "1.1 1.2 1.6 1.7 2.1 2.2 2.3 2.4 3.2 3.3 3.4 4.1 4.2 4.3"},
    {"{ resource.version != nil }", "1.3 1.4 1.5"},
    {"{ !(span.http.method = \"GET\") }", "1.2 1.4 1.6 1.7 1.5 2.1 2.2 2.3 2.4 3.2 3.3 3.4 4.1 4.2 4.3"},
    {"{ !(span.http.method != nil) }", "1.2 1.4 1.7 1.5 2.1 2.2 2.3 2.4 3.3 3.4 4.1 4.2 4.3"},
    {"{ span.http.method =~ \"G.*\" }", "1.1 1.3"},
    {"{ span.http.method =~ \"E\" }", ""},
    {"{ span.http.method =~ \".*E.*\" }", "1.1 1.3"},
    {"{ span.http.method !~ \"G.*\" }", "1.6 3.2"},
    {"{ span.http.method =~ \"GET|PUT\" }", "1.1 1.3 3.2"},
    {"{ .cache.hit }", "1.1"},
    {"{ !.cache.hit }", "1.2"},
    {"{ .cache.hit = true }", "1.1"},
    {"{ .cache.hit != true }", "1.2"},
    {"{ .cache.hit || .foo = \"bar\" }", "1.1 1.5 2.2 3.3"},
    {"{ .cache.hit && .http.method = \"GET\" }", "1.1"},
    {"{ span.ratio = 0.5 }", "1.1"},
    {"{ span.ratio > 1 }", "1.2"},
    {"{ span.ratio < 1.5 }", "1.1"},
    {"{ span.retries = 2.0 }", "1.3"},
    {"{ span.retries > 1.5 }", "1.3"},
    {"{ .n = 1 }", "4.1"},
    {"{ .n >= 2 }", "4.2 4.3"},
    {"{ .n > 2.4 }", "4.3"},
    {"{ .rows > 10 }", "1.5"},
    {"{ .rows * 2 = 20 }", "1.4"},
    {"{ .rows + 5 > 20 }", "1.5"},
    {"{ .rows - 5 = 5 }", "1.4"},
    {"{ .rows / 3 > 3.2 }", "1.5"},
    {"{ .rows / 3 = 3 }", "1.4"},
    {"{ .rows % 3 = 1 }", "1.4"},
    {"{ .rows ^ 2 = 100 }", "1.4"},
    {"{ -.rows = -10 }", "1.4"},
    {"{ .bytes = -5 }", "2.4"},
    {"{ .bytes < 0 }", "2.4"},
    {"{ .size > 1024 * 1024 }", "1.2"},
    {"{ .missing + 1 = 1 }", ""},
    {"{ duration > 50ms }", "1.1 1.3 2.2 2.3 2.4"},
    {"{ duration = 20ms }", "1.2 3.3"},
    {"{ duration >= 0.5s }", "2.2 2.3"},
    {"{ duration < 3ms }", "1.7 4.1 4.3"},
    {"{ duration > 100000000 }", "2.2 2.3 2.4"},
    {"{ duration > 1.5 }", "1.1 1.2 1.3 1.4 1.6 1.7 1.5 2.1 2.2 2.3 2.4 3.2 3.3 3.4 4.1 4.2 4.3"},
    {"{ duration * 2 > 1s }", "2.2"},
    {"{ duration > 10ms && duration <= 40ms }", "1.2 1.4 3.3"},
    {"{ span:duration > 1s }", "2.2"},
    {"{ traceDuration > 1s }", "2.1 2.2 2.3 2.4"},
    {"{ trace:duration < 20ms }", "4.1 4.2 4.3"},
    {"{ status = error }", "1.3 1.5 2.4 3.3"},
    {"{ status = ok }", "1.2 1.6 2.2 2.3 4.1 4.2"},
    {"{ status = unset }", "1.1 1.4 1.7 2.1 3.2 3.4 4.3"},
    {"{ status != error }", "1.1 1.2 1.4 1.6 1.7 2.1 2.2 2.3 3.2 3.4 4.1 4.2 4.3"},
    {"{ kind = server }", "1.1 1.3 3.2"},
    {"{ kind != client }", "1.1 1.2 1.3 1.7 2.1 2.2 2.3 2.4 3.2 4.1 4.2 4.3"},
    {"{ kind = producer || kind = consumer }", "2.1 2.2"},
    {"{ kind = unspecified }", ""},
    {"{ name = \"SELECT\" }", "1.4 1.5"},
    {"{ name =~ \"GET .*\" }", "1.1 1.3"},
    {"{ name != \"step\" && name !~ \"late.*\" }", "1.1 1.2 1.3 1.4 1.6 1.7 1.5 2.1 2.2 4.1 4.2 4.3"},
    {"{ statusMessage = \"timeout\" }", "1.3"},
    {"{ statusMessage != \"\" }", "1.3 1.5 2.4"},
    {"{ statusMessage = \"\" }", "1.1 1.2 1.4 1.6 1.7 2.1 2.2 2.3 3.2 3.3 3.4 4.1 4.2 4.3"},
    {"{ statusMessage =~ \".+\" }", "1.3 1.5 2.4"},
    {"{ childCount = 0 }", "1.2 1.4 1.7 1.5 2.4 3.3 3.4 4.1 4.3"},
    {"{ childCount > 1 }", "1.1 1.3"},
    {"{ span:childCount = 2 }", "1.3"},
    {"{ parent = nil }", "1.1 2.1 4.1 4.2"},
    {"{ parent != nil }", "1.2 1.3 1.4 1.6 1.7 1.5 2.2 2.3 2.4 3.2 3.3 3.4 4.3"},
    {"{ span:id = \"0000000000000003\" }", "1.3 2.3 3.3 4.3"},
    {"{ span:parentID = \"0000000000000003\" }", "1.4 1.5 2.4"},
    {"{ span:parentID = \"\" }", "1.1 2.1 4.1 4.2"},
    {"{ trace:id = \"00000000000000000000000000000002\" }", "2.1 2.2 2.3 2.4"},
    {"{ trace:id = \"2\" }", "2.1 2.2 2.3 2.4"},
    {"{ rootName = \"publish\" }", "2.1 2.2 2.3 2.4"},
    {"{ rootServiceName = \"cron\" }", "4.1 4.2 4.3"},
    {"{ trace:rootName = \"GET /cart\" }", "1.1 1.2 1.3 1.4 1.6 1.7 1.5"},
    {"{ trace:rootService =~ \"fr.*\" }", "1.1 1.2 1.3 1.4 1.6 1.7 1.5"},
    {"{ rootName != \"publish\" }", "1.1 1.2 1.3 1.4 1.6 1.7 1.5 3.2 3.3 3.4 4.1 4.2 4.3"},
    {"{ rootName = \"\" }", "3.2 3.3 3.4"},
    {"{ nestedSetParent < 0 }", "1.1 2.1 4.1 4.2"},
    {"{ nestedSetParent = 0 }", "3.2 3.4"},
    {"{ nestedSetParent = 1 }", "1.2 1.3 1.6 2.2 3.3"},
    {"{ nestedSetLeft = 1 }", "1.1 2.1 3.2 4.1"},
    {"{ nestedSetLeft > 2 && nestedSetRight < 12 }", "1.3 1.4 1.5 2.3 2.4 3.4 4.2 4.3"},
    {"{ nestedSetRight = 0 }", ""},
    {"{ event:name = \"exception\" }", "1.3 1.5"},
    {"{ event:name != \"exception\" }", "1.3 2.2"},
    {"{ event:name = \"checkpoint\" && event.n = 4 }", "2.2"},
    {"{ event:name =~ \"ex.*\" }", "1.3 1.5"},
    {"{ event:name != nil }", "1.3 1.5 2.2"},
    {"{ event:name = nil }", "1.1 1.2 1.4 1.6 1.7 2.1 2.3 2.4 3.2 3.3 3.4 4.1 4.2 4.3"},
    {"{ event.exception.message = \"boom\" }", "1.3"},
    {"{ event.exception.message != \"boom\" }", "1.5"},
    {"{ event.exception.message = nil }", "1.1 1.2 1.4 1.6 1.7 2.1 2.2 2.3 2.4 3.2 3.3 3.4 4.1 4.2 4.3"},
    {"{ event.n = 3 }", "2.2"},
    {"{ event.n > 3 }", "2.2"},
    {"{ event.n != 3 }", "1.3 2.2"},
    {"{ event:timeSinceStart > 500ms }", "2.2"},
    {"{ event:timeSinceStart < 2ms }", "1.5 2.2"},
    {"{ link:traceID = \"00000000000000000000000000000001\" }", "2.1 2.2"},
    {"{ link:spanID = \"0000000000000001\" }", "2.2"},
    {"{ link.reason = \"retry\" }", "2.1"},
    {"{ link.reason != \"retry\" }", "2.2"},
    {"{ link.x = 1 }", "2.2"},
    {"{ link.reason = nil }", "1.1 1.2 1.3 1.4 1.6 1.7 1.5 2.3 2.4 3.2 3.3 3.4 4.1 4.2 4.3"},
    {"{ instrumentation:name = \"kafka\" }", "2.1 2.2 2.3 2.4"},
    {"{ instrumentation:version = \"2.0\" }", "1.4 1.5"},
    {"{ instrumentation.driver = \"pq\" }", "1.4 1.5"},
    {"{ instrumentation:name = \"\" }", "1.6 1.7 3.2 3.3 3.4 4.1 4.2 4.3"},
    {"{ instrumentation:name != \"\" }", "1.1 1.2 1.3 1.4 1.5 2.1 2.2 2.3 2.4"},
    {"{ parent.http.method = \"GET\" }", "1.2 1.3 1.4 1.6 1.5"},
    {"{ parent.resource.cluster = \"dev\" }", "1.7 2.3 2.4"},
    {"{ parent.span.http.method = \"GET\" }", "1.2 1.3 1.4 1.6 1.5"},
    {"{ parent.cluster = \"prod\" && resource.cluster = \"dev\" }", "1.6 2.2"},
    {"{ .tags = \"x\" }", "1.4"},
    {"{ .tags = \"y\" }", "1.4 1.5"},
    {"{ .tags != \"x\" }", "1.5"},
    {"{ .tags != \"y\" }", ""},
    {"{ .tags =~ \"[xy]\" }", "1.4 1.5"},
    {"{ .tags !~ \"x|y\" }", ""},
    {"{ .tags !~ \"z\" }", "1.4"},
    {"{ .nums = 1 }", "1.4"},
    {"{ .nums != 1 }", ""},
    {"{ .nums > 1 }", "1.4"},
    {"{ .tags != nil }", "1.4 1.5"},
    {"{ .foo = \"bar\" || .foo = \"baz\" && .bytes = 300 }", "2.2"},
    {"{ .bytes = 300 && .foo = \"baz\" || .foo = \"bar\" }", "1.5 2.2 3.3"},
    {"{ true || false && false }", ""},
    {"{ .http.method = \"GET\" = true }", "1.1 1.3"},
    {"{ .http.status_code = 500 || true && false }", ""},
    {"{ .foo = .foo }", "1.5 2.1 2.2 3.3"},
    {"{ .retries < .http.status_code }", "1.3"},
    {"{ name = .foo }", ""},
    {"{ .with = nil && .user.id = 7 }", "1.6 1.7"},
    {"{ resource.cluster = \"prod\" } && { resource.cluster = \"dev\" }",
        "1.1 1.2 1.3 1.4 1.6 1.7 1.5 2.1 2.2 2.3 2.4"},
    {"{ .foo = \"bar\" } && { .missing = 1 }", ""},
    {"{ .foo = \"bar\" } || { .missing = 1 }", "1.5 2.2 3.3"},
    {"{ .http.method = \"GET\" } || { .foo = \"bar\" }", "1.1 1.3 1.5 2.2 3.3"},
    {"{ resource.service.name = \"frontend\" } > { resource.service.name = \"cart\" }", "1.3 3.3"},
    {"{ } > { name = \"SELECT\" }", "1.4 1.5"},
    {"{ name = \"GET /cart\" } >> { name = \"SELECT\" }", "1.4 1.5"},
    {"{ name = \"GET /cart\" } >> { }", "1.2 1.3 1.4 1.6 1.7 1.5"},
    {"{ status = error } >> { status = error }", "1.5"},
    {"{ name = \"SELECT\" } << { }", "1.1 1.3"},
    {"{ name = \"SELECT\" } < { }", "1.3"},
    {"{ name = \"verify\" } << { resource.service.name = \"frontend\" }", "1.1"},
    {"{ name = \"render\" } ~ { }", "1.3 1.6"},
    {"{ name = \"SELECT\" } ~ { name = \"SELECT\" }", "1.4 1.5"},
    {"{ } ~ { }", "1.2 1.3 1.4 1.6 1.5 3.2 3.4 4.1 4.2"},
    {"{ name = \"tick\" } ~ { name = \"tock\" }", "4.2"},
    {"{ name = \"late\" } ~ { }", "3.4"},
    {"{ name = \"late\" } > { }", "3.3"},
    {"{ name = \"late\" } >> { }", "3.3"},
    {"{ } !< { }", "1.2 1.4 1.7 1.5 2.4 3.3 3.4 4.1 4.3"},
    {"{ } !> { }", "1.1 2.1 3.2 3.4 4.1 4.2"},
    {"{ } !>> { }", "1.1 2.1 3.2 3.4 4.1 4.2"},
    {"{ } !<< { }", "1.2 1.4 1.7 1.5 2.4 3.3 3.4 4.1 4.3"},
    {"{ } !~ { }", "1.1 1.7 2.1 2.2 2.3 2.4 3.3 4.3"},
    {"{ status = error } !< { status = error }", "1.5 2.4 3.3"},
    {"{ status = error } !> { status = error }", "1.3 2.4 3.3"},
    {"{ name = \"SELECT\" } !<< { }", "1.2 1.4 1.6 1.7 1.5 2.1 2.2 2.3 2.4 3.2 3.3 3.4 4.1 4.2 4.3"},
    {"{ name = \"GET /items\" } !>> { name = \"SELECT\" || name = \"verify\" }", "1.7"},
    {"{ name = \"render\" } !~ { }", "1.1 1.2 1.4 1.7 1.5 2.1 2.2 2.3 2.4 3.2 3.3 3.4 4.1 4.2 4.3"},
    {"{ name = \"nothing\" } !> { name = \"SELECT\" }", "1.4 1.5"},
    {"{ status = error } &> { status = error }", "1.3 1.5"},
    {"{ status = error } &>> { status = error }", "1.3 1.5"},
    {"{ name = \"SELECT\" } &<< { kind = server }", "1.1 1.3 1.4 1.5"},
    {"{ name = \"SELECT\" } &< { }", "1.3 1.4 1.5"},
    {"{ name = \"render\" } &~ { kind = client }", "1.2 1.6"},
    {"{ } &~ { }", "1.2 1.3 1.4 1.6 1.5 3.2 3.4 4.1 4.2"},
    {"{ } &> { name = \"SELECT\" }", "1.3 1.4 1.5"},
    {"({ name = \"GET /cart\" } >> { name = \"check\" }) > { name = \"verify\" }", "1.7"},
    {"{ name = \"GET /cart\" } > { name = \"check\" } > { name = \"verify\" }", "1.7"},
    {"{ name = \"GET /cart\" } > ({ name = \"check\" } > { name = \"verify\" })", ""},
    {"{ name = \"a\" } || { name = \"tick\" } && { name = \"tock\" }", "4.1 4.2"},
    {"{ name = \"GET /cart\" } && { name = \"SELECT\" } >> { name = \"tick\" }", ""},
    {"{ } | count() > 4", "1.1 1.2 1.3 1.4 1.6 1.7 1.5"},
    {"{ } | count() = 3", "3.2 3.3 3.4 4.1 4.2 4.3"},
    {"{ status = error } | count() >= 2", "1.3 1.5"},
    {"{ status = error } | by(resource.service.name) | count() > 1", "1.3 1.5"},
    {"{ } | by(resource.service.name)", "1.1 1.2 | 1.3 1.4 1.5 | 1.6 1.7 2.1 | 2.2 2.3 2.4 3.2 | 3.3 3.4 4.1 4.2 4.3"},
    {"{ } | by(status)", "1.1 1.4 1.7 | 1.2 1.6 | 1.3 1.5 2.1 | 2.2 2.3 | 2.4 3.2 3.4 | 3.3 4.1 4.2 | 4.3"},
    {"{ } | by(.foo)", "1.1 1.2 1.3 1.4 1.6 1.7 | 1.5 2.1 | 2.2 | 2.3 2.4 3.2 3.4 | 3.3 4.1 4.2 4.3"},
    {"{ } | by(kind = server)", "1.1 1.3 | 1.2 1.4 1.6 1.7 1.5 2.1 2.2 2.3 2.4 3.2 | 3.3 3.4 4.1 4.2 4.3"},
    {"{ } | by(span.rows / 10)", "1.1 1.2 1.3 1.6 1.7 | 1.4 | 1.5 2.1 2.2 2.3 2.4 3.2 3.3 3.4 4.1 4.2 4.3"},
    {"{ } | by(resource.service.name) | count() > 1 | coalesce()",
        "1.1 1.2 1.3 1.4 1.6 1.7 1.5 2.2 2.3 2.4 3.3 3.4 4.1 4.2 4.3"},
    {"{ } | by(resource.service.name) | by(status)",
        "1.1 | 1.2 | 1.3 1.5 | 1.4 | 1.6 | 1.7 2.1 | 2.2 2.3 | 2.4 3.2 | 3.3 | 3.4 4.1 4.2 | 4.3"},
    {"{ } | avg(duration) > 100ms", "2.1 2.2 2.3 2.4"},
    {"{ } | max(duration) >= 2s", "2.1 2.2 2.3 2.4"},
    {"{ } | min(.bytes) < 0", "2.1 2.2 2.3 2.4"},
    {"{ } | sum(.bytes) = 445", "2.1 2.2 2.3 2.4"},
    {"{ } | avg(.missing) != 0", ""},
    {"{ } | sum(.rows) = 30", "1.1 1.2 1.3 1.4 1.6 1.7 1.5"},
    {"{ } | sum(.foo) > 0", ""},
    {"{ } | max(duration) - min(duration) > 1s", "2.1 2.2 2.3 2.4"},
    {"{ } | count() * 2 > 13", "1.1 1.2 1.3 1.4 1.6 1.7 1.5"},
    {"{ } | count() > 1 + 2", "1.1 1.2 1.3 1.4 1.6 1.7 1.5 2.1 2.2 2.3 2.4"},
    {"{ } | { status = error } | count() > 1", "1.3 1.5"},
    {"{ .foo = \"bar\" } | select(.rows)", "1.5 2.2 3.3"},
    {"{ status = error } | select(.rows) | { .rows = 20 }", "1.5"},
    {"{ } | select(.http.method) | { !(.http.method != nil) }", "1.2 1.4 1.7 1.5 2.1 2.2 2.3 2.4 3.3 3.4 4.1 4.2 4.3"},
    {"({ .foo = \"bar\" } | count() > 1) && { }", ""},
    {"({ .foo = \"bar\" }) && ({ } | count() > 3)", "1.1 1.2 1.3 1.4 1.6 1.7 1.5 2.1 2.2 2.3 2.4"},
    {"({ status = error } | count() > 1) || ({ } | count() = 3)", "1.3 1.5 3.2 3.3 3.4 4.1 4.2 4.3"},
    {"({ name = \"GET /cart\" } | count() > 0) >> { name = \"SELECT\" }", "1.4 1.5"},
    {"count() > 5", "1.1 1.2 1.3 1.4 1.6 1.7 1.5"},
    {"avg(duration) > 300ms", "2.1 2.2 2.3 2.4"},
    {"by(resource.service.name) | count() > 2", "1.3 1.4 1.5 2.2 2.3 2.4 4.1 4.2 4.3"},
    {"({ status = error } | count()) > 1", "1.3 1.5"},
    {"({ status = error } | count()) > ({ status = ok } | count())", "3.3"},
    {"{ } | avg(.n) > 1.5", "4.1 4.2 4.3"},
    {"{ } | count() != 3", "1.1 1.2 1.3 1.4 1.6 1.7 1.5 2.1 2.2 2.3 2.4"},
    {"{ name =~ \"(?i)get.*\" }", "1.1 1.3"},
    {"{ span.http.method = `GET` }", "1.1 1.3"},
    {"{ .rows >= minInt && .rows < maxInt }", "1.4 1.5"},
    {"{ status = error && event:name = \"exception\" }", "1.3 1.5"},
    {"{ 1 = 1 }", "1.1 1.2 1.3 1.4 1.6 1.7 1.5 2.1 2.2 2.3 2.4 3.2 3.3 3.4 4.1 4.2 4.3"},
    {"{ 1 = 2 }", ""},
    {"{ \"a\" = \"a\" }", "1.1 1.2 1.3 1.4 1.6 1.7 1.5 2.1 2.2 2.3 2.4 3.2 3.3 3.4 4.1 4.2 4.3"},
    {"{ duration > 1ms + 1ms }", "1.1 1.2 1.3 1.4 1.6 1.5 2.1 2.2 2.3 2.4 3.2 3.3 3.4 4.2"},
    {"{ .http.status_code / 100 = 5 }", "1.1 1.3"},
    {"{ event.n = 1 || event.n = 4 }", "1.3 2.2"},
    {"{ !(event.n = 1) }", "1.1 1.2 1.4 1.6 1.7 1.5 2.1 2.2 2.3 2.4 3.2 3.3 3.4 4.1 4.2 4.3"},
    {"{ !(.tags = \"x\") }", "1.1 1.2 1.3 1.6 1.7 1.5 2.1 2.2 2.3 2.4 3.2 3.3 3.4 4.1 4.2 4.3"},
    {"{ !true }", ""},
    {"{ resource.service.name != \"cart\" && status = error }", "2.4"},
    {"{ .bytes > 50 && .bytes < 300 }", "2.1"},
    {"{ statusMessage != nil }", "1.1 1.2 1.3 1.4 1.6 1.7 1.5 2.1 2.2 2.3 2.4 3.2 3.3 3.4 4.1 4.2 4.3"},
    {"{ duration != nil }", "1.1 1.2 1.3 1.4 1.6 1.7 1.5 2.1 2.2 2.3 2.4 3.2 3.3 3.4 4.1 4.2 4.3"},
    {"{ kind != nil }", "1.1 1.2 1.3 1.4 1.6 1.7 1.5 2.1 2.2 2.3 2.4 3.2 3.3 3.4 4.1 4.2 4.3"},
    {"{ rootServiceName != nil }", "1.1 1.2 1.3 1.4 1.6 1.7 1.5 2.1 2.2 2.3 2.4 3.2 3.3 3.4 4.1 4.2 4.3"},
    {"{ link:spanID != nil }", "2.1 2.2"},
    {"{ parent.http.method = nil }", "1.1 2.1 2.2 2.3 2.4 3.2 3.4 4.1 4.2 4.3"},
    {"{ parent.http.method != nil }", "1.2 1.3 1.4 1.6 1.7 1.5 3.3"},
    {"{ span:id != nil }", "1.1 1.2 1.3 1.4 1.6 1.7 1.5 2.1 2.2 2.3 2.4 3.2 3.3 3.4 4.1 4.2 4.3"},
    {"{ .http.method > \"GET\" }", "1.6 3.2"},
    {"{ .http.method <= \"POST\" }", "1.1 1.3 1.6"},
    {"{ name > \"s\" }", "1.7 2.3 2.4 4.1 4.2 4.3"},
    {"{ .version = \"2\" }", "1.3 1.4 1.5"},
    {"{ .size / 2 > 500000 }", "1.2"},
    {"{ .http.status_code / 100 = 5 && kind = server }", "1.1 1.3"},
    {"{ .rows * 1.5 = 15 }", "1.4"},
    {"{ .rows / 0 = 1 }", ""},
    {"{ span:id = \"3\" }", "1.3 2.3 3.3 4.3"},
    {"{ link:traceID = \"1\" }", "2.1 2.2"},
    {"{ link:spanID = \"3\" && link.reason = \"retry\" }", "2.1"},
    {"{ span:duration = 2s }", "2.2"},
    {"{ duration = 0.1s }", "1.1"},
    {"{ .n = 2.5 }", "4.3"},
    {"{ .n != 2.5 }", "4.1 4.2"},
    {"{ event:timeSinceStart = 20ms }", "1.3"},
    {"{ event.exception.type = \"E\" && event.n = 1 }", "1.3"},
    {"{ .tags = \"x\" && .tags = \"y\" }", "1.4"},
    {"{ .tags = \"q\" || .nums = 2 }", "1.4"},
    {"{ parent.name = nil }", "1.1 1.2 1.3 1.4 1.6 1.7 1.5 2.1 2.2 2.3 2.4 3.2 3.3 3.4 4.1 4.2 4.3"},
    {"{ parent = nil && status = ok }", "4.1 4.2"},
    {"{ parent != nil && status = ok }", "1.2 1.6 2.2 2.3"},
    {"{ nestedSetLeft = 2 }", "1.2 2.2 3.3"},
    {"{ nestedSetParent = 5 }", ""},
    {"{ .foo =~ \"ba.\" }", "1.5 2.1 2.2 3.3"},
    {"{ .foo !~ \"bar\" }", "2.1"},
    {"{ .foo =~ \"\" }", ""},
    {"{ .user.id =~ \"7\" }", ""},
    {"{ resource.service.name =~ \"c.*\" } > { resource.service.name =~ \"c.*\" }", "1.4 1.5 4.3"},
    {"{ kind = server } < { kind = server }", "1.1"},
    {"{ name = \"step\" } >> { name = \"step\" }", "2.4"},
    {"{ name = \"step\" } << { name = \"publish\" }", "2.1"},
    {"{ name = \"publish\" } &>> { name = \"step\" }", "2.1 2.3 2.4"},
    {"{ name = \"step\" } &<< { name = \"publish\" }", "2.1 2.3 2.4"},
    {"{ name = \"check\" } ~ { name = \"render\" }", "1.2"},
    {"{ name = \"check\" } &~ { name = \"render\" }", "1.2 1.6"},
    {"{ name = \"late\" } ~ { name = \"late sibling\" }", "3.4"},
    {"{ } >> { } >> { } >> { }", "2.4"},
    {"{ status = error } && ({ kind = client } || { kind = server })", "1.1 1.3 1.4 1.6 1.5 3.2 3.3 3.4"},
    {"{ } | by(kind) | count() > 1", "1.1 1.3 | 1.2 1.7 | 1.4 1.6 1.5 2.3 2.4 3.3 3.4 4.1 4.2 4.3"},
    {"{ } | by(.tags)", "1.1 1.2 1.3 1.6 1.7 | 1.4 | 1.5 2.1 2.2 2.3 2.4 3.2 3.3 3.4 4.1 4.2 4.3"},
    {"{ } | min(duration) <= 1ms", "4.1 4.2 4.3"},
    {"{ } | max(.rows) = 20 | { .rows != nil }", "1.4 1.5"},
    {"{ } | avg(.rows) = 15", "1.1 1.2 1.3 1.4 1.6 1.7 1.5"},
    {"{ } | sum(duration) > 2.8s", "2.1 2.2 2.3 2.4"},
    {"{ } | count() > 3 | count() < 6", "2.1 2.2 2.3 2.4"},
    {"{ name = \"SELECT\" } | by(status) | coalesce()", "1.4 1.5"},
    {"{ .foo = \"bar\" } | { resource.cluster = \"prod\" }", "1.5 3.3"},
    {"{ } | by(resource.service.name) | avg(duration) > 50ms | { kind = server }", "1.1"},
};

static void fill(SpansBatch *b, int trace) {
    for (size_t i = 0; i < ARRAY_LEN(fix_spans); i++) {
        if (fix_spans[i].trace == trace) fix_put(b, &fix_spans[i]);
    }
}

static void put_sets(Buf *out, const SpansBatch *b, const TqlSpansets *sets, int trace) {
    for (size_t i = 0; i < sets->n; i++) {
        if (i) buf_put_lit(out, " |");
        for (uint32_t k = 0; k < sets->v[i].n; k++) {
            if (out->n) buf_put_char(out, ' ');
            buf_printf(out, "%d.%d", trace, b->rows.v[sets->v[i].rows[k]].span_id.b[7]);
        }
    }
}

static const TqlProgram *compile(const char *query, Arena *arena) {
    const TraceQl *q;
    const TqlProgram *p;
    Err err = {0};
    if (traceql_parse(str_cstr(query), arena, &q, &err)) fail_msg("%s: %s", query, err.msg);
    if (traceql_program_create(q->pipeline, NULL, arena, &p, &err)) fail_msg("%s: %s", query, err.msg);
    return p;
}

static void selects_spans(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Arena *arena = arena_create(ARENA_UNLIMITED);
        const TqlProgram *p = compile(cases[i].query, arena);
        Buf got = {0};
        for (int t = 1; t < TRACES; t++) {
            SpansBatch b = {.arena = arena};
            TqlSpansets sets;
            fill(&b, t);
            TqlView *v = traceql_view(&b, true, arena);
            assert_int_equal(traceql_run(p, v, arena, &sets, NULL), OK);
            put_sets(&got, &b, &sets, t);
        }
        if (!str_eq(buf_str(&got), str_cstr(cases[i].spans)))
            fail_msg("%s:\n%s, not\n%s", cases[i].query, buf_cstr(&got), cases[i].spans);
        buf_done(&got);
        arena_free(arena);
    }
}

/* A program that looks at spans alone gives the same without whole traces. */
static void local_programs_need_no_trace(void **state) {
    (void)state;
    size_t n_local = 0;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Arena *arena = arena_create(ARENA_UNLIMITED);
        const TqlProgram *p = compile(cases[i].query, arena);
        Buf got = {0};
        if (traceql_program_is_local(p)) {
            n_local++;
            for (int t = 1; t < TRACES; t++) {
                SpansBatch b = {.arena = arena};
                TqlSpansets sets;
                fill(&b, t);
                (void)span_batch_sort_dedupe(&b); /* as whole traces are shown */
                TqlView *v = traceql_view(&b, false, arena);
                assert_int_equal(traceql_run(p, v, arena, &sets, NULL), OK);
                put_sets(&got, &b, &sets, t);
            }
            if (!str_eq(buf_str(&got), str_cstr(cases[i].spans)))
                fail_msg("%s: %s, not %s", cases[i].query, buf_cstr(&got), cases[i].spans);
        }
        buf_done(&got);
        arena_free(arena);
    }
    assert_true(n_local > 100);
}

static const struct {
    const char *query;
    int trace;
    const char *numbers; /* of all spansets, in order */
} numbers[] = {
    {"{ status = error } | by(resource.service.name) | count() > 0", 1, "by(resource.service.name)=cart count()=2"},
    {"{ } | avg(duration) > 300ms", 2, "avg(duration)=702.5ms"},
    {"{ } | by(.foo)", 2, "by(.foo)=baz by(.foo)=bar by(.foo)=nil"},
    {"{ } | by(kind = server)", 3, "by(kind = server)=true by(kind = server)=false"},
    {"{ } | max(duration) - min(duration) > 1s", 2, "max(duration)=2s min(duration)=10ms"},
    {"{ } | sum(.rows) > 1 | min(.rows) = 10", 1, "sum(.rows)=30 min(.rows)=10"},
    {"{ } | avg(.rows) > 1", 1, "avg(.rows)=15"},
    {"{ } | by(name) | count() > 1 | coalesce()", 2, ""},
    {"{ } | avg(.n) > 1", 4, "avg(.n)=1.8333333333333333"},
};

static void keeps_numbers_of_stages(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        Arena *arena = arena_create(ARENA_UNLIMITED);
        SpansBatch b = {.arena = arena};
        TqlSpansets sets;
        Buf got = {0};
        fill(&b, numbers[i].trace);
        TqlView *v = traceql_view(&b, true, arena);
        assert_int_equal(traceql_run(compile(numbers[i].query, arena), v, arena, &sets, NULL), OK);
        assert_true(sets.n > 0);
        for (size_t s = 0; s < sets.n; s++) {
            vec_foreach(const TqlNumber, n, &sets.v[s].numbers) {
                if (got.n) buf_put_char(&got, ' ');
                buf_put_str(&got, n->name);
                buf_put_char(&got, '=');
                traceql_put_value(&got, &n->value);
            }
        }
        assert_string_equal(got.n ? buf_cstr(&got) : "", numbers[i].numbers);
        buf_done(&got);
        arena_free(arena);
    }
}

static const struct {
    int trace, row; /* row: 0-based, as in the fixture */
    const char *field, *value;
} values[] = {
    {1, 0, "duration", "100ms"},
    {1, 0, "name", "GET /cart"},
    {1, 0, "status", "unset"},
    {1, 0, "kind", "server"},
    {1, 0, ".ratio", "0.5"},
    {1, 0, ".cache.hit", "true"},
    {1, 0, "traceDuration", "100ms"},
    {1, 3, "rootName", "GET /cart"},
    {1, 3, "rootServiceName", "frontend"},
    {1, 3, ".tags", "[x, y]"},
    {1, 3, "span:id", "0000000000000004"},
    {1, 3, "span:parentID", "0000000000000003"},
    {1, 3, "trace:id", "00000000000000000000000000000001"},
    {1, 3, "parent.http.method", "GET"},
    {1, 3, "parent.resource.service.name", "cart"},
    {1, 3, "instrumentation:name", "sql"},
    {1, 3, "instrumentation:version", "2.0"},
    {1, 3, "instrumentation.driver", "pq"},
    {1, 0, "childCount", "3"},
    {1, 0, "nestedSetLeft", "1"},
    {1, 0, "nestedSetRight", "14"},
    {1, 0, "nestedSetParent", "-1"},
    {1, 2, "statusMessage", "timeout"},
    {2, 1, "event:name", "[start, checkpoint, checkpoint]"},
    {2, 1, "event:timeSinceStart", "[0s, 500ms, 1.5s]"},
    {2, 1, "event.n", "[3, 4]"},
    {2, 1, "link:traceID", "[00000000000000000000000000000001, 00000000000000000000000000000001]"},
    {2, 1, "link.reason", "follows"},
    {2, 0, "parent", "nil"},
    {3, 0, "rootName", ""},
    {3, 0, "nestedSetParent", "0"},
    {3, 0, ".missing", "nil"},
};

static void reads_fields(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        Arena *arena = arena_create(ARENA_UNLIMITED);
        SpansBatch b = {.arena = arena};
        TqlAttr a;
        Buf got = {0};
        fill(&b, values[i].trace);
        TqlView *v = traceql_view(&b, true, arena);
        assert_int_equal(traceql_parse_attr(str_cstr(values[i].field), arena, &a, NULL), OK);
        TqlValue value = traceql_attr_value(&a, v, (uint32_t)values[i].row, arena);
        traceql_put_value(&got, &value);
        if (strcmp(got.n ? buf_cstr(&got) : "", values[i].value) != 0)
            fail_msg("%s: %s, not %s", values[i].field, buf_cstr(&got), values[i].value);
        buf_done(&got);
        arena_free(arena);
    }
}

static const struct {
    const char *query, *attrs;
} shown[] = {
    {"{ .a = 1 && span.b = 2 || name = \"x\" }", ".a span.b name"},
    {"{ .a = 1 } | select(.c, .a, resource.d) | by(.e) | avg(.f) > 1", ".a .c resource.d .e .f"},
    {"{ .a } >> ({ .b } | { .c })", ".a .b .c"},
    {"{ }", ""},
};

static void knows_what_to_show(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
        Arena *arena = arena_create(ARENA_UNLIMITED);
        const TqlAttr *attrs;
        Buf got = {0};
        size_t n = traceql_program_attrs(compile(shown[i].query, arena), &attrs);
        for (size_t k = 0; k < n; k++) {
            if (k) buf_put_char(&got, ' ');
            traceql_print_attr(&got, &attrs[k]);
        }
        assert_string_equal(got.n ? buf_cstr(&got) : "", shown[i].attrs);
        buf_done(&got);
        arena_free(arena);
    }
}

/* Spans that are each other's parents, their own, or one id twice. */
static void odd_parents_are_no_harm(void **state) {
    (void)state;
    static const FixSpan odd[] = {
        {1, 1, 2, "a", "", "", "circle", SPAN_SERVER, SPAN_STATUS_OK, 0, 1, "", "", "", ""},
        {1, 2, 1, "a", "", "", "circle", SPAN_SERVER, SPAN_STATUS_OK, 1, 1, "", "", "", ""},
        {1, 3, 3, "a", "", "", "own", SPAN_SERVER, SPAN_STATUS_OK, 2, 1, "", "", "", ""},
        {1, 4, 0, "a", "", "", "twice", SPAN_CLIENT, SPAN_STATUS_OK, 3, 1, "", "", "", ""},
        {1, 4, 4, "a", "", "", "twice", SPAN_SERVER, SPAN_STATUS_OK, 4, 1, "", "", "", ""},
        {1, 5, 4, "a", "", "", "below", SPAN_CLIENT, SPAN_STATUS_OK, 5, 1, "", "", "", ""},
    };
    static const struct {
        const char *query;
        uint32_t n;
    } counts[] = {{"{ }", 6}, {"{ name = \"circle\" } > { }", 0}, {"{ name = \"circle\" } >> { name = \"circle\" }", 0},
        {"{ name = \"own\" } > { }", 0}, {"{ name = \"twice\" } > { name = \"below\" }", 1}, {"{ } << { }", 1},
        {"{ nestedSetLeft = 0 }", 2}};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        Arena *arena = arena_create(ARENA_UNLIMITED);
        SpansBatch b = {.arena = arena};
        TqlSpansets sets;
        for (size_t k = 0; k < ARRAY_LEN(odd); k++) fix_put(&b, &odd[k]);
        TqlView *v = traceql_view(&b, true, arena);
        assert_int_equal(traceql_run(compile(counts[i].query, arena), v, arena, &sets, NULL), OK);
        if ((sets.n ? sets.v[0].n : 0) != counts[i].n)
            fail_msg("%s: %u spans, not %u", counts[i].query, sets.n ? sets.v[0].n : 0, counts[i].n);
        arena_free(arena);
    }
}

static void says_when_memory_is_used_up(void **state) {
    (void)state;
    Arena *arena = arena_create(ARENA_UNLIMITED), *tiny = arena_create(64);
    SpansBatch b = {.arena = arena};
    TqlSpansets sets;
    Err err = {0};
    fill(&b, 1);
    TqlView *v = traceql_view(&b, true, arena);
    const TqlProgram *p = compile("{ } >> { } | by(name) | count() > 0", arena);
    assert_int_equal(traceql_run(p, v, tiny, &sets, &err), ERR_TOO_LARGE);
    assert_null(traceql_view(&b, true, tiny));
    arena_free(arena);
    arena_free(tiny);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(selects_spans),
        cmocka_unit_test(local_programs_need_no_trace),
        cmocka_unit_test(keeps_numbers_of_stages),
        cmocka_unit_test(reads_fields),
        cmocka_unit_test(knows_what_to_show),
        cmocka_unit_test(odd_parents_are_no_harm),
        cmocka_unit_test(says_when_memory_is_used_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
