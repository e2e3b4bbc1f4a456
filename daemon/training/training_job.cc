#include "daemon/training/training_job.h"

#include <array>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/status.h"

namespace digit {
namespace {

constexpr std::array<const char*, 6> kStates = {"queued", "running", "publishing", "done", "failed", "cancelled"};
constexpr std::array<const char*, 3> kPromotes = {"never", "if_better", "always"};  // in the order of Promote

// Throws what ParseTrainingJob() catches.
template <size_t kSize>
int IndexOf(const std::array<const char*, kSize>& names, const json::value& value) {
  for (size_t i = 0; i < kSize; ++i) {
    if (value.as_string() == names[i]) return static_cast<int>(i);
  }
  throw std::invalid_argument(absl::StrCat("'", value.as_string().c_str(), "' is unknown"));
}

std::string StringOf(const json::value& value) { return value.as_string().c_str(); }

// Nanoseconds since the epoch; null for a time that has not come.
json::value TimeOf(absl::Time time) {
  return time == absl::InfinitePast() ? json::value(nullptr) : json::value(absl::ToUnixNanos(time));
}
absl::Time TimeOf(const json::value& value) {
  return value.is_null() ? absl::InfinitePast() : absl::FromUnixNanos(value.as_int64());
}

}  // namespace

absl::string_view NameOf(TrainingJobState state) { return kStates[static_cast<size_t>(state)]; }

std::string FormatTrainingJob(const TrainingJob& job) {
  const TrainingRequest& request = job.request;
  json::array epochs;
  for (const TrainingEvent& epoch : job.epochs) epochs.push_back(json::value(FormatTrainingEvent(epoch)));
  const json::object object = {{"id", job.id},
                               {"state", kStates[static_cast<size_t>(job.state)]},
                               {"request",
                                {{"model", request.model},
                                 {"fine_tune", request.fine_tune},
                                 {"data_set", request.data_set},
                                 {"corrections", request.corrections},
                                 {"epochs", request.epochs},
                                 {"seed", request.seed},
                                 {"promote", kPromotes[static_cast<size_t>(request.promote)]},
                                 {"detached", request.detached}}},
                               {"started", FormatTrainingEvent(job.started)},
                               {"epochs", std::move(epochs)},
                               {"version", job.version},
                               {"promoted", job.promoted},
                               {"gate", job.gate},
                               {"error", job.error},
                               {"created", TimeOf(job.created)},
                               {"began", TimeOf(job.began)},
                               {"ended", TimeOf(job.ended)}};
  return json::serialize(object) + "\n";
}

absl::StatusOr<TrainingJob> ParseTrainingJob(absl::string_view text, absl::string_view what) {
  ASSIGN_OR_RETURN(const json::value value, ParseJson(text, what));
  try {
    TrainingJob job;
    const json::object& object = value.as_object();
    const json::object& request = object.at("request").as_object();
    job.id = StringOf(object.at("id"));
    job.state = static_cast<TrainingJobState>(IndexOf(kStates, object.at("state")));
    job.request = {.model = StringOf(request.at("model")),
                   .fine_tune = request.at("fine_tune").as_bool(),
                   .data_set = StringOf(request.at("data_set")),
                   .corrections = request.at("corrections").as_bool(),
                   .epochs = request.at("epochs").to_number<int>(),
                   .seed = request.at("seed").to_number<uint64_t>(),
                   .promote = static_cast<Promote>(IndexOf(kPromotes, request.at("promote"))),
                   .detached = request.at("detached").as_bool()};
    ASSIGN_OR_RETURN(job.started, ParseTrainingEvent(StringOf(object.at("started"))));
    for (const json::value& epoch : object.at("epochs").as_array()) {
      ASSIGN_OR_RETURN(job.epochs.emplace_back(), ParseTrainingEvent(StringOf(epoch)));
    }
    job.version = StringOf(object.at("version"));
    job.promoted = object.at("promoted").as_bool();
    job.gate = StringOf(object.at("gate"));
    job.error = StringOf(object.at("error"));
    job.created = TimeOf(object.at("created"));
    job.began = TimeOf(object.at("began"));
    job.ended = TimeOf(object.at("ended"));
    return job;
  } catch (const std::exception& e) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": a part is missing or of a wrong type: ", e.what()));
  }
}

}  // namespace digit
