#include "daemon/app/daemon_config.h"

#include <set>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "daemon/pool/device_list.h"
#include "daemon/pool/pool.h"
#include "daemon/registry/model_registry.h"
#include "daemon/registry/version_policy.h"

namespace digit {
namespace {

class Problems {
 public:
  void Add(absl::string_view key, absl::string_view problem) { lines_.push_back(absl::StrCat(key, ": ", problem)); }
  void Range(absl::string_view key, int64_t value, int64_t low, int64_t high) {
    if (value < low || value > high) Add(key, absl::StrCat("is ", value, ", must be in ", low, "..", high));
  }
  void OneOf(absl::string_view key, const std::string& value, const std::set<std::string>& allowed) {
    if (!allowed.contains(value))
      Add(key, absl::StrCat("is '", value, "', must be one of ", absl::StrJoin(allowed, ", ")));
  }
  absl::Status ToStatus() const {
    return lines_.empty() ? absl::OkStatus() : absl::InvalidArgumentError(absl::StrJoin(lines_, "\n"));
  }

 private:
  std::vector<std::string> lines_;
};

bool IsHostPort(absl::string_view text) {
  const size_t colon = text.rfind(':');
  int port = -1;
  return colon != absl::string_view::npos && colon > 0 && absl::SimpleAtoi(text.substr(colon + 1), &port) &&
         absl::c_all_of(text.substr(colon + 1), absl::ascii_isdigit) && port <= 65535;
}

void CheckModels(const std::vector<std::string>& models, bool has_folders, Problems* problems) {
  if (models.empty() && !has_folders) {
    problems->Add("model", "is missing; name a file, for example --model mnist.pt, or a folder with --model-dir");
  }
  std::set<std::string> names;
  for (const std::string& text : models) {
    const ModelFlag model = ParseModelFlag(text);
    const absl::Status name = CheckModelName(model.name);
    if (!name.ok()) problems->Add("model", name.message());
    if (model.path.empty()) problems->Add("model", absl::StrCat("'", text, "' names no file"));
    if (!names.insert(model.name).second)
      problems->Add("model", absl::StrCat("the name '", model.name, "' is given twice"));
  }
}

}  // namespace

ModelFlag ParseNamedFlag(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals != std::string::npos && text.find('/') > equals) return {text.substr(0, equals), text.substr(equals + 1)};
  return {"", text};
}

ModelFlag ParseModelFlag(const std::string& text) {
  ModelFlag flag = ParseNamedFlag(text);
  if (flag.path.size() == text.size()) flag.name = ModelNameOf(text);
  return flag;
}

absl::Status Validate(const DaemonConfig& config) {
  Problems problems;
  CheckModels(config.models, !config.model_dir.empty(), &problems);
  for (const std::string& text : config.model_versions) {
    const auto policy = ParseVersionPolicy(ParseNamedFlag(text).path);
    if (!policy.ok()) problems.Add("model-versions", policy.status().message());
    if (config.model_dir.empty()) problems.Add("model-versions", "is for --model-dir, which is missing");
  }
  if (!IsHostPort(config.listen)) {
    problems.Add("listen", absl::StrCat("'", config.listen, "' is not HOST:PORT with a port in 0..65535"));
  }
  if (!config.metrics_listen.empty() && !IsHostPort(config.metrics_listen)) {
    problems.Add("metrics-listen",
                 absl::StrCat("'", config.metrics_listen, "' is not HOST:PORT with a port in 0..65535"));
  }
  if (config.metrics_listen == config.listen && !absl::EndsWith(config.listen, ":0")) {
    problems.Add("metrics-listen", absl::StrCat("'", config.listen, "' is the address of --listen"));
  }
  const auto devices = ParseDeviceList(config.devices);
  if (!devices.ok()) problems.Add("devices", devices.status().message().substr(std::string("devices: ").size()));
  problems.OneOf("engine", config.engine, {"auto", "cpu", "torch"});
  problems.OneOf("log-level", config.log_level, {"debug", "info", "warn", "error", "off"});
  if (config.access_log && config.log_level != "debug" && config.log_level != "info") {
    problems.Add("access-log", absl::StrCat("is written at level info, which log-level ", config.log_level, " hides"));
  }
  problems.Range("replicas", config.replicas, 0, 1024);
  problems.Range("max-batch-size", config.max_batch_size, 1, 1024);
  problems.Range("max-gpu-batch-size", config.max_gpu_batch_size, 1, 1024);
  const absl::Status sizes = CheckAllowedBatchSizes(config.allowed_batch_sizes, config.max_batch_size);
  if (!sizes.ok()) problems.Add("allowed-batch-sizes", sizes.message());
  problems.Range("max-queued-images", config.max_queued_images, config.max_images_per_call, 1 << 24);
  problems.Range("max-images-per-call", config.max_images_per_call, 1, 1 << 20);
  problems.Range("max-unanswered-images", config.max_unanswered_images, 1, 1 << 20);
  problems.Range("max-message-bytes", config.max_message_bytes, 1 << 10, int64_t{1} << 30);
  problems.Range("decode-threads", config.decode_threads, 0, 1024);
  problems.Range("trainer-memory", config.trainer_memory, 0, int64_t{1} << 50);
  problems.Range("max-feedback", config.max_feedback, 1, 100'000'000);
  problems.Range("max-feedback-per-source", config.max_feedback_per_source, 1, 100'000'000);
  problems.Range("feedback-agreement", config.feedback_agreement, 0, 100);
  if (config.max_queue_delay < absl::ZeroDuration() || config.max_queue_delay > absl::Seconds(10)) {
    problems.Add("max-queue-delay", "must be in 0..10 s");
  }
  if (config.max_queue_wait <= absl::ZeroDuration() || config.max_queue_wait > absl::Hours(1)) {
    problems.Add("max-queue-wait", "must be above 0 and at most 1 h");
  }
  if (config.max_queue_delay >= config.max_queue_wait) {
    problems.Add("max-queue-delay", "must be below max-queue-wait: else every lone request would be refused");
  }
  if (config.probation < absl::ZeroDuration() || config.probation > absl::Hours(24 * 30)) {
    problems.Add("probation", "must be in 0..720 h");
  }
  if (config.drain_timeout < absl::ZeroDuration() || config.drain_timeout > absl::Hours(1)) {
    problems.Add("drain-timeout", "must be in 0..1 h");
  }
  return problems.ToStatus();
}

namespace {

// As CLI11 reads it back.
std::string Quoted(const std::string& text) {
  return absl::StrContains(text, '"') ? absl::StrCat("'", text, "'") : absl::StrCat("\"", text, "\"");
}

// Lines of "key = value". An empty list cannot be written in the file and has no line.
class Lines {
 public:
  void Add(absl::string_view key, const std::string& value) { Line(key, Quoted(value)); }
  void Add(absl::string_view key, const char* value) { Line(key, Quoted(value)); }
  void Add(absl::string_view key, int64_t value) { Line(key, absl::StrCat(value)); }
  void Add(absl::string_view key, int value) { Line(key, absl::StrCat(value)); }
  void Add(absl::string_view key, bool value) { Line(key, value ? "true" : "false"); }
  void Add(absl::string_view key, absl::Duration value) { Line(key, Quoted(absl::FormatDuration(value))); }
  void Add(absl::string_view key, const std::vector<std::string>& values) {
    const auto quote = [](std::string* out, const std::string& value) { out->append(Quoted(value)); };
    if (!values.empty()) Line(key, absl::StrCat("[", absl::StrJoin(values, ", ", quote), "]"));
  }
  void Add(absl::string_view key, const std::vector<int>& values) {
    if (!values.empty()) Line(key, absl::StrCat("[", absl::StrJoin(values, ", "), "]"));
  }
  const std::string& text() const { return text_; }

 private:
  void Line(absl::string_view key, const std::string& value) { absl::StrAppend(&text_, key, " = ", value, "\n"); }
  std::string text_;
};

}  // namespace

std::string FormatConfig(const DaemonConfig& config) {
  Lines lines;
  lines.Add("model", config.models);
  lines.Add("model-dir", config.model_dir);
  lines.Add("model-versions", config.model_versions);
  lines.Add("listen", config.listen);
  lines.Add("metrics-listen", config.metrics_listen);
  lines.Add("devices", config.devices);
  lines.Add("replicas", config.replicas);
  lines.Add("engine", config.engine);
  lines.Add("max-batch-size", config.max_batch_size);
  lines.Add("max-gpu-batch-size", config.max_gpu_batch_size);
  lines.Add("max-queue-delay", config.max_queue_delay);
  lines.Add("allowed-batch-sizes", config.allowed_batch_sizes);
  lines.Add("max-queue-wait", config.max_queue_wait);
  lines.Add("max-queued-images", config.max_queued_images);
  lines.Add("max-images-per-call", config.max_images_per_call);
  lines.Add("max-unanswered-images", config.max_unanswered_images);
  lines.Add("max-message-bytes", config.max_message_bytes);
  lines.Add("decode-threads", config.decode_threads);
  lines.Add("drain-timeout", config.drain_timeout);
  lines.Add("watch", config.watch);
  lines.Add("gate-data", config.gate_data);
  lines.Add("data-dir", config.data_dir);
  lines.Add("require-digest", config.require_digest);
  lines.Add("probation", config.probation);
  lines.Add("state-dir", config.state_dir);
  lines.Add("trainer", config.trainer);
  lines.Add("trainer-memory", config.trainer_memory);
  lines.Add("max-feedback", config.max_feedback);
  lines.Add("max-feedback-per-source", config.max_feedback_per_source);
  lines.Add("feedback-agreement", config.feedback_agreement);
  lines.Add("admin-token-file", config.admin_token_file);
  lines.Add("log-level", config.log_level);
  lines.Add("access-log", config.access_log);
  lines.Add("reflection", config.reflection);
  return lines.text();
}

}  // namespace digit
