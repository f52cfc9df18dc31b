#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"
#include "codec/sha256.h"

static void known_hashes(void **state) {
    (void)state;
    static const char *const table[][2] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char hex[2 * SHA256_BYTES + 1];
        sha256_hex(str_cstr(table[i][0]), hex);
        assert_string_equal(hex, table[i][1]);
    }
}

/* RFC 4231, cases 2 and 6. */
static void known_macs(void **state) {
    (void)state;
    static const uint8_t want2[] = {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e},
                         want6[] = {0x60, 0xe4, 0x31, 0x59, 0x1e, 0xe0, 0xb6, 0x7f};
    uint8_t mac[SHA256_BYTES];
    char key[131];
    hmac_sha256(STR("Jefe"), STR("what do ya want for nothing?"), mac);
    assert_memory_equal(mac, want2, sizeof want2);
    memset(key, 0xaa, sizeof key);
    hmac_sha256(str_of(key, sizeof key), STR("Test Using Larger Than Block-Size Key - Hash Key First"), mac);
    assert_memory_equal(mac, want6, sizeof want6);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(known_hashes), cmocka_unit_test(known_macs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
