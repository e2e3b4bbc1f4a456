"""Measured values of each side, and the Markdown tables made of them."""
import collections
import statistics


class Results:
    """Values by side and measure."""

    def __init__(self):
        self._values = collections.defaultdict(list)

    def add(self, side, **measures):
        for measure, value in measures.items():
            self._values[side, measure].append(value)

    def has(self, side, measure):
        return bool(self._values.get((side, measure)))

    def median(self, side, measure):
        return statistics.median(self._values[side, measure])

    def text(self, side, measure, form="{:,.0f}"):
        """Median (lowest..highest)."""
        if not self.has(side, measure):
            return "-"
        values = self._values[side, measure]
        low, middle, high = (form.format(value) for value in (min(values), self.median(side, measure), max(values)))
        return middle if len(values) == 1 else f"{middle} ({low}..{high})"

    def ratio(self, measure, side, other):
        """Of the medians."""
        return self.median(side, measure) / self.median(other, measure)


def _table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def _ratio_text(results, measure, ours, side, form):
    if side == ours or not (results.has(ours, measure) and results.has(side, measure)):
        return "-"
    return form.format(results.ratio(measure, ours, side))


def print_sides(results, sides, ours):
    print("**64 calls in flight**, a raw 28x28 picture each, by h2load (Flask: a PNG file, the first row by ab):\n")
    _table(["", "requests/s", "ours is", "requests/s, digitctl bench", "server CPU a request, us", "MiB"],
           [[side.about, results.text(side.name, "rate"),
             _ratio_text(results, "rate", ours, side.name, "{:.1f} times"), results.text(side.name, "bench_rate"),
             results.text(side.name, "cpu_us"), results.text(side.name, "peak_mib")] for side in sides])
    if results.has("blank", "rate"):
        print(f"digitd answers a blank picture, which no engine sees, {results.text('blank', 'rate')} times a second, "
              f"{results.text('blank', 'cpu_us')} us each: that is RPC alone.\n")
    print("**One call at a time** (median, by h2load and by digitctl bench), and an **open loop** at half of what the side "
          "did in a closed one (digitctl bench):\n")
    _table(["", "median, ms", "ours, of it", "digitctl bench, ms", "offered, requests/s", "p99, ms", "ours, of it"],
           [[side.about, results.text(side.name, "one_ms", "{:.3f}"),
             _ratio_text(results, "one_ms", ours, side.name, "{:.2f}"),
             results.text(side.name, "bench_one_ms", "{:.2f}"), results.text(side.name, "offered"),
             results.text(side.name, "open_p99_ms", "{:.2f}"),
             _ratio_text(results, "open_p99_ms", ours, side.name, "{:.2f}")] for side in sides])
    for side in sides:
        if results.has(side.name, "bench_rate"):
            apart = results.median(side.name, "bench_rate") / results.median(side.name, "rate") - 1
            if abs(apart) > 0.15:
                print(f"{side.about}: digitctl bench measures {apart:+.0%} of h2load's rate.\n")


def print_against_best(results, sides, ours, flasks):
    peers = [side.name for side in sides if side.name not in (ours, *flasks)]
    if not peers or not results.has(ours, "rate"):
        return
    def best(measure, choose):
        name = choose(peers, key=lambda peer: results.median(peer, measure))
        return f"{results.ratio(measure, ours, name):.2f}", name
    rate, fastest = best("rate", max)
    print(f"- 64 in flight: {rate} times the best peer ({fastest})", *[
        f"{results.ratio('rate', ours, flask):.1f} times {flask}" for flask in flasks if results.has(flask, "rate")],
          sep=", ")
    print("- one at a time: median {} of the best peer's ({})".format(*best("one_ms", min)))
    print("- open loop: p99 {} of the best peer's ({})\n".format(*best("open_p99_ms", min)))


def print_ours(results, ours):
    print("**64 images a message**: the server's CPU time for an image, the engine's alone at the same batch size:\n")
    def ratio(mode):
        return results.median(mode, "cpu_us") / results.median(mode, "engine_us")
    _table(["", "images/s", "batch", "server, us", "engine alone, us", "ratio", "the engine's share"],
           [[mode, results.text(mode, "rate"), results.text(mode, "batch", "{:.1f}"),
             results.text(mode, "cpu_us", "{:.1f}"), results.text(mode, "engine_us", "{:.1f}"),
             f"{ratio(mode):.2f}", f"{1 / ratio(mode):.0%}"] for mode in ("packed", "stream")])
    print("**In process**, daemon/pool without RPC, batches of 32: one executor "
          f"{results.text('pool', 'one')} images/s, two {results.text('pool', 'two')}: "
          f"{results.median('pool', 'two') / results.median('pool', 'one'):.2f} times.\n")
    print(f"**Start**: exec to SERVING {results.text('start', 'ms')} ms, then {results.text('start', 'mib')} MiB "
          f"resident; the most at 64 in flight {results.text(ours, 'peak_mib')} MiB.\n")
