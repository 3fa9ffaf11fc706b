/* Requests of the edge-profile cases: ids of items with their categories.
 * `RENEW=1 cargo test -p din-tests --test c_example` writes this file. */
#ifndef REQUESTS_H
#define REQUESTS_H

#include <stddef.h>
#include <stdint.h>

enum { REQUESTS = 4, SLATE = 10 };

static const uint16_t history_0[][2] = { { 1788, 59 }, { 822, 55 }, { 1065, 44 }, { 1344, 55 }, { 1928, 55 }, { 843, 55 }, { 1820, 44 }, { 160, 59 }, { 923, 55 }, { 1582, 44 }, { 1065, 44 }, { 1344, 55 }, { 344, 55 }, { 1655, 55 }, { 361, 44 }, { 122, 59 }, { 499, 59 }, { 1502, 44 }, { 987, 55 }, { 1476, 59 } };
static const uint16_t history_1[][2] = { { 1769, 55 }, { 1734, 4 }, { 1534, 55 }, { 869, 55 }, { 1642, 55 }, { 1534, 55 }, { 1890, 36 } };
static const uint16_t history_2[][2] = { { 1040, 62 }, { 1472, 62 }, { 792, 62 }, { 1040, 62 }, { 1399, 32 }, { 1552, 27 }, { 89, 27 }, { 517, 32 }, { 547, 27 }, { 89, 27 }, { 656, 32 }, { 297, 62 }, { 1705, 27 }, { 1070, 32 }, { 1946, 62 }, { 1795, 32 } };
static const uint16_t history_3[][2] = { { 1961, 56 }, { 521, 11 }, { 18, 11 } };

/* A user, what they did, oldest first, and a slate. */
static const struct {
    uint16_t user;
    const uint16_t (*history)[2];
    size_t history_len;
    uint16_t slate[SLATE][2];
} requests[REQUESTS] = {
    { 435, history_0, 20, { { 1554, 41 }, { 1332, 19 }, { 160, 59 }, { 837, 37 }, { 1809, 55 }, { 1829, 50 }, { 344, 55 }, { 1309, 20 }, { 444, 44 }, { 943, 53 } } },
    { 293, history_1, 7, { { 1928, 55 }, { 1579, 27 }, { 615, 19 }, { 1542, 13 }, { 1780, 40 }, { 940, 4 }, { 1839, 6 }, { 923, 55 }, { 7, 56 }, { 1344, 55 } } },
    { 267, history_2, 16, { { 905, 38 }, { 1440, 62 }, { 507, 58 }, { 1671, 27 }, { 1083, 46 }, { 1632, 27 }, { 1796, 25 }, { 389, 42 }, { 544, 27 }, { 916, 4 } } },
    { 74, history_3, 3, { { 396, 11 }, { 1732, 56 }, { 905, 38 }, { 175, 11 }, { 1034, 34 }, { 1598, 34 }, { 1949, 11 }, { 1380, 56 }, { 988, 15 }, { 1634, 54 } } },
};

#endif
