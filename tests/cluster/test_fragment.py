"""A raw # in a request target: no program on the way may take it for something else."""

import pytest


@pytest.mark.parametrize("target", (b"get?key=a#b", b"put?val=1&key=a#b", b"exist?key=a#"))
def test_a_raw_hash_sign_is_refused_everywhere(cluster, target):
    for where, prefix in ((cluster.ha, b"/"), (cluster.node1, b"/hustdb/")):
        with where.client() as client:
            answer = client.request("GET", (prefix + target).decode())
            assert answer.status == 400 and b"%23" in answer.body, where
            assert client.request("GET", "/status.html").body == b"ok"
    assert cluster.ha.call("get2", key=b"a").status == 404


def test_what_follows_a_304_is_another_answer(cluster):
    """A 304 has no body: the next answer on the connection begins right behind its headers."""
    tag = cluster.ha.call("put", key=b"tagged", val=b"value")["ETag"]
    for where, path in ((cluster.ha, "/get"), (cluster.node1, "/hustdb/get")):
        with where.client() as client:
            for _ in range(3):
                answer = client.request("GET", f"{path}?key=tagged",
                                        headers=[("If-None-Match", tag)])
                assert (answer.status, answer.body) == (304, b"")
                assert dict(answer.headers).get("Content-Length") in (None, "5")
                assert client.request("GET", f"{path}?key=tagged").body == b"value"
