"""Where a key lives written from the contract."""

BUCKETS = 1024


def bucket(key):
    """h = h*31 + byte over all bytes in 64 bits, modulo 1024."""
    value = 0
    for byte in key:
        value = (value * 31 + byte) & 0xFFFFFFFFFFFFFFFF
    return value % BUCKETS
