/* ui_assets.h - the table of embedded files, written by web/build.ts at build time. Private to dash. */
#ifndef MEERKAT_DASH_UI_ASSETS_H
#define MEERKAT_DASH_UI_ASSETS_H

#include <stddef.h>

typedef struct UiAsset {
    const char *path; /* "/assets/app-3F2A.js"; "/index.html" for the page */
    const char *content_type;
    const char *etag; /* without quotes: hash of the content */
    const unsigned char *gz;
    size_t gz_bytes, raw_bytes;
} UiAsset;

extern const UiAsset ui_assets[];
extern const size_t ui_assets_count; /* 0: built without the UI */

#endif
