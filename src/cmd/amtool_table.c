/* amtool_table.c - tables as Go's text/tabwriter sets them: a column is as wide as the widest cell of the lines that
 * follow one another and have it. */
#include "cmd/amtool_int.h"

#include <stdio.h>

#define PADDING 2 /* blanks after the widest cell */

typedef struct Line {
    Str *cells; /* the last one stands after the last tab */
    size_t n;
} Line;

typedef struct Writer {
    VEC(Line) lines;
    VEC(size_t) widths;
    Buf out;
} Writer;

static void put_lines(Writer *w, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        const Line *l = &w->lines.v[i];
        for (size_t k = 0; k < l->n; k++) {
            buf_put_str(&w->out, l->cells[k]);
            for (size_t n = str_rune_count(l->cells[k]); k < w->widths.n && n < w->widths.v[k]; n++)
                buf_put_char(&w->out, ' ');
        }
        buf_put_char(&w->out, '\n');
    }
}

/* Lines from..to share the columns whose widths are known; the next column falls into blocks of lines that have it. */
static void put_block(Writer *w, size_t from, size_t to) {
    size_t column = w->widths.n, done = from;
    for (size_t i = from; i < to; i++) {
        if (column + 1 >= w->lines.v[i].n) continue;
        put_lines(w, done, i);
        size_t begin = i, width = 0;
        for (; i < to && column + 1 < w->lines.v[i].n; i++)
            width = MAX(width, str_rune_count(w->lines.v[i].cells[column]) + PADDING);
        vec_push(&w->widths, width);
        put_block(w, begin, i);
        w->widths.n--;
        done = i;
    }
    put_lines(w, done, to);
}

static void split(Writer *w, Str text, Arena *arena) {
    Str line, cell;
    while (text.n && str_split_next(&text, '\n', &line)) {
        size_t n = 1;
        for (size_t i = 0; i < line.n; i++) n += line.p[i] == '\t';
        Line l = {ARENA_ARRAY(arena, Str, n), 0};
        ASSERT(l.cells);
        Str rest = line;
        for (size_t i = 0; i < n; i++) {
            size_t tab = str_find_char(rest, '\t');
            cell = tab == SIZE_MAX ? rest : str_slice(rest, 0, tab);
            rest = str_skip(rest, tab == SIZE_MAX ? rest.n : tab + 1);
            l.cells[l.n++] = cell;
        }
        vec_push(&w->lines, l);
    }
}

void amtool_print_tabs(Amtool *a, Str text) {
    Writer w = {0};
    split(&w, text, a->arena);
    put_block(&w, 0, w.lines.n);
    fwrite(w.out.p ? w.out.p : "", 1, w.out.n, stdout);
    buf_done(&w.out);
    vec_done(&w.lines);
    vec_done(&w.widths);
}

void amtable_add(AmTable *t, Str cell) { vec_push(&t->cells, cell); }

void amtable_print(Amtool *a, AmTable *t) {
    Buf b = {0};
    for (size_t i = 0; i < t->cells.n; i++) {
        buf_put_str(&b, t->cells.v[i]);
        buf_put_char(&b, '\t');
        if ((i + 1) % t->columns == 0) buf_put_char(&b, '\n');
    }
    amtool_print_tabs(a, buf_str(&b));
    buf_done(&b);
    vec_done(&t->cells);
}
