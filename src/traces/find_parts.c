#include "traces/find.h"

#include <stdlib.h>

#define SCRATCH_BYTES (256u << 20)

/* What a tag can match in a part, found in its tables once. */
typedef struct PartTag {
    bool *resources, *scopes; /* by number */
    bool any_scope, in_events;
} PartTag;

typedef struct PartPlan {
    const TracePart *part;
    uint64_t id;
    bool *ops; /* by number; NULL: all */
    bool any_op;
    PartTag *tags;
} PartPlan;

typedef struct BlockPlan {
    const PartPlan *part;
    size_t block;
    int64_t max_t;
} BlockPlan;

/* An open block with what the query has taken from it. */
typedef struct BlockScan {
    FindQuery *q;
    const PartPlan *plan;
    size_t number;
    WideBlock *block;
    Arena *arena;
    VEC(uint32_t) rows; /* rows that still match */
    Err *err;
} BlockScan;

/* --- plans --- */

static bool key_is_known(const TracePart *p, Str key) {
    for (uint32_t i = 0; i < p->n_event_keys; i++) {
        if (str_eq(p->event_keys[i], key)) return true;
    }
    return false;
}

static bool plan_tag(const TracePart *p, TagQuery *q, Arena *arena, PartTag *ret) {
    ret->resources = arena_alloc_zero(arena, p->n_resources + 1);
    ret->scopes = arena_alloc_zero(arena, p->n_scopes + 1);
    if (!ret->resources || !ret->scopes) return false;
    for (uint32_t i = 0; i < p->n_resources; i++)
        ret->resources[i] = trace_tag_matches_resource(q, p->resources[i].bytes);
    for (uint32_t i = 0; i < p->n_scopes; i++) {
        ret->scopes[i] = trace_tag_matches_scope(q, p->scopes[i]);
        ret->any_scope |= ret->scopes[i];
    }
    ret->in_events = q->special == TAG_EVENT_NAME || key_is_known(p, q->key);
    return true;
}

static bool plan_part(const TracePart *p, uint64_t id, FindQuery *q, Arena *arena, PartPlan *ret) {
    const TraceFind *req = q->req;
    *ret = (PartPlan){.part = p, .id = id, .any_op = true};
    if (req->service.n || req->operation.n) {
        ret->ops = arena_alloc_zero(arena, p->n_ops + 1);
        if (!ret->ops) return false;
        ret->any_op = false;
        for (uint32_t i = 0; i < p->n_ops; i++) {
            ret->ops[i] = (req->service.n == 0 || str_eq(req->service, p->services[p->ops[i].service])) &&
                          (req->operation.n == 0 || str_eq(req->operation, p->ops[i].name));
            ret->any_op |= ret->ops[i];
        }
    }
    if (!ret->any_op) return true;
    ret->tags = arena_alloc_zero(arena, (req->n_tags + 1) * sizeof(PartTag));
    for (size_t t = 0; ret->tags && t < req->n_tags; t++) {
        if (!plan_tag(p, &q->tags[t], arena, &ret->tags[t])) return false;
    }
    return ret->tags != NULL;
}

static bool block_may_have_tag(const PartPlan *plan, size_t block, const TagQuery *q, const PartTag *tag) {
    const TracePartBlock *b = &plan->part->blocks[block];
    if (q->special != TAG_PLAIN && q->special != TAG_EVENT_NAME && q->special != TAG_SCOPE_NAME &&
        q->special != TAG_SCOPE_VERSION) {
        return true;
    }
    if (tag->any_scope || trace_part_any_number(b->resources, tag->resources, plan->part->n_resources)) return true;
    if ((b->has_events || b->has_links) && tag->in_events) return true;
    if (b->has_rest || wide_part_may_equal(plan->part->wide, block, q->key, q->value)) return true;
    return q->bytes.n && wide_part_may_equal(plan->part->wide, block, q->key, buf_str(&q->bytes));
}

/* Whether the block's statistics and filters leave it in the race. */
static bool block_may_match(const PartPlan *plan, size_t block, const FindQuery *q) {
    const TraceFind *req = q->req;
    const TracePartBlock *b = &plan->part->blocks[block];
    WideBlockInfo info = wide_part_block_info(plan->part->wide, block);
    if (info.max_t < req->start_ns || info.min_t > req->end_ns) return false;
    if (req->min_duration_ns && b->max_duration_ns < req->min_duration_ns) return false;
    if (req->max_duration_ns && b->min_duration_ns > req->max_duration_ns) return false;
    if (plan->ops && !trace_part_any_number(b->ops, plan->ops, plan->part->n_ops)) return false;
    for (size_t t = 0; t < req->n_tags; t++) {
        if (!block_may_have_tag(plan, block, &q->tags[t], &plan->tags[t])) return false;
    }
    return true;
}

/* --- one block --- */

static bool column(BlockScan *s, Str field, const WideValue **ret, ErrCode *e) {
    *e = wide_block_column(s->block, field, ret, s->err);
    return *e == OK;
}

static ErrCode keep_by_time(BlockScan *s) {
    const int64_t *t;
    ErrCode e = wide_block_times(s->block, &t, s->err);
    if (e) return e;
    uint32_t rows = wide_part_block_info(s->plan->part->wide, s->number).rows;
    int64_t from = MAX(s->q->req->start_ns, s->q->top.at_least_ns);
    vec_clear(&s->rows);
    vec_reserve(&s->rows, rows);
    for (uint32_t i = 0; i < rows; i++) {
        if (t[i] >= from && t[i] <= s->q->req->end_ns) s->rows.v[s->rows.n++] = i;
    }
    return OK;
}

static ErrCode keep_by_op(BlockScan *s) {
    const WideValue *op;
    ErrCode e;
    if (!s->plan->ops || s->rows.n == 0) return OK;
    if (!column(s, FIELD_OP, &op, &e)) return e;
    size_t n = 0;
    for (size_t i = 0; op && i < s->rows.n; i++) {
        const WideValue *v = &op[s->rows.v[i]];
        if (v->type == WIDE_I64 && v->i >= 0 && v->i < s->plan->part->n_ops && s->plan->ops[v->i]) {
            s->rows.v[n++] = s->rows.v[i];
        }
    }
    s->rows.n = n;
    return OK;
}

static ErrCode keep_by_duration(BlockScan *s) {
    const TraceFind *req = s->q->req;
    const WideValue *d;
    ErrCode e;
    if ((!req->min_duration_ns && !req->max_duration_ns) || s->rows.n == 0) return OK;
    if (!column(s, FIELD_DURATION, &d, &e)) return e;
    size_t n = 0;
    for (size_t i = 0; d && i < s->rows.n; i++) {
        int64_t v = d[s->rows.v[i]].i;
        if ((!req->min_duration_ns || v >= req->min_duration_ns) &&
            (!req->max_duration_ns || v <= req->max_duration_ns)) {
            s->rows.v[n++] = s->rows.v[i];
        }
    }
    s->rows.n = n;
    return OK;
}

/* The columns a tag has to look at; NULL: not in this block, or of no use for this tag. */
typedef struct TagColumns {
    const WideValue *resource, *scope, *op, *status, *attr, *events, *links, *rest, *message, *state;
} TagColumns;

static ErrCode open_tag_columns(BlockScan *s, const TagQuery *q, const PartTag *tag, TagColumns *ret) {
    const TracePartBlock *b = &s->plan->part->blocks[s->number];
    bool status = q->special == TAG_ERROR || q->special == TAG_STATUS;
    bool events = b->has_events && tag->in_events, links = b->has_links && tag->in_events;
    bool own_key = q->key.n && q->key.p[0] != '\x01';
    const struct {
        bool wanted;
        Str field;
        const WideValue **ret;
    } wanted[] = {
        {trace_part_any_number(b->resources, tag->resources, s->plan->part->n_resources), FIELD_RESOURCE,
            &ret->resource},
        {tag->any_scope, FIELD_SCOPE, &ret->scope},
        {q->special == TAG_KIND, FIELD_OP, &ret->op},
        {status, FIELD_STATUS, &ret->status},
        {own_key, q->key, &ret->attr},
        {events, FIELD_EVENTS, &ret->events},
        {links, FIELD_LINKS, &ret->links},
        {b->has_rest, FIELD_REST, &ret->rest},
        {q->special == TAG_STATUS_MESSAGE, FIELD_MESSAGE, &ret->message},
        {q->special == TAG_TRACE_STATE, FIELD_TRACE_STATE, &ret->state},
    };
    *ret = (TagColumns){0};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        ErrCode e;
        if (wanted[i].wanted && !column(s, wanted[i].field, wanted[i].ret, &e)) return e;
    }
    return OK;
}

static bool number_in(const WideValue *v, const bool *wanted, uint32_t n) {
    return v->type == WIDE_I64 && v->i >= 0 && v->i < n && wanted[v->i];
}

static bool value_matches(TagQuery *q, const WideValue *v) {
    AttrValue a = trace_part_value(v);
    return a.type != ATTR_EMPTY && trace_tag_matches_value(q, &a);
}

static Str text_of(const WideValue *v) { return v && v->type == WIDE_STR ? v->s : STR_NULL; }

static bool blob_matches(TagQuery *q, const WideValue *v, bool (*fn)(TagQuery *, Cursor *, const Str *, uint32_t)) {
    if (v->type != WIDE_BYTES) return false;
    Cursor c = cursor_of(v->s);
    return fn(q, &c, NULL, 0);
}

static bool row_matches(const BlockScan *s, TagQuery *q, const PartTag *tag, const TagColumns *c, uint32_t row) {
    const TracePart *p = s->plan->part;
    if (c->resource && number_in(&c->resource[row], tag->resources, p->n_resources)) return true;
    if (c->scope && number_in(&c->scope[row], tag->scopes, p->n_scopes)) return true;
    uint8_t status = c->status && c->status[row].type == WIDE_I64 ? (uint8_t)c->status[row].i : SPAN_STATUS_UNSET;
    bool op = c->op && c->op[row].type == WIDE_I64 && c->op[row].i >= 0 && c->op[row].i < p->n_ops;
    if (trace_tag_matches_fields(q, op ? p->ops[c->op[row].i].kind : 0, status)) return true;
    if (trace_tag_matches_texts(
            q, text_of(c->message ? &c->message[row] : NULL), text_of(c->state ? &c->state[row] : NULL))) {
        return true;
    }
    if (c->attr && value_matches(q, &c->attr[row])) return true;
    if (c->events && blob_matches(q, &c->events[row], trace_tag_matches_events)) return true;
    if (c->links && blob_matches(q, &c->links[row], trace_tag_matches_links)) return true;
    return c->rest && blob_matches(q, &c->rest[row], trace_tag_matches_attrs);
}

static ErrCode keep_by_tag(BlockScan *s, TagQuery *q, const PartTag *tag) {
    TagColumns columns;
    if (s->rows.n == 0) return OK;
    ErrCode e = open_tag_columns(s, q, tag, &columns);
    if (e) return e;
    size_t n = 0;
    for (size_t i = 0; i < s->rows.n; i++) {
        if (row_matches(s, q, tag, &columns, s->rows.v[i])) s->rows.v[n++] = s->rows.v[i];
    }
    s->rows.n = n;
    return OK;
}

static ErrCode take_hits(BlockScan *s) {
    const int64_t *t;
    const uint64_t *groups;
    if (s->rows.n == 0) return OK;
    ErrCode e = wide_block_times(s->block, &t, s->err);
    if (!e) e = wide_block_groups(s->block, &groups, s->err);
    for (size_t i = 0; !e && i < s->rows.n; i++) {
        uint32_t row = s->rows.v[i];
        TraceId id = trace_part_id(s->plan->part, groups[row]);
        if (!trace_is_deleted(s->q->deletions, id, s->plan->id)) trace_top_add(&s->q->top, id, t[row]);
    }
    trace_top_compact(&s->q->top);
    return e;
}

static ErrCode scan_block(BlockScan *s) {
    arena_reset(s->arena);
    ErrCode e = wide_block_open(s->plan->part->wide, s->number, s->arena, &s->block, s->err);
    if (!e) e = keep_by_time(s);
    if (!e) e = keep_by_op(s);
    if (!e) e = keep_by_duration(s);
    for (size_t t = 0; !e && t < s->q->req->n_tags; t++) e = keep_by_tag(s, &s->q->tags[t], &s->plan->tags[t]);
    return e ? e : take_hits(s);
}

/* --- all parts --- */

static int cmp_block(const void *a, const void *b) {
    const BlockPlan *x = a, *y = b;
    if (x->max_t != y->max_t) return x->max_t > y->max_t ? -1 : 1;
    return x->block > y->block ? -1 : x->block < y->block;
}

typedef VEC(BlockPlan) BlockPlans;

static ErrCode plan_blocks(const PartSnapshot *parts, FindQuery *q, Arena *arena, BlockPlans *ret, Err *reterr) {
    const TraceFind *req = q->req;
    for (size_t i = 0; i < parts->n; i++) {
        const PartRef *ref = &parts->v[i];
        const TracePart *p = ref->obj;
        if (p->max_t_ns < req->start_ns || p->min_t_ns > req->end_ns) continue;
        PartPlan *plan = ARENA_NEW(arena, PartPlan);
        if (!plan || !plan_part(p, ref->info.id, q, arena, plan)) {
            return err_set(reterr, ERR_TOO_LARGE, "the search needs too much memory");
        }
        if (!plan->any_op) continue;
        for (size_t k = 0; k < p->n_blocks; k++) {
            int64_t max_t = wide_part_block_info(p->wide, k).max_t;
            if (max_t >= req->start_ns) vec_push(ret, (BlockPlan){plan, k, max_t});
        }
    }
    if (ret->n) qsort(ret->v, ret->n, sizeof(BlockPlan), cmp_block);
    return OK;
}

ErrCode trace_parts_find(const PartSnapshot *parts, FindQuery *q, Err *reterr) {
    Arena *plans = arena_create(SCRATCH_BYTES);
    BlockPlans blocks = {0};
    BlockScan scan = {.q = q, .arena = arena_create(SCRATCH_BYTES), .err = reterr};
    ErrCode e = plan_blocks(parts, q, plans, &blocks, reterr);
    for (size_t i = 0; !e && i < blocks.n; i++) {
        const BlockPlan *b = &blocks.v[i];
        if (b->max_t < q->top.at_least_ns) break; /* and all that follow are older */
        if (q->req->cancel && atomic_load(q->req->cancel)) {
            e = err_set(reterr, ERR_CANCELLED, "the search was cancelled");
        } else if (block_may_match(b->part, b->block, q)) {
            scan.plan = b->part;
            scan.number = b->block;
            e = scan_block(&scan);
            if (e == ERR_CORRUPT) { /* the rest of the part keeps working */
                q->corrupt_blocks++;
                e = OK;
            }
        }
    }
    vec_done(&scan.rows);
    vec_done(&blocks);
    arena_free(scan.arena);
    arena_free(plans);
    return e;
}
