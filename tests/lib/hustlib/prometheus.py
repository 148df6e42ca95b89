"""Prometheus' text format 0.0.4, read strictly: whatever a scraper might stumble over fails."""

import re

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_HELP = re.compile(rf"# HELP ({_NAME}) (\S.*)")
_TYPE = re.compile(rf"# TYPE ({_NAME}) (counter|gauge|histogram)")
_SAMPLE = re.compile(rf"({_NAME})(?:\{{(.*)\}})? (\S+)")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')


class Metrics:
    """The samples of a page. `value(name, **labels)` is one, `total` the sum of those that have
    the labels given."""

    def __init__(self, text):
        self.types = {}
        self.samples = {}  # (name, labels as a sorted tuple of pairs) -> number
        assert text.endswith("\n"), "the last line has no end"
        family = None
        for line in text[:-1].split("\n"):
            if line.startswith("# HELP "):
                family = _HELP.fullmatch(line)[1]
                assert family not in self.types, f"{family}: twice"
            elif line.startswith("# TYPE "):
                name, kind = _TYPE.fullmatch(line).groups()
                assert name == family and name not in self.types, line
                self.types[name] = kind
            else:
                self._add(family, line)
        for name, kind in self.types.items():
            assert (kind == "counter") == name.endswith("_total"), (name, kind)
            if kind == "histogram":
                self._check_histogram(name)

    def _add(self, family, line):
        match = _SAMPLE.fullmatch(line)
        assert match, f"no sample: {line!r}"
        name, text, number = match.groups()
        suffixes = ("_bucket", "_sum", "_count") if self.types[family] == "histogram" else ("",)
        assert name in [family + suffix for suffix in suffixes], f"{name} among {family}"
        labels = {}
        at = 0
        while text and at < len(text):
            label = _LABEL.match(text, at)
            assert label and label[1] not in labels, f"labels: {line!r}"
            labels[label[1]] = label[2]
            at = label.end()
        key = (name, tuple(sorted(labels.items())))
        assert key not in self.samples, f"twice: {line!r}"
        self.samples[key] = float(number)
        assert self.samples[key] >= 0, line

    def _check_histogram(self, family):
        series = {}
        for (name, labels), number in self.samples.items():
            if name == family + "_bucket":
                rest = tuple(pair for pair in labels if pair[0] != "le")
                series.setdefault(rest, []).append((float(dict(labels)["le"]), number))
        assert series, f"{family}: no series"
        for rest, buckets in series.items():
            assert buckets == sorted(buckets), f"{family} {rest}: bounds or counts fall"
            assert [count for _, count in buckets] == sorted(count for _, count in buckets)
            assert buckets[-1] == (float("inf"), self.samples[(family + "_count", rest)])
            assert (family + "_sum", rest) in self.samples

    def value(self, name, **labels):
        return self.samples.get((name, tuple(sorted(labels.items()))), 0.0)

    def total(self, name, **labels):
        return sum(number for (sample, pairs), number in self.samples.items()
                   if sample == name and set(labels.items()) <= set(pairs))
