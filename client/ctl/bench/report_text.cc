#include <algorithm>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/ctl/bench/grouped.h"
#include "client/ctl/bench/report.h"
#include "client/ctl/terminal.h"

namespace digit {
namespace {

std::string Number(double value) {
  return value >= 1000 ? Grouped(static_cast<int64_t>(value + 0.5)) : absl::StrFormat("%.1f", value);
}

// Three digits that mean something.
std::string Millis(absl::Duration d) {
  const double ms = absl::ToDoubleMilliseconds(d);
  return absl::StrFormat("%.*f", ms < 10 ? 3 : ms < 100 ? 2 : ms < 1000 ? 1 : 0, ms);
}

std::string Plural(int64_t n, absl::string_view one) { return absl::StrCat(Grouped(n), " ", one, n == 1 ? "" : "s"); }

std::string Percent(double share) { return absl::StrFormat("%.1f %%", share * 100); }

absl::Duration PerRequest(absl::Duration sum, int64_t requests) { return requests == 0 ? sum : sum / requests; }

std::string ServerLine(const BenchPoint& point) {
  const ServerTimes& t = point.total.server;
  if (t.requests == 0) return "  server's own times: no answer carried them\n";
  const absl::Duration decode = PerRequest(t.decode, t.requests), queue = PerRequest(t.queue, t.requests),
                       compute = PerRequest(t.compute, t.requests), latency = PerRequest(t.latency, t.requests);
  return absl::StrCat("  where the mean of ", Millis(latency), " ms goes (", Plural(t.requests, "request"),
                      " asked): decode ", Millis(decode), ", queue ", Millis(queue), ", compute ", Millis(compute),
                      ", the rest (wire and both ends) ", Millis(latency - decode - queue - compute),
                      absl::StrFormat(" ms; %.1f images in a batch\n",
                                      static_cast<double>(t.batch_images) / static_cast<double>(t.requests)));
}

std::string AnswersLine(const BenchPoint& point) {
  const BenchCounts& t = point.total;
  std::string out = t.wrong == 0 ? "  answers: every one is what the server says for that picture alone"
                                 : absl::StrCat("  WRONG ANSWERS: ", Grouped(t.wrong),
                                                " differ from what the server says for that picture alone");
  if (t.labelled > 0) {
    absl::StrAppendFormat(&out, "; %.2f %% of %s match the set's labels",
                          100.0 * static_cast<double>(t.right) / static_cast<double>(t.labelled),
                          Plural(t.labelled, "image"));
  }
  out += "\n";
  for (const std::string& sample : t.wrong_samples) absl::StrAppend(&out, "    ", Printable(sample), "\n");
  return out;
}

std::string ErrorsLine(const BenchPoint& point) {
  const BenchCounts& t = point.total;
  std::string out;
  if (t.errors > 0) {
    std::vector<std::string> codes;
    for (const auto& [code, count] : t.errors_by_code) {
      codes.push_back(absl::StrCat(Grouped(count), " ", GrpcCodeName(code)));
    }
    absl::StrAppend(&out, "  errors: ", absl::StrJoin(codes, ", "), "; the first: ", Printable(t.first_error), "\n");
  }
  if (t.sent != t.answers + t.errors) {
    absl::StrAppend(&out, "  LOST: ", Grouped(t.sent - t.answers - t.errors), " requests ended in no way\n");
  }
  if (point.given_up) out += "  given up: a whole window without one answer\n";
  if (point.interrupted) out += "  interrupted: this is what was measured until then\n";
  return out;
}

std::string OpenLoopLine(const BenchSetup& setup, const BenchPoint& point) {
  const LatencyHistogram& late = point.total.send_delay;
  std::string out =
      absl::StrCat("  latencies count from the moment a request was due (Poisson, seed ", setup.options.seed,
                   "), so waiting to be sent is in them; the generator itself was ", Millis(late.Quantile(0.5)),
                   " ms late in the median, ", Millis(late.Quantile(0.99)), " ms at p99\n");
  if (point.not_sent > 0) {
    absl::StrAppend(&out, "  NOT SENT: ", Grouped(point.not_sent), " requests were due while ",
                    Grouped(setup.options.max_outstanding),
                    " were unanswered (--max-outstanding); the percentiles leave them out\n");
  }
  return out;
}

}  // namespace

std::string GrpcCodeName(int code) {
  const std::string name = absl::StatusCodeToString(static_cast<absl::StatusCode>(code));  // equal by value
  return name.empty() ? absl::StrCat("code ", code) : name;
}

std::string FormatBenchIntroduction(const BenchSetup& setup) {
  const BenchOptions& o = setup.options;
  std::string out = absl::StrCat("digitd ", Printable(setup.server_version), " at ", setup.server, ", model ",
                                 Printable(setup.model), " ", Printable(setup.version), "; ", ModeName(o.mode), ", ",
                                 Plural(o.images_per_message, "image"), " a message, ");
  if (o.mode == BenchMode::kStream) absl::StrAppend(&out, Plural(o.streams, "stream"), ", ");
  absl::StrAppend(&out, Plural(o.connections, "connection"), "\n", Printable(setup.pictures),
                  "; each was first asked for alone, and every answer is compared with that\n");
  absl::StrAppend(&out,
                  o.open_loop() ? "open loop, latencies from when a request was due"
                                : "closed loop, latencies from sending (it sends less when the server is slow)",
                  "\nwarm-up ", absl::FormatDuration(o.warmup), ", then windows of ", absl::FormatDuration(o.window),
                  " until three in a row agree within ", absl::StrFormat("%g %%", o.stable * 100),
                  " (throughput and median), at most ", absl::FormatDuration(o.duration), "\n");
  return out;
}

std::string FormatBenchHeader(const BenchSetup& setup) {
  const std::string load = setup.options.open_loop() ? "requests" : "in";
  const std::string unit = setup.options.open_loop() ? "per s" : "flight";
  return absl::StrFormat("%9s %10s %8s %8s %8s %8s %8s %9s %9s %8s %7s\n%9s %10s %8s %8s %8s %8s %8s %9s %9s\n", load,
                         "images", "p50", "p90", "p99", "p99.9", "max", "client", "server", "errors", "wrong", unit,
                         "per s", "ms", "ms", "ms", "ms", "ms", "us/image", "us/image");
}

std::string FormatBenchRow(const BenchPoint& point) {
  const LatencyHistogram& l = point.total.latency;
  const bool any = point.window_images() > 0;
  const auto server = point.server_cpu_per_image_micros();
  return absl::StrFormat("%9s %10s %8s %8s %8s %8s %8s %9s %9s %8s %7s\n", Grouped(point.load),
                         Number(point.images_per_second()), Millis(l.Quantile(0.5)), Millis(l.Quantile(0.9)),
                         Millis(l.Quantile(0.99)), Millis(l.Quantile(0.999)), Millis(l.max()),
                         any ? absl::StrFormat("%.2f", point.client_cpu_per_image_micros()) : "-",
                         any && server.has_value() ? absl::StrFormat("%.2f", *server) : "unknown",
                         Grouped(point.total.errors), Grouped(point.total.wrong));
}

std::string FormatBenchDetails(const BenchSetup& setup, const BenchPoint& point) {
  const bool open = setup.options.open_loop();
  std::string out = absl::StrCat(
      Grouped(point.load), open ? " requests a second: " : " in flight: ", Plural(point.total.sent, "request"), " in ",
      absl::StrFormat("%.1f s, ", point.seconds()), Plural(static_cast<int64_t>(point.windows.size()), "window"), ", ",
      point.stable ? "stable" : absl::StrFormat("NOT STABLE within %g %%", setup.options.stable * 100),
      "; throughput within ", Percent(ThroughputSpread(point.windows)), " of its mean over all windows\n");
  if (open) out += OpenLoopLine(setup, point);
  absl::StrAppend(&out, ServerLine(point), AnswersLine(point), ErrorsLine(point));
  if (point.total.answers > 0 && point.total.answers < 1000) {
    out += "  fewer than 1,000 answers: p99.9 says no more than the maximum\n";
  }
  const double busy = point.seconds() > 0 ? absl::ToDoubleSeconds(point.client_cpu) / point.seconds() : 0;
  if (busy > 0.9 * (setup.threads + (open ? 1 : 0))) {  // an open loop has one more, which sends
    absl::StrAppendFormat(&out,
                          "  CAUTION: this generator kept %.1f cores busy with %s for answers; what is "
                          "measured may be the generator: try more --connections, or another machine\n",
                          busy, Plural(setup.threads, "thread"));
  }
  return out;
}

}  // namespace digit
