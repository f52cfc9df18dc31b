/* ui_fixture.c - a table of assets for ui_test.c. */
#include "dash/ui_assets.h"

/* <p>page</p> */
static const unsigned char page[] = {
    0x1f,
    0x8b,
    0x08,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x02,
    0x03,
    0xb3,
    0x29,
    0xb0,
    0x2b,
    0x48,
    0x4c,
    0x4f,
    0xb5,
    0xd1,
    0x2f,
    0xb0,
    0x03,
    0x00,
    0x68,
    0xc5,
    0x4d,
    0xfb,
    0x0b,
    0x00,
    0x00,
    0x00,
};

const UiAsset ui_assets[] = {
    {"/index.html", "text/html; charset=utf-8", "tag1", page, sizeof(page), 11},
    {"/assets/app-1.js", "text/javascript; charset=utf-8", "tag2", page, sizeof(page), 11},
};
const size_t ui_assets_count = 2;
