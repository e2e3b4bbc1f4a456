"""Reads what a program shows to Prometheus, and finds what breaks the rules for it."""
import re

NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\S+)")
SUFFIXES = {"counter": [""], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"],
            "summary": ["", "_sum", "_count"]}


class Family:
    def __init__(self, name, explanation):
        self.name, self.help, self.type, self.samples = name, explanation, None, {}

    def label_names(self):
        """Without those that belong to the type."""
        return {tuple(key for key, _ in labels if key not in ("le", "quantile")) for _, labels in self.samples}

    def series(self, suffix, *values):
        """Of the sample with these label values, in order."""
        for (name, labels), value in self.samples.items():
            if name == self.name + suffix and tuple(v for _, v in labels) == values:
                return value
        raise KeyError(f"{self.name}{suffix}{values} is not in {list(self.samples)}")


def parse(text):
    """The families by name. Raises AssertionError where the text breaks a rule of Prometheus' format."""
    assert text.endswith("\n"), "no newline at the end"
    families, current = {}, None
    for line in text.splitlines():
        if found := re.fullmatch(rf"# HELP ({NAME}) (.+)", line):
            assert found[1] not in families, f"{found[1]} comes twice"
            current = families[found[1]] = Family(found[1], found[2])
        elif found := re.fullmatch(rf"# TYPE ({NAME}) (\w+)", line):
            assert current is not None and found[1] == current.name and not current.samples, line
            current.type = found[2]
        else:
            found = SAMPLE.fullmatch(line)
            assert found, f"not a sample: {line}"
            assert found[1] in [current.name + suffix for suffix in SUFFIXES[current.type]], line
            key = (found[1], tuple(re.findall(LABEL, found[2] or "")))
            assert key not in current.samples, f"comes twice: {line}"
            current.samples[key] = float(found[len(found.groups())])
    return families


def lint(family):
    """What promtool would say, and more. Raises AssertionError."""
    name = family.name
    assert (family.type == "counter") == name.endswith("_total"), f"{name}: {family.type}"
    assert not re.search(r"_(count|sum|bucket)$", name), name
    assert not re.search(r"(milli|micro|nano)seconds|_(ms|us|ns|kb|mb|kib|mib)(_|$)", name), f"{name}: no base unit"
    assert family.help[-1] == "." or name.startswith("exposer_"), f"{name}: {family.help}"
    assert len(family.label_names()) == 1, f"{name}: label names differ, or no sample: {family.label_names()}"
    if family.type == "counter":
        assert all(value >= 0 for value in family.samples.values()), name
    if family.type == "histogram":
        lint_histogram(family)


def lint_histogram(family):
    buckets = {}
    for (name, labels), value in family.samples.items():
        if name.endswith("_bucket"):
            labels = dict(labels)
            bound = float(labels.pop("le"))
            buckets.setdefault(tuple(labels.values()), []).append((bound, value))
    for labels, pairs in buckets.items():
        bounds, counts = zip(*pairs)
        assert list(bounds) == sorted(set(bounds)), f"{family.name}: bounds {bounds}"
        assert bounds[-1] == float("inf"), f"{family.name}: no +Inf"
        assert list(counts) == sorted(counts), f"{family.name}: not cumulative: {counts}"
        assert counts[-1] == family.series("_count", *labels), f"{family.name}: +Inf is not the count"
        assert family.series("_sum", *labels) >= 0


def describe(families):
    """A line for each name, sorted: what the golden file holds."""
    lines = []
    for family in sorted(families.values(), key=lambda f: f.name):
        labels = ",".join(next(iter(family.label_names()))) or "-"
        lines.append(f"{family.name} {family.type} {labels} {family.help}\n")
    return "".join(lines)
