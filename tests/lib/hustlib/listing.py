"""Listings: asking for pages, following cursors, and a plain model of what they must answer."""

import base64
import json
from dataclasses import dataclass

from hustlib.bucket import bucket

FILE_COUNT = 10
PAGE_MAX = 1000


@dataclass
class Page:
    elements: list  # as in the JSON, keys decoded to bytes
    cursor: str  # None at the end

    @property
    def keys(self):
        return [element["key"] for element in self.elements]


def page_of(answer):
    """What an answer says, and everything checked that holds for every page."""
    assert answer.status == 200, answer
    assert answer["Content-Type"] == "application/json"
    assert answer["TotalCount"] == "0"
    assert b" " not in answer.body and b"\n" not in answer.body
    elements = json.loads(answer.body)
    assert answer["Keys"] == str(len(elements))
    for element in elements:
        element["key"] = base64.b64decode(element["key"], validate=True)
        assert element["ver"] >= 1 and element["ttl"] >= 0
    return Page(elements, answer.header("Cursor"))


def page(node, call, **params):
    return page_of(node.call(call, **params))


def pages(node, call, size, between=lambda: None, **params):
    """Every page by cursor; `between` is called between two of them."""
    params["offset"] = 0
    while True:
        found = page(node, call, size=size, **params)
        assert len(found.elements) <= size
        yield found
        if found.cursor is None:
            return
        assert found.elements, "a cursor after nothing"
        params.pop("offset", None)
        params["cursor"] = found.cursor
        between()


def walk(node, call, size=100, between=lambda: None, **params):
    """All elements, by cursor."""
    return [element for found in pages(node, call, size, between, **params)
            for element in found.elements]


def file_range(number):
    """The buckets of a part of a node."""
    return number * 1024 // FILE_COUNT, (number + 1) * 1024 // FILE_COUNT


def by_bucket(keys):
    """Keys in the order of hkeys and smembers."""
    return sorted(keys, key=lambda key: (bucket(key), key))


def by_score(scores, reverse=False):
    """[(member, score)] in the order of sorted sets; `scores`: a dict."""
    return sorted(scores.items(), key=lambda item: (item[1], item[0]), reverse=reverse)


def scored(found):
    """[(member, score)] of a page or a list of elements of a sorted set."""
    elements = found.elements if isinstance(found, Page) else found
    return [(element["key"], int(element["val"])) for element in elements]
