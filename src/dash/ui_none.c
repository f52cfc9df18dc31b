/* ui_none.c - stands in for the generated table in builds without the UI (-Dui=false). */
#include "dash/ui_assets.h"

const UiAsset ui_assets[1] = {{0}};
const size_t ui_assets_count = 0;
