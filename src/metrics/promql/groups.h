/* groups.h - which of its labels make series belong together: by (a, b), without (c), on, ignoring. Private to promql.
 *
 * Label strings of the store are interned, so most series are recognised by where their values lie, without reading
 * them. */
#ifndef MEERKAT_METRICS_PROMQL_GROUPS_H
#define MEERKAT_METRICS_PROMQL_GROUPS_H

#include "metrics/promql/engine_int.h"

typedef struct GroupMap GroupMap;

/* on: only the names count; else all others do, what goes with the name not when drop_name. names is borrowed. */
GroupMap *group_map_create(const StrVec *names, bool on, bool drop_name);
GroupMap *group_map_free(GroupMap *m);
/* Number of the series' group, from 0 in the order of appearance. The labels' strings are borrowed. */
size_t group_map_find(GroupMap *m, Labels labels, bool *ret_new);
size_t group_map_count(const GroupMap *m);

#endif
