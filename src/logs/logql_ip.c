#include "logs/logql_ast.h"

#include "base/num.h"

static bool parse_v4(Str s, IpAddr *ret) {
    uint32_t v = 0;
    Str part;
    int n = 0;
    for (; str_split_next(&s, '.', &part); n++) {
        uint64_t octet;
        if (n == 4 || part.n == 0 || part.n > 3 || !num_parse_u64(part, &octet) || octet > 255) return false;
        if (part.n > 1 && part.p[0] == '0') return false;
        v = v << 8 | (uint32_t)octet;
    }
    *ret = (IpAddr){0, UINT64_C(0xffff00000000) | v};
    return n == 4;
}

static bool parse_hextet(Str s, uint16_t *ret) {
    if (s.n == 0 || s.n > 4) return false;
    unsigned v = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        unsigned d;
        if (c >= '0' && c <= '9')
            d = (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            d = (unsigned)(c - 'a' + 10);
        else if (c >= 'A' && c <= 'F')
            d = (unsigned)(c - 'A' + 10);
        else
            return false;
        v = v << 4 | d;
    }
    *ret = (uint16_t)v;
    return true;
}

/* Hextets of one side of "::"; a dotted quad may end it. -1: malformed. */
static int parse_side(Str s, uint16_t out[8], int max) {
    if (s.n == 0) return 0;
    int n = 0;
    Str part;
    while (str_split_next(&s, ':', &part)) {
        IpAddr v4;
        if (!s.p && str_find_char(part, '.') != SIZE_MAX) {
            if (n + 2 > max || !parse_v4(part, &v4)) return -1;
            out[n++] = (uint16_t)(v4.lo >> 16);
            out[n++] = (uint16_t)v4.lo;
            return n;
        }
        if (n == max || !parse_hextet(part, &out[n])) return -1;
        n++;
    }
    return n;
}

static bool parse_v6(Str s, IpAddr *ret) {
    uint16_t h[8] = {0}, tail[8] = {0};
    size_t gap = str_find(s, STR("::"));
    int n_head = parse_side(gap == SIZE_MAX ? s : str_slice(s, 0, gap), h, 8), n_tail = 0;
    if (n_head < 0) return false;
    if (gap != SIZE_MAX) {
        n_tail = parse_side(str_skip(s, gap + 2), tail, 8);
        if (n_tail < 0 || n_head + n_tail > 7) return false;
        for (int i = 0; i < n_tail; i++) h[8 - n_tail + i] = tail[i];
    } else if (n_head != 8) {
        return false;
    }
    *ret = (IpAddr){0, 0};
    for (int i = 0; i < 4; i++) ret->hi = ret->hi << 16 | h[i];
    for (int i = 4; i < 8; i++) ret->lo = ret->lo << 16 | h[i];
    return true;
}

static bool parse_addr(Str s, IpAddr *ret, bool *v6) {
    *v6 = str_find_char(s, ':') != SIZE_MAX;
    return *v6 ? parse_v6(s, ret) : parse_v4(s, ret);
}

static int cmp_addr(IpAddr a, IpAddr b) {
    if (a.hi != b.hi) return a.hi < b.hi ? -1 : 1;
    return (a.lo > b.lo) - (a.lo < b.lo);
}

static uint64_t low_ones(uint64_t n) { return n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1; }

bool lq_ip_parse(Str s, IpRange *ret) {
    size_t slash = str_find_char(s, '/'), dash = str_find_char(s, '-');
    bool v6;
    if (slash != SIZE_MAX) {
        uint64_t bits;
        if (!parse_addr(str_slice(s, 0, slash), &ret->first, &ret->v6)) return false;
        if (!num_parse_u64(str_skip(s, slash + 1), &bits) || bits > (ret->v6 ? 128u : 32u)) return false;
        uint64_t host = (ret->v6 ? 128 : 32) - bits;
        uint64_t lo = low_ones(host), hi = host > 64 ? low_ones(host - 64) : 0;
        ret->first.lo &= ~lo;
        ret->first.hi &= ~hi;
        ret->last = (IpAddr){ret->first.hi | hi, ret->first.lo | lo};
        return true;
    }
    if (dash != SIZE_MAX) {
        return parse_addr(str_slice(s, 0, dash), &ret->first, &ret->v6) &&
               parse_addr(str_skip(s, dash + 1), &ret->last, &v6) && v6 == ret->v6 &&
               cmp_addr(ret->first, ret->last) <= 0;
    }
    if (!parse_addr(s, &ret->first, &ret->v6)) return false;
    ret->last = ret->first;
    return true;
}

bool lq_ip_is(const IpRange *r, Str value) {
    IpAddr a;
    bool v6;
    if (!parse_addr(value, &a, &v6) || v6 != r->v6) return false;
    return cmp_addr(r->first, a) <= 0 && cmp_addr(a, r->last) <= 0;
}

static bool is_ip_char(char c, bool v6) {
    if ((c >= '0' && c <= '9') || c == '.') return true;
    return v6 && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':');
}

bool lq_ip_in_line(const IpRange *r, Str line) {
    for (size_t i = 0; i < line.n;) {
        if (!is_ip_char(line.p[i], r->v6)) {
            i++;
            continue;
        }
        size_t end = i;
        while (end < line.n && is_ip_char(line.p[end], r->v6)) end++;
        Str word = str_slice(line, i, end);
        i = end;
        while (word.n > 0 && word.p[word.n - 1] == '.') word.n--; /* the end of a sentence */
        if (word.n >= 2 && word.n <= 45 && lq_ip_is(r, word)) return true;
    }
    return false;
}

bool lq_pattern_match(const Str *pieces, size_t n, Str line) {
    ASSERT(n > 0);
    if (n == 1) return str_eq(pieces[0], line);
    if (!str_starts_with(line, pieces[0])) return false;
    Str rest = str_skip(line, pieces[0].n);
    for (size_t i = 1; i + 1 < n; i++) {
        size_t at = str_find(rest, pieces[i]);
        if (at == SIZE_MAX) return false;
        rest = str_skip(rest, at + pieces[i].n);
    }
    return str_ends_with(rest, pieces[n - 1]);
}
