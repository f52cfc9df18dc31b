/* gojson_scan.h - JSON as Go's encoding/json reads it: where a value ends, and what it says of one that is broken. */
#ifndef MEERKAT_ALERT_GOJSON_SCAN_H
#define MEERKAT_ALERT_GOJSON_SCAN_H

#include "base/err.h"
#include "base/str.h"

typedef enum GojsonMode {
    GOJSON_DECODER,   /* json.Decoder: what follows the first value is nobody's business; "unexpected EOF" */
    GOJSON_UNMARSHAL, /* json.Unmarshal: nothing may follow; "unexpected end of JSON input" */
} GojsonMode;

/* Whether text begins with (is) a well-formed value; *ret_end is the byte after it. ERR_INVALID: the message is Go's.
 */
ErrCode gojson_scan(Str text, GojsonMode mode, size_t *ret_end, Err *reterr);

#endif
