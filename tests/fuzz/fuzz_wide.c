/* Wide parts of any content: whole files, any index under a trailer that holds, any column. */
#include "storage/part_int.h"
#include "storage/wide_int.h"
#include "storage/wide_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BUDGET ((size_t)4 << 20)

static void read_block(const WidePart *p, size_t block) {
    Arena *arena = arena_create(BUDGET);
    WideBlock *b;
    const int64_t *t;
    const uint64_t *g;
    const WideField *row;
    size_t n;
    for (size_t i = 0; i < wide_part_field_count(p, block) && i < 20; i++) {
        Str name = wide_part_field_name(p, block, i);
        (void)wide_part_may_contain(p, block, name, STR("a needle here"));
        (void)wide_part_may_equal(p, block, name, STR("42"));
    }
    if (wide_block_open(p, block, arena, &b, NULL) == OK) {
        (void)wide_block_times(b, &t, NULL);
        (void)wide_block_groups(b, &g, NULL);
        (void)wide_block_row(b, 0, &row, &n, NULL);
    }
    arena_free(arena);
}

static void read_file(Str file) {
    Fs *fs = fs_fault_create(1);
    File *f;
    Part *part;
    WidePart *p;
    ASSERT(fs_open(fs, "p", FILE_CREATE_NEW, &f, NULL) == OK && file_write(f, file, NULL) == OK);
    file_close(f);
    if (part_open(fs, "p", &part, NULL) == OK) {
        if (wide_part_open(part, &p, NULL) == OK) {
            for (size_t i = 0; i < wide_part_block_count(p) && i < 20; i++) read_block(p, i);
            wide_part_close(p);
        }
        part_close(part);
    }
    fs_fault_free(fs);
}

static void read_index(Str footer) {
    Buf b = {0};
    buf_put(&b, part_magic, PART_MAGIC_BYTES);
    buf_put_str(&b, footer); /* as blocks, too: checksums of empty ones hold */
    uint64_t offset = b.n;
    buf_put_str(&b, footer);
    buf_put_u64le(&b, offset);
    buf_put_u32le(&b, (uint32_t)footer.n);
    buf_put_u32le(&b, 0); /* the checksum of the blocks, which only scrubbing looks at */
    buf_put_u32le(&b, part_footer_crc(footer, offset, 0, PART_VERSION));
    buf_put_u32le(&b, PART_VERSION);
    buf_put(&b, part_magic, PART_MAGIC_BYTES);
    read_file(buf_str(&b));
    buf_done(&b);
}

static void read_column(unsigned which, Str in) {
    Arena *arena = arena_create(BUDGET);
    static WideValue values[WIDE_BLOCK_ROWS];
    static Str texts[WIDE_BLOCK_ROWS];
    WideOverflow o;
    size_t n = in.n ? (uint8_t)in.p[0] * 32u % WIDE_BLOCK_ROWS : 0;
    Str rest = in.n ? str_skip(in, 1) : in;
    if (which == 0)
        (void)wide_column_decode(rest, n, arena, values);
    else if (which == 1)
        (void)wide_overflow_decode(rest, n, arena, &o);
    else
        (void)wide_text_decode(rest, n, arena, texts);
    arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    Str rest = str_of((const char *)data + 1, size - 1);
    switch (data[0] % 5) {
    case 0: read_file(rest); break;
    case 1: read_index(rest); break;
    default: read_column(data[0] % 5u - 2, rest); break;
    }
    return 0;
}
