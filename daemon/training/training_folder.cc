#include "daemon/training/training_folder.h"

#include <cerrno>
#include <filesystem>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/beneath.h"
#include "base/file.h"
#include "base/status.h"

namespace digit {
namespace {

namespace fs = std::filesystem;

absl::Status WriteIdx(const std::string& folder, const LabeledImages& images) {
  RETURN_IF_ERROR(MakeFolders(folder));
  RETURN_IF_ERROR(WriteFileAtomically(folder + "/train-images-idx3-ubyte", FormatIdxImages(images)));
  return WriteFileAtomically(folder + "/train-labels-idx1-ubyte", FormatIdxLabels(images));
}

}  // namespace

absl::Status CheckTrainingRequest(const TrainingRequest& request, const std::string& data_dir) {
  if (request.epochs < 0 || request.epochs > 1000) {
    return absl::InvalidArgumentError(absl::StrCat("epochs is ", request.epochs, ", must be in 0..1000"));
  }
  if (request.seed > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return absl::InvalidArgumentError("seed is too large, must be below 2^63");
  }
  if (request.data_set.empty() && !request.corrections) {
    return absl::InvalidArgumentError("data_set and corrections are both empty: there is nothing to train on");
  }
  if (request.data_set.empty() && !request.fine_tune) {
    return absl::InvalidArgumentError("corrections alone are too few to begin with: set fine_tune, or name a data_set");
  }
  if (request.data_set.empty()) return absl::OkStatus();
  if (!CheckModelName(request.data_set).ok() || request.data_set == "none") {
    return absl::InvalidArgumentError(
        absl::StrCat("data_set '", request.data_set, "' is no name; it must match [a-z0-9][a-z0-9._-]{0,63}"));
  }
  if (data_dir.empty()) {
    return absl::FailedPreconditionError("this server has no data sets: start digitd with --data-dir DIR");
  }
  const absl::Status found = ListFolderBeneath(data_dir, request.data_set).status();
  if (found.ok()) return absl::OkStatus();
  return absl::Status(found.code(), absl::StrCat("data_set: ", found.message()));
}

absl::Status FillTrainingFolder(const std::string& folder, const ModelFiles& live, const LabeledImages& corrections) {
  RETURN_IF_ERROR(WriteFileAtomically(folder + "/live.pt", live.bytes));
  if (!live.spec_path.empty()) RETURN_IF_ERROR(WriteFileAtomically(folder + "/live.json", live.spec_json));
  if (corrections.size() == 0) return absl::OkStatus();
  return WriteIdx(folder + "/corrections", corrections);
}

std::vector<std::string> TrainerCommand(const std::string& trainer, const std::string& folder,
                                        const std::string& data_dir, int threads, const TrainingRequest& request) {
  std::vector<std::string> argv = {trainer, "--out",  folder + "/trained.pt", "--resume", "--events-fd",
                                   "3",     "--like", folder + "/live.pt",    "--seed",   absl::StrCat(request.seed)};
  const auto add = [&argv](const std::string& flag, const std::string& value) {
    argv.push_back(flag);
    argv.push_back(value);
  };
  add("--threads", absl::StrCat(threads));
  if (request.epochs > 0) add("--epochs", absl::StrCat(request.epochs));
  if (request.fine_tune) add("--init", folder + "/live.pt");
  if (request.corrections) add("--corrections", folder + "/corrections");
  add("--dataset", request.data_set.empty() ? "none" : request.data_set);
  if (!request.data_set.empty()) add("--data-dir", absl::StrCat(data_dir, "/", request.data_set));
  return argv;
}

std::string LastWords(const std::string& folder) {
  const absl::StatusOr<std::string> text = ReadFile(folder + "/log", 16 << 20);
  if (!text.ok()) return "";
  const std::vector<absl::string_view> lines = absl::StrSplit(*text, '\n', absl::SkipWhitespace());
  if (lines.empty()) return "";
  constexpr size_t kMost = 500;
  return std::string(absl::StripPrefix(lines.back(), "digit-train: ").substr(0, kMost));
}

void TidyTrainingFolder(const std::string& folder) {
  std::error_code ignored;
  for (const char* name : {"live.pt", "live.json", "corrections", "trained.pt", "trained.pt.checkpoint"}) {
    fs::remove_all(folder + "/" + name, ignored);
  }
}

}  // namespace digit
