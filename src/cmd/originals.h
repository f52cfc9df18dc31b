/* originals.h - `meerkat prometheus` and `meerkat alertmanager`: the server started by the originals' command lines.
 * Private to cmd. */
#ifndef MEERKAT_CMD_ORIGINALS_H
#define MEERKAT_CMD_ORIGINALS_H

#include "cmd/config.h"

typedef enum OriginalUse {
    ORIGINAL_KEY,    /* sets a key of the configuration, by its long flag's name */
    ORIGINAL_SIZE,   /* the same; units are powers of 1024 without an "i" */
    ORIGINAL_SAME,   /* accepted: here it is always so, or of no consequence */
    ORIGINAL_FIXED,  /* accepted with a warning where it asks for anything but `what` */
    ORIGINAL_NONE,   /* accepted with a warning: `what` says what is different */
    ORIGINAL_REFUSE, /* starting without it would be wrong; an empty value is fine */
    ORIGINAL_PEER,   /* Alertmanager's cluster */
    ORIGINAL_FEATURE /* --enable-feature */
} OriginalUse;

typedef struct OriginalFlag {
    const char *name; /* without dashes; a '*' at the end stands for anything */
    OriginalUse use;
    bool is_bool; /* takes no value; --no-NAME switches it off */
    const char *what;
} OriginalFlag;

typedef struct OriginalFeature {
    const char *name;
    const char *key, *value; /* NULL: of no consequence here, or `what` says what is different */
    const char *what;
} OriginalFeature;

typedef struct Original {
    const char *name;    /* "prometheus" */
    const char *version; /* whose flags and API these are */
    const char *config;  /* the file that is read where no flag names one */
    const char *config_key;
    const OriginalFlag *flags;
    size_t n_flags;
    const OriginalFeature *features;
    size_t n_features;
    const ConfigFlag *defaults; /* what differs from `meerkat serve` */
    size_t n_defaults;
} Original;

extern const Original original_prometheus, original_alertmanager;

/* Command line to configuration: flags (at most max) and, in notes, lines of what has no effect. NULL or why it is
 * refused (in buf). */
const char *original_translate(
    const Original *o, int argc, char **argv, Arena *arena, ConfigFlag *flags, size_t *n, size_t max, Buf *notes);

#endif
