// What a version must be to come in.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/log.h"
#include "base/status.h"
#include "daemon/registry/model_registry.h"
#include "model/dataset/digit_generator.h"

namespace digit {

absl::Status ModelRegistry::CheckKnown(const Model& model, const std::string& version, Origin origin,
                                       const std::map<std::string, std::string>& known) const {
  const auto found = known.find(version);
  if (origin == Origin::kFile && model.identity.substr(0, version.size()) == version) return absl::OkStatus();
  if (found == known.end() || found->second == model.identity) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("model '", model.path, "' has changed, and its folder says that it is still version ", version,
                   ": a version stays what it is. Write the new one to a folder of its own number"));
}

absl::Status ModelRegistry::CheckReplaces(const Model& candidate, const LiveModel& live) const {
  if (live.model->is_digit_cnn && !candidate.is_digit_cnn && !options_.allow_torchscript) {
    return absl::FailedPreconditionError(
        absl::StrCat("model '", candidate.path, "' is TorchScript, which is a program; a reload replaces the digit ",
                     "network '", live.name, "' by one only under --engine torch. Start digitd with it, or anew"));
  }
  const std::vector<std::string>& before = live.model->spec.labels;
  const std::vector<std::string>& after = candidate.spec.labels;
  if (after.empty() || after == before) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "model '", candidate.path, "' has other labels than what is live as '", live.name, "': ", after.size(), " (",
      absl::StrJoin(after, ","), ") and not ", before.size(), " (", absl::StrJoin(before, ","), ")"));
}

absl::Status ModelRegistry::CheckHalf(const std::string& name, InferenceEngine& half, InferenceEngine& single) const {
  ASSIGN_OR_RETURN(const std::shared_ptr<const LabeledImages> images, options_.gate_images(name));
  if (images == nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<int> wanted, ClassesOf(single, images->pixels, options_.rest));
  ASSIGN_OR_RETURN(const std::vector<int> got, ClassesOf(half, images->pixels, options_.rest));
  int differ = 0;
  for (size_t i = 0; i < wanted.size(); ++i) differ += wanted[i] != got[i] ? 1 : 0;
  if (differ == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("half precision puts ", differ, " of ", wanted.size(),
                                                    " validation pictures into another class than single precision"));
}

absl::Status ModelRegistry::PassGate(const Candidate& candidate, const LiveModel& live, bool force, std::string* gate,
                                     bool* was_asked) {
  const absl::StatusOr<std::shared_ptr<const LabeledImages>> images = options_.gate_images(live.name);
  *was_asked = images.ok();
  if (!images.ok()) {
    absl::Status why(images.status().code(), absl::StrCat("the gate cannot be asked: ", images.status().message()));
    if (!force) return why;
    *gate = absl::StrCat(why.message(), " (overruled)");
    LogWarn("gate overruled", {{"model", live.name}, {"version", candidate.version}, {"gate", why}});
    return absl::OkStatus();
  }
  GateReport report;
  absl::Status verdict = AskGate(candidate, live, *images, &report);
  if (!verdict.ok() && report.images == 0) return verdict;  // one of the two cannot answer
  *gate = report.ToString();
  if (verdict.ok() || !force) return verdict;
  absl::StrAppend(gate, " (overruled)");
  LogWarn("gate overruled", {{"model", live.name}, {"version", candidate.version}, {"gate", verdict}});
  return absl::OkStatus();
}

absl::Status ModelRegistry::AskGate(const Candidate& candidate, const LiveModel& live,
                                    std::shared_ptr<const LabeledImages> images, GateReport* report) {
  constexpr int kGenerated = 1000;
  const bool has_labels = images != nullptr;
  if (!has_labels) {
    static const auto& generated =  // drawing them is slow, so it is done once, and only when they are needed
        *new std::shared_ptr<const LabeledImages>(
            std::make_shared<LabeledImages>(DigitGenerator(/*seed=*/1).DrawMany(kGenerated)));
    images = generated;
  }
  ASSIGN_OR_RETURN(const std::vector<int> live_classes, LiveAnswers(live, images));
  // Also when it was asked before: it may fail now.
  ASSIGN_OR_RETURN(const std::vector<int> classes, ClassesOf(candidate.engine, images->pixels, options_.rest));
  Remember({.identity = candidate.identity, .images = images, .classes = classes});
  const absl::Span<const uint8_t> labels =
      has_labels ? absl::Span<const uint8_t>(images->labels) : absl::Span<const uint8_t>();
  return Judge(labels, live_classes, classes, report);
}

// What is live was asked as it came in, mostly.
absl::StatusOr<std::vector<int>> ModelRegistry::LiveAnswers(const LiveModel& live,
                                                            const std::shared_ptr<const LabeledImages>& images) {
  const std::string& identity = live.model->identity;
  const auto known = std::find_if(answers_.begin(), answers_.end(), [&](const GateAnswers& answers) {
    return answers.identity == identity && answers.images == images;
  });
  GateAnswers answers{.identity = identity, .images = images};
  if (known != answers_.end()) {
    answers.classes = known->classes;
  } else {
    ASSIGN_OR_RETURN(const std::unique_ptr<InferenceEngine> engine, pool_->MakeEngine(*live.model));
    ASSIGN_OR_RETURN(answers.classes, ClassesOf(*engine, images->pixels, options_.rest));
  }
  Remember(answers);
  return answers.classes;
}

void ModelRegistry::Remember(GateAnswers answers) {
  constexpr size_t kRemembered = 8;  // enough for a few models
  answers_.erase(std::remove_if(answers_.begin(), answers_.end(),
                                [&](const GateAnswers& a) {
                                  return a.identity == answers.identity && a.images == answers.images;
                                }),
                 answers_.end());
  answers_.push_front(std::move(answers));
  if (answers_.size() > kRemembered) answers_.pop_back();
}

}  // namespace digit
