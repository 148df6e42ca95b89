/*
 * The one place where the node asks for the time.
 */
#ifndef HUST_NODE_WALL_H
#define HUST_NODE_WALL_H

#include <stdint.h>
#include <time.h>

/* Wall clock: milliseconds since 1970. */
static inline uint64_t hust_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

#endif /* HUST_NODE_WALL_H */
