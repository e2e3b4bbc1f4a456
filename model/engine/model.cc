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

absl::Status WithPath(const absl::Status& status, absl::string_view path) {
  return absl::Status(status.code(), absl::StrCat("model '", path, "': ", status.message()));
}

// False when there is no such file.
absl::StatusOr<bool> ReadSpecFile(const std::string& path, ModelFiles* files) {
  absl::StatusOr<std::string> text = ReadFile(path, kMaxSpecBytes);
  if (absl::IsNotFound(text.status())) return false;
  RETURN_IF_ERROR(text.status());
  files->spec_path = path;
  files->spec_json = *std::move(text);
  return true;
}

bool IsVersionFolder(const std::filesystem::path& folder) {
  std::error_code error;
  const std::string name = std::filesystem::absolute(folder, error).lexically_normal().filename().string();
  return !name.empty() && std::all_of(name.begin(), name.end(), absl::ascii_isdigit);
}

absl::StatusOr<ModelSpec> FindSpec(const ModelFiles& files, const ModelFile& file) {
  if (!file.model_json.empty()) {
    return ParseModelSpec(file.model_json, absl::StrCat("model.json in '", files.path, "'"));
  }
  if (files.spec_path.empty()) return ModelSpec();
  return ParseModelSpec(files.spec_json, absl::StrCat("'", files.spec_path, "'"));
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

absl::StatusOr<ModelFiles> ReadModelFiles(const std::string& path) {
  ModelFiles files{.path = path};
  ASSIGN_OR_RETURN(files.bytes, ReadFile(path, kMaxModelFileBytes));
  const std::filesystem::path model(path);
  ASSIGN_OR_RETURN(const bool found,
                   ReadSpecFile(std::filesystem::path(model).replace_extension(".json").string(), &files));
  const std::filesystem::path folder = model.has_parent_path() ? model.parent_path() : ".";
  if (!found && IsVersionFolder(folder)) {
    RETURN_IF_ERROR(ReadSpecFile((folder / "model.json").string(), &files).status());
  }
  return files;
}

absl::StatusOr<Model> LoadModel(const std::string& path) {
  ASSIGN_OR_RETURN(ModelFiles files, ReadModelFiles(path));
  return LoadModel(std::move(files));
}

absl::StatusOr<Model> LoadModel(ModelFiles files) {
  Model model;
  model.path = files.path;
  model.bytes = std::move(files.bytes);
  model.sha256 = Sha256Hex(model.bytes);
  absl::StatusOr<ModelFile> file = ParseModelFile(model.bytes);
  if (!file.ok()) return WithPath(file.status(), files.path);
  model.file = *std::move(file);
  const bool spec_is_beside = model.file.model_json.empty() && !files.spec_path.empty();
  model.identity = spec_is_beside ? Sha256Hex(absl::StrCat(model.sha256, files.spec_json)) : model.sha256;
  ASSIGN_OR_RETURN(model.spec, FindSpec(files, model.file));
  const absl::StatusOr<std::optional<DigitCnn>> net = FindNetwork(model.file, model.spec);
  if (!net.ok()) return WithPath(net.status(), files.path);
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
