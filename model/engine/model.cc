#include "model/engine/model.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/status.h"
#include "model/engine/digit_cnn.h"

namespace digit {
namespace {

constexpr int64_t kMaxSpecBytes = int64_t{16} << 20;  // 64 references of 1,000 classes are 0.5 MiB; a guess with room

absl::Status WithPath(const absl::Status& status, absl::string_view path) {
  return absl::Status(status.code(), absl::StrCat("model '", path, "': ", status.message()));
}

// nullopt when there is no such file.
absl::StatusOr<std::optional<ModelSpec>> ReadSpecFile(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path, kMaxSpecBytes);
  if (absl::IsNotFound(text.status())) return std::nullopt;
  RETURN_IF_ERROR(text.status());
  ASSIGN_OR_RETURN(ModelSpec spec, ParseModelSpec(*text, absl::StrCat("'", path, "'")));
  return spec;
}

bool IsVersionFolder(const std::filesystem::path& folder) {
  std::error_code error;
  const std::string name = std::filesystem::absolute(folder, error).lexically_normal().filename().string();
  return !name.empty() && std::all_of(name.begin(), name.end(), absl::ascii_isdigit);
}

absl::StatusOr<std::optional<ModelSpec>> FindSpec(const std::string& path, const ModelFile& file) {
  if (!file.model_json.empty()) {
    ASSIGN_OR_RETURN(ModelSpec spec, ParseModelSpec(file.model_json, absl::StrCat("model.json in '", path, "'")));
    return spec;
  }
  const std::filesystem::path model(path);
  ASSIGN_OR_RETURN(std::optional<ModelSpec> spec,
                   ReadSpecFile(std::filesystem::path(model).replace_extension(".json").string()));
  const std::filesystem::path folder = model.has_parent_path() ? model.parent_path() : ".";
  if (spec.has_value() || !IsVersionFolder(folder)) return spec;
  return ReadSpecFile((folder / "model.json").string());
}

// The network as a state_dict says it, or as TorchScript says whose own model.json vouches for the architecture: then
// its code need not run. nullopt: something else.
absl::StatusOr<std::optional<DigitCnn>> FindNetwork(const ModelFile& file, const ModelSpec& spec) {
  const bool claims = !file.model_json.empty() && spec.architecture == kDigitCnn;
  if (file.kind == ModelFile::Kind::kTorchScript && !claims) return std::nullopt;
  absl::StatusOr<DigitCnn> net = FindDigitCnn(file.tensors);
  if (net.ok()) return *std::move(net);
  if (claims) {
    return absl::InvalidArgumentError(
        absl::StrCat("its model.json says architecture '", kDigitCnn, "', but ", net.status().message()));
  }
  if (absl::IsDataLoss(net.status())) return absl::InvalidArgumentError(net.status().message());
  return absl::InvalidArgumentError(absl::StrCat("a state_dict, but not of the digit network: ", net.status().message(),
                                                 "; save another network with torch.jit.script(model).save(...)"));
}

}  // namespace

absl::StatusOr<std::string> ReadModelFile(const std::string& path) { return ReadFile(path, kMaxModelFileBytes); }

absl::StatusOr<Model> LoadModel(const std::string& path) {
  ASSIGN_OR_RETURN(std::string bytes, ReadModelFile(path));
  return LoadModel(path, std::move(bytes));
}

absl::StatusOr<Model> LoadModel(const std::string& path, std::string bytes) {
  Model model;
  model.path = path;
  model.bytes = std::move(bytes);
  model.sha256 = Sha256Hex(model.bytes);
  absl::StatusOr<ModelFile> file = ParseModelFile(model.bytes);
  if (!file.ok()) return WithPath(file.status(), path);
  model.file = *std::move(file);
  ASSIGN_OR_RETURN(std::optional<ModelSpec> spec, FindSpec(path, model.file));
  if (spec.has_value()) model.spec = *std::move(spec);
  const absl::StatusOr<std::optional<DigitCnn>> net = FindNetwork(model.file, model.spec);
  if (!net.ok()) return WithPath(net.status(), path);
  if (net->has_value()) {
    model.is_digit_cnn = true;
    model.spec.architecture = std::string(kDigitCnn);
    model.bytes = std::string();
    RETURN_IF_ERROR(FitSpec((*net)->num_classes, &model));
  }
  return model;
}

absl::Status FitSpec(int num_classes, Model* model) {
  ModelSpec& spec = model->spec;
  if (spec.labels.empty()) spec.labels = DefaultSpec(num_classes).labels;
  if (spec.num_classes() == num_classes) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("model '", model->path, "': its model.json has ", spec.num_classes(),
                                                 " labels, the network has ", num_classes, " outputs"));
}

}  // namespace digit
