#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/json.h"
#include "client/ctl/bench/report.h"
#include "client/ctl/terminal.h"

namespace digit {
namespace {

// A value that JSON and CSV both have. Empty and not text: not known.
struct Field {
  std::string name;
  std::string value;
  bool text = false;
};

std::string Number(double value) { return std::isfinite(value) ? absl::StrFormat("%.6g", value) : ""; }
std::string Micros(absl::Duration d) { return absl::StrFormat("%.1f", absl::ToDoubleMicroseconds(d)); }
std::string MeanMicros(absl::Duration sum, int64_t n) { return n == 0 ? "" : Micros(sum / n); }
std::string Quoted(const std::string& text) { return json::serialize(json::value(json::string(ValidUtf8(text)))); }

std::vector<Field> SetupFields(const BenchSetup& setup) {
  const BenchOptions& o = setup.options;
  return {{"server", setup.server, true},
          {"server_version", setup.server_version, true},
          {"model", setup.model, true},
          {"version", setup.version, true},
          {"mode", ModeName(o.mode), true},
          {"loop", o.open_loop() ? "open" : "closed", true},
          {"pictures", setup.pictures, true},
          {"picture_count", absl::StrCat(setup.picture_count)},
          {"images_per_message", absl::StrCat(o.images_per_message)},
          {"streams", absl::StrCat(o.mode == BenchMode::kStream ? o.streams : 0)},
          {"connections", absl::StrCat(o.connections)},
          {"threads", absl::StrCat(setup.threads)},
          {"timeout_s", Number(absl::ToDoubleSeconds(setup.timeout))},
          {"warmup_s", Number(absl::ToDoubleSeconds(o.warmup))},
          {"window_s", Number(absl::ToDoubleSeconds(o.window))},
          {"stable_limit", Number(o.stable)},
          {"seed", absl::StrCat(o.seed)}};
}

std::vector<Field> PointFields(const BenchSetup& setup, const BenchPoint& point) {
  const bool open = setup.options.open_loop();
  const BenchCounts& t = point.total;
  const LatencyHistogram& l = t.latency;
  const bool any = point.window_images() > 0;
  const auto server_cpu = point.server_cpu_per_image_micros();
  const int64_t n = t.server.requests;
  return {{"concurrency", open ? "" : absl::StrCat(point.load)},
          {"rate", open ? absl::StrCat(point.load) : ""},
          {"seconds", Number(point.seconds())},
          {"windows", absl::StrCat(point.windows.size())},
          {"stable", point.stable ? "true" : "false"},
          {"throughput_spread", Number(ThroughputSpread(point.windows))},
          {"interrupted", point.interrupted ? "true" : "false"},
          {"given_up", point.given_up ? "true" : "false"},
          {"requests", absl::StrCat(t.sent)},
          {"answers", absl::StrCat(t.answers)},
          {"errors", absl::StrCat(t.errors)},
          {"wrong", absl::StrCat(t.wrong)},
          {"not_sent", absl::StrCat(point.not_sent)},
          {"images_per_second", Number(point.images_per_second())},
          {"latency_from", open ? "due" : "sent", true},
          {"p50_us", Micros(l.Quantile(0.5))},
          {"p90_us", Micros(l.Quantile(0.9))},
          {"p99_us", Micros(l.Quantile(0.99))},
          {"p999_us", Micros(l.Quantile(0.999))},
          {"max_us", Micros(l.max())},
          {"mean_us", Micros(l.Mean())},
          {"error_p50_us", t.errors == 0 ? "" : Micros(t.error_latency.Quantile(0.5))},
          {"error_p99_us", t.errors == 0 ? "" : Micros(t.error_latency.Quantile(0.99))},
          {"send_delay_p99_us", open ? Micros(t.send_delay.Quantile(0.99)) : ""},
          {"server_decode_us", MeanMicros(t.server.decode, n)},
          {"server_queue_us", MeanMicros(t.server.queue, n)},
          {"server_queue_max_us", n == 0 ? "" : Micros(t.server.max_queue)},
          {"server_compute_us", MeanMicros(t.server.compute, n)},
          {"server_batch_images", n == 0 ? "" : Number(static_cast<double>(t.server.batch_images) / n)},
          {"server_times_requests", absl::StrCat(n)},
          {"client_cpu_us_per_image", any ? Number(point.client_cpu_per_image_micros()) : ""},
          {"server_cpu_us_per_image", any && server_cpu.has_value() ? Number(*server_cpu) : ""},
          {"server_process", setup.server_process, true},
          {"labelled_images", absl::StrCat(t.labelled)},
          {"accuracy", t.labelled == 0 ? "" : Number(static_cast<double>(t.right) / static_cast<double>(t.labelled))}};
}

std::vector<Field> AllFields(const BenchSetup& setup, const BenchPoint& point) {
  std::vector<Field> fields = SetupFields(setup);
  for (Field& field : PointFields(setup, point)) fields.push_back(std::move(field));
  return fields;
}

std::string CsvField(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

std::string ErrorsByCode(const BenchPoint& point, const char* form, const char* separator) {
  std::vector<std::string> parts;
  for (const auto& [code, count] : point.total.errors_by_code) {
    parts.push_back(absl::StrReplaceAll(form, {{"CODE", GrpcCodeName(code)}, {"COUNT", absl::StrCat(count)}}));
  }
  return absl::StrJoin(parts, separator);
}

std::string QuotedList(const std::vector<std::string>& texts) {
  return absl::StrJoin(texts, ",", [](std::string* out, const std::string& text) { out->append(Quoted(text)); });
}

}  // namespace

std::string FormatBenchJson(const BenchSetup& setup, const BenchPoint& point) {
  std::string out = "{";
  for (const Field& field : AllFields(setup, point)) {
    absl::StrAppend(&out, "\"", field.name, "\":",
                    field.text            ? Quoted(field.value)
                    : field.value.empty() ? "null"
                                          : field.value,
                    ",");
  }
  std::vector<std::string> windows;
  for (const Window& window : point.windows) windows.push_back(Number(window.images_per_second()));
  absl::StrAppend(&out, "\"window_images_per_second\":[", absl::StrJoin(windows, ","), "],\"errors_by_code\":{",
                  ErrorsByCode(point, "\"CODE\":COUNT", ","), "},\"first_error\":", Quoted(point.total.first_error),
                  ",\"wrong_samples\":[", QuotedList(point.total.wrong_samples), "]}\n");
  return out;
}

std::string FormatBenchCsvHeader() {
  std::vector<std::string> names;
  for (const Field& field : AllFields(BenchSetup(), BenchPoint())) names.push_back(field.name);
  return absl::StrCat(absl::StrJoin(names, ","), ",errors_by_code\n");
}

std::string FormatBenchCsv(const BenchSetup& setup, const BenchPoint& point) {
  std::vector<std::string> values;
  for (const Field& field : AllFields(setup, point)) values.push_back(CsvField(field.value));
  return absl::StrCat(absl::StrJoin(values, ","), ",", ErrorsByCode(point, "CODE=COUNT", " "), "\n");
}

}  // namespace digit
