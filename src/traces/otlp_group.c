#include "traces/otlp_group.h"

#include "base/map.h"

void otlp_group_rows(const SpansBatch *b, OtlpGroups *groups, uint32_t *next_row) {
    U64Map *known = u64map_create(), *leaders = u64map_create();
    for (uint32_t i = 0; i < b->rows.n; i++) {
        const SpanRow *r = &b->rows.v[i];
        bool fresh, lead;
        uint64_t *at = u64map_put(known, (uint64_t)r->resource << 32 | r->scope, &fresh);
        if (fresh) {
            *at = groups->n;
            uint64_t *leader = u64map_put(leaders, r->resource, &lead);
            vec_push(groups, (OtlpGroup){.resource = r->resource, .scope = r->scope, .leads = lead});
            uint32_t self = (uint32_t)groups->n;
            if (lead)
                *leader = self;
            else
                groups->v[groups->v[*leader - 1].last_of_resource - 1].next_of_resource = self;
            groups->v[*leader - 1].last_of_resource = self;
        }
        OtlpGroup *g = &groups->v[*at];
        if (g->last)
            next_row[g->last - 1] = i + 1;
        else
            g->first = i + 1;
        g->last = i + 1;
        next_row[i] = 0;
    }
    u64map_free(known);
    u64map_free(leaders);
}
