#include "daemon/app/daemon_config.h"

#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "daemon/pool/device_list.h"
#include "daemon/pool/pool.h"
#include "daemon/registry/model_registry.h"

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
         port >= 0 && port <= 65535;
}

void CheckModels(const std::vector<std::string>& models, Problems* problems) {
  if (models.empty()) problems->Add("model", "is missing; name a file, for example --model mnist.pt");
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

ModelFlag ParseModelFlag(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals != std::string::npos && text.find('/') > equals) return {text.substr(0, equals), text.substr(equals + 1)};
  return {ModelNameOf(text), text};
}

absl::Status Validate(const DaemonConfig& config) {
  Problems problems;
  CheckModels(config.models, &problems);
  if (!IsHostPort(config.listen)) {
    problems.Add("listen", absl::StrCat("'", config.listen, "' is not HOST:PORT with a port in 0..65535"));
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
  const absl::Status sizes = CheckAllowedBatchSizes(config.allowed_batch_sizes, config.max_batch_size);
  if (!sizes.ok()) problems.Add("allowed-batch-sizes", sizes.message());
  problems.Range("max-queued-images", config.max_queued_images, config.max_images_per_call, 1 << 24);
  problems.Range("max-images-per-call", config.max_images_per_call, 1, 1 << 20);
  problems.Range("max-unanswered-images", config.max_unanswered_images, 1, 1 << 20);
  problems.Range("max-message-bytes", config.max_message_bytes, 1 << 10, int64_t{1} << 30);
  problems.Range("decode-threads", config.decode_threads, 0, 1024);
  if (config.max_queue_delay < absl::ZeroDuration() || config.max_queue_delay > absl::Seconds(10)) {
    problems.Add("max-queue-delay", "must be in 0..10 s");
  }
  if (config.max_queue_wait <= absl::ZeroDuration() || config.max_queue_wait > absl::Hours(1)) {
    problems.Add("max-queue-wait", "must be above 0 and at most 1 h");
  }
  if (config.max_queue_delay >= config.max_queue_wait) {
    problems.Add("max-queue-delay", "must be below max-queue-wait: else every lone request would be refused");
  }
  if (config.drain_timeout < absl::ZeroDuration() || config.drain_timeout > absl::Hours(1)) {
    problems.Add("drain-timeout", "must be in 0..1 h");
  }
  return problems.ToStatus();
}

std::string FormatConfig(const DaemonConfig& config) {
  std::string models = absl::StrJoin(
      config.models, ", ", [](std::string* out, const std::string& model) { absl::StrAppend(out, "\"", model, "\""); });
  std::string sizes;  // an empty list cannot be written in the file
  if (!config.allowed_batch_sizes.empty()) {
    sizes = absl::StrCat("allowed-batch-sizes = [", absl::StrJoin(config.allowed_batch_sizes, ", "), "]\n");
  }
  return absl::StrCat("model = [", models, "]\nlisten = \"", config.listen, "\"\ndevices = \"", config.devices,
                      "\"\nreplicas = ", config.replicas, "\nengine = \"", config.engine,
                      "\"\nmax-batch-size = ", config.max_batch_size, "\nmax-queue-delay = \"",
                      absl::FormatDuration(config.max_queue_delay), "\"\n", sizes, "max-queue-wait = \"",
                      absl::FormatDuration(config.max_queue_wait), "\"\nmax-queued-images = ", config.max_queued_images,
                      "\nmax-images-per-call = ", config.max_images_per_call,
                      "\nmax-unanswered-images = ", config.max_unanswered_images,
                      "\nmax-message-bytes = ", config.max_message_bytes, "\ndecode-threads = ", config.decode_threads,
                      "\ndrain-timeout = \"", absl::FormatDuration(config.drain_timeout), "\"\nlog-level = \"",
                      config.log_level, "\"\nwatch = ", config.watch ? "true" : "false", "\ngate-data = \"",
                      config.gate_data, "\"\nstate-dir = \"", config.state_dir, "\"\nadmin-token-file = \"",
                      config.admin_token_file, "\"\naccess-log = ", config.access_log ? "true" : "false",
                      "\nreflection = ", config.reflection ? "true" : "false", "\n");
}

}  // namespace digit
