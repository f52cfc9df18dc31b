/* logql_ast.h - private: the tree of a LogQL query. Nodes live in the query's arena. */
#ifndef MEERKAT_LOGS_LOGQL_AST_H
#define MEERKAT_LOGS_LOGQL_AST_H

#include "codec/regex.h"
#include "lang/lexer.h"
#include "logs/logql.h"

/* --- line filters --- */
typedef enum LqLineOp { LQ_LINE_EQ, LQ_LINE_NEQ, LQ_LINE_RE, LQ_LINE_NRE, LQ_LINE_PAT, LQ_LINE_NPAT } LqLineOp;

/* Addresses as 128-bit numbers, IPv4 in their ::ffff:0:0/96 place. */
typedef struct IpAddr {
    uint64_t hi, lo;
} IpAddr;
typedef struct IpRange {
    IpAddr first, last;
    bool v6;
} IpRange;

typedef struct LqLineAlt LqLineAlt;
struct LqLineAlt { /* one member of an `or` chain */
    LqLineAlt *next;
    Str text;
    bool is_ip;
    IpRange ip;
    const Regex *re;   /* LINE_RE, LINE_NRE; freed with the arena */
    const Str *pieces; /* LINE_PAT: the literals between wildcards */
    size_t n_pieces;
};

/* --- label filters --- */
typedef enum LqFilterKind {
    LQ_F_AND,
    LQ_F_OR,
    LQ_F_STRING,
    LQ_F_NUMBER,
    LQ_F_DURATION,
    LQ_F_BYTES,
    LQ_F_IP
} LqFilterKind;
typedef enum LqCmp { LQ_CMP_EQ, LQ_CMP_NEQ, LQ_CMP_GT, LQ_CMP_GE, LQ_CMP_LT, LQ_CMP_LE } LqCmp;
typedef struct LqFilter LqFilter;
struct LqFilter {
    LqFilterKind kind;
    LqFilter *left, *right;
    const Matcher *matcher; /* STRING */
    Str name;
    LqCmp cmp;
    double number; /* NUMBER; DURATION: seconds; BYTES */
    int64_t duration_ns;
    Str ip_text;
    IpRange ip;
};

/* --- stages --- */
typedef enum LqStageKind {
    LQ_STAGE_LINE,
    LQ_STAGE_FILTER,
    LQ_STAGE_JSON,
    LQ_STAGE_LOGFMT,
    LQ_STAGE_DROP,
    LQ_STAGE_KEEP,
    LQ_STAGE_DECOLORIZE,
} LqStageKind;

typedef struct LqNameMatch { /* drop, keep: a bare name or a matcher */
    Str name;
    const Matcher *matcher;
} LqNameMatch;

typedef struct LqStage LqStage;
struct LqStage {
    LqStage *next;
    LqStageKind kind;
    LangSpan span;
    LqLineOp line_op;
    LqLineAlt *alts;
    LqFilter *filter;
    bool strict, keep_empty; /* LOGFMT */
    AVEC(LqNameMatch) names; /* DROP, KEEP */
};

typedef enum LqConv { LQ_CONV_NONE, LQ_CONV_BYTES, LQ_CONV_DURATION } LqConv;
typedef struct LqUnwrap {
    bool set;
    Str name;
    LqConv conv;
    Str conv_text;
    LqStage *filters; /* label filters behind it */
} LqUnwrap;

/* --- expressions --- */
typedef enum LqKind { LQ_LOG, LQ_RANGE, LQ_AGG, LQ_BINARY, LQ_LITERAL, LQ_VECTOR } LqKind;

typedef enum LqRangeOp {
    LQ_COUNT_OVER_TIME,
    LQ_RATE,
    LQ_BYTES_OVER_TIME,
    LQ_BYTES_RATE,
    LQ_ABSENT_OVER_TIME,
    LQ_RATE_COUNTER,
    LQ_SUM_OVER_TIME,
    LQ_AVG_OVER_TIME,
    LQ_MIN_OVER_TIME,
    LQ_MAX_OVER_TIME,
    LQ_FIRST_OVER_TIME,
    LQ_LAST_OVER_TIME,
    LQ_STDDEV_OVER_TIME,
    LQ_STDVAR_OVER_TIME,
    LQ_QUANTILE_OVER_TIME,
    LQ_RANGE_OPS,
} LqRangeOp;

typedef enum LqAggOp {
    LQ_SUM,
    LQ_AVG,
    LQ_MIN,
    LQ_MAX,
    LQ_COUNT,
    LQ_STDDEV,
    LQ_STDVAR,
    LQ_TOPK,
    LQ_BOTTOMK,
    LQ_SORT,
    LQ_SORT_DESC,
    LQ_AGG_OPS
} LqAggOp;

typedef enum LqBinOp {
    LQ_OR,
    LQ_AND,
    LQ_UNLESS,
    LQ_BIN_EQ,
    LQ_BIN_NEQ,
    LQ_BIN_GT,
    LQ_BIN_GE,
    LQ_BIN_LT,
    LQ_BIN_LE,
    LQ_ADD,
    LQ_SUB,
    LQ_MUL,
    LQ_DIV,
    LQ_MOD,
    LQ_POW,
    LQ_BIN_OPS
} LqBinOp;

typedef struct LqGrouping {
    bool set, without;
    AVEC(Str) names;
} LqGrouping;

typedef struct LqMatching {
    bool return_bool;
    bool on, set;
    AVEC(Str) names;
    bool group_left, group_right;
    AVEC(Str) include;
} LqMatching;

struct LqExpr {
    LqKind kind;
    LangSpan span;
    /* LOG, RANGE */
    AVEC(const Matcher *) matchers;
    LqStage *stages;
    LqUnwrap unwrap;
    int64_t range_ns, offset_ns;
    LqRangeOp range_op;
    /* AGG */
    LqAggOp agg_op;
    LqGrouping by; /* also RANGE */
    double param;  /* topk's k, quantile's phi */
    /* BINARY; AGG: left */
    LqBinOp bin_op;
    LqMatching match;
    LqExpr *left, *right;
    double literal; /* LITERAL, VECTOR */
};

extern const char *const lq_range_names[LQ_RANGE_OPS];
extern const char *const lq_agg_names[LQ_AGG_OPS];
extern const char *const lq_bin_names[LQ_BIN_OPS];
extern const char *const lq_line_names[6];
extern const char *const lq_cmp_names[6];

double lq_apply(LqBinOp op, double a, double b); /* arithmetic and comparisons (1 or 0) */
static inline bool lq_is_comparison(LqBinOp op) { return op >= LQ_BIN_EQ && op <= LQ_BIN_LE; }

/* "10.0.0.1", "10.0.0.1-10.0.0.9", "10.0.0.0/8", IPv6 alike. */
ATTR_MUST bool lq_ip_parse(Str s, IpRange *ret);
/* Whether an address inside the line (delimited by foreign characters) falls into the range. */
bool lq_ip_in_line(const IpRange *r, Str line);
bool lq_ip_is(const IpRange *r, Str value);

/* "1.5KiB" as humanize reads it. */
ATTR_MUST bool lq_parse_bytes(Str s, double *ret);

/* <_> wildcards with literals between; the whole line. */
bool lq_pattern_match(const Str *pieces, size_t n, Str line);

#endif
