#include "daemon/rpc/oip/model_messages.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "daemon/rpc/oip/tensor_codec.h"

namespace digit {
namespace {

constexpr char kPlatform[] = "digitd";
constexpr int64_t kAnySize = -1;

// One of the tensors that a model has.
struct Tensor {
  absl::string_view name;
  absl::string_view datatype;
  inference::DataType type;
  std::vector<int64_t> dims;  // without the number of images
};

std::vector<Tensor> Inputs() {
  return {{kPixelsInput, "UINT8", inference::TYPE_UINT8, {kImageSide, kImageSide}},
          {kImagesInput, "BYTES", inference::TYPE_STRING, {}}};
}

std::vector<Tensor> Outputs(const ModelSpec& spec) {
  return {{NameOf(InferOutput::kProbabilities), "FP32", inference::TYPE_FP32, {spec.num_classes()}},
          {NameOf(InferOutput::kClass), "INT32", inference::TYPE_INT32, {}},
          {NameOf(InferOutput::kLabel), "BYTES", inference::TYPE_STRING, {}},
          {NameOf(InferOutput::kVerdict), "BYTES", inference::TYPE_STRING, {}}};
}

void EncodeTensor(const Tensor& tensor, inference::ModelMetadataResponse::TensorMetadata* out) {
  out->set_name(std::string(tensor.name));
  out->set_datatype(std::string(tensor.datatype));
  out->add_shape(kAnySize);
  for (int64_t dim : tensor.dims) out->add_shape(dim);
}

std::string JsonOf(const std::vector<std::string>& labels) {
  json::array array;
  for (const std::string& label : labels) array.emplace_back(label);
  return json::serialize(array);
}

// As RepositoryIndex calls it, and why it is not ready.
struct IndexState {
  absl::string_view state;
  std::string reason;
};

IndexState IndexStateOf(const VersionRecord& record) {
  switch (record.state) {
    case ModelState::kLoading:
    case ModelState::kChecking:
    case ModelState::kWarming:
      return {"LOADING", record.reason};
    case ModelState::kDraining:
      return {"UNLOADING", record.reason};
    case ModelState::kRetired:
    case ModelState::kRefused:
      return {"UNAVAILABLE", record.reason};
    case ModelState::kLive:
    case ModelState::kCandidate:
    case ModelState::kKept:
      break;
  }
  const ModelHandle loaded = record.model.lock();
  if (loaded == nullptr) return {"UNAVAILABLE", record.reason};
  if (!loaded->placed->serving()) {
    return {"UNAVAILABLE", "the engines of all executors failed and are being rebuilt"};
  }
  return {"READY", ""};
}

void EncodeSum(const RequestCounters::Sum& sum, inference::StatisticDuration* out) {
  out->set_count(sum.count);
  out->set_ns(absl::ToInt64Nanoseconds(sum.time));
}

}  // namespace

void EncodeMetadata(const LiveModel& model, inference::ModelMetadataResponse* out) {
  const ModelSpec& spec = model.model->spec;
  out->set_name(model.name);
  out->set_platform(kPlatform);
  for (const Tensor& tensor : Inputs()) EncodeTensor(tensor, out->add_inputs());
  for (const Tensor& tensor : Outputs(spec)) EncodeTensor(tensor, out->add_outputs());
  auto& properties = *out->mutable_properties();
  properties["pixels"] = "UINT8: 0 paper to 255 ink; FP32: 0 paper to 1 ink";
  properties["engine"] = std::string(model.placed->engine_name());
  properties["labels"] = JsonOf(spec.labels);
}

void EncodeConfig(const LiveModel& model, int max_images_per_call, inference::ModelConfig* out) {
  out->set_name(model.name);
  out->set_platform(kPlatform);
  out->set_backend(std::string(model.placed->engine_name()));
  out->set_max_batch_size(max_images_per_call);
  out->mutable_dynamic_batching();
  for (const Tensor& tensor : Inputs()) {
    inference::ModelInput* input = out->add_input();
    input->set_name(std::string(tensor.name));
    input->set_data_type(tensor.type);
    for (int64_t dim : tensor.dims) input->add_dims(dim);
    input->set_optional(true);
  }
  for (const Tensor& tensor : Outputs(model.model->spec)) {
    inference::ModelOutput* output = out->add_output();
    output->set_name(std::string(tensor.name));
    output->set_data_type(tensor.type);
    for (int64_t dim : tensor.dims) output->add_dims(dim);
  }
}

void EncodeIndex(const ModelDescription& model, bool ready_only, inference::RepositoryIndexResponse* out) {
  for (const VersionRecord& record : model.versions) {
    IndexState index = IndexStateOf(record);
    if (ready_only && index.state != "READY") continue;
    auto* const entry = out->add_models();
    entry->set_name(model.name);
    entry->set_version(record.version);
    entry->set_state(std::string(index.state));
    entry->set_reason(std::move(index.reason));
  }
}

void EncodeStatistics(const LiveModel& model, absl::Time wall_now, SteadyTime now, inference::ModelStatistics* out) {
  const RequestCounters::Snapshot requests = model.requests->Read();
  out->set_name(model.name);
  out->set_version(model.version);
  out->set_inference_count(model.answers->Read().all.images());
  out->set_execution_count(model.placed->num_batches());
  if (requests.answered.count + requests.failed.count > 0) {
    out->set_last_inference(absl::ToUnixMillis(wall_now - (now - requests.last)));
  }
  inference::InferStatistics* const stats = out->mutable_inference_stats();
  EncodeSum(requests.answered, stats->mutable_success());
  EncodeSum(requests.failed, stats->mutable_fail());
  EncodeSum(requests.queued, stats->mutable_queue());
  EncodeSum(requests.computed, stats->mutable_compute_infer());
}

absl::Status CheckRepositoryParameters(
    const google::protobuf::Map<std::string, inference::ModelRepositoryParameter>& parameters) {
  for (const auto& [name, _] : parameters) {
    if (name == "unload_dependents") continue;
    constexpr size_t kMaxNameBytes = 64;
    return absl::InvalidArgumentError(absl::StrCat("parameter '", name.substr(0, kMaxNameBytes), "' is not accepted: ",
                                                   name == "config" || absl::StartsWith(name, "file:")
                                                       ? "models come from the files of this server only"
                                                       : "there are none"));
  }
  return absl::OkStatus();
}

absl::Status CheckRepositoryName(absl::string_view name) {
  if (name.empty()) return absl::OkStatus();
  return absl::UnimplementedError("repository_name must be empty: this server has no named repositories");
}

}  // namespace digit
