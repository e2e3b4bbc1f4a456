#include "model/spec/training_events.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/status.h"

namespace digit {
namespace {

absl::Status Wrong(absl::string_view key) {
  return absl::InvalidArgumentError(absl::StrCat("a training event: '", key, "' is missing or of a wrong type"));
}

// Reads the keys of one event; the first that is wrong is remembered.
class Reader {
 public:
  explicit Reader(const json::object& object) : object_(object) {}

  template <typename Int>
  void Get(const char* key, Int* value) {
    const json::value* found = object_.if_contains(key);
    const int64_t* number = found != nullptr ? found->if_int64() : nullptr;
    const bool ok = number != nullptr && *number >= 0 && *number <= std::numeric_limits<Int>::max();
    if (ok) *value = static_cast<Int>(*number);
    if (!ok) status_.Update(Wrong(key));
  }
  void Get(const char* key, std::string* value) {
    const json::value* found = object_.if_contains(key);
    const bool ok = found != nullptr && found->is_string();
    if (ok) *value = found->as_string().c_str();
    if (!ok) status_.Update(Wrong(key));
  }
  void Get(const char* key, double* value) {
    const json::value* found = object_.if_contains(key);
    const bool ok = found != nullptr && found->is_number();
    if (ok) *value = found->to_number<double>();
    if (!ok) status_.Update(Wrong(key));
  }
  const absl::Status& status() const { return status_; }

 private:
  const json::object& object_;
  absl::Status status_;
};

double Finite(double value) { return std::isfinite(value) ? value : 0; }  // JSON has no others

}  // namespace

std::string FormatTrainingEvent(const TrainingEvent& event) {
  json::object object;
  switch (event.kind) {
    case TrainingEvent::Kind::kStarted:
      object = {{"event", "started"},
                {"version", event.version},
                {"epochs", event.epochs},
                {"steps", event.steps},
                {"images", event.images}};
      break;
    case TrainingEvent::Kind::kProgress:
      object = {{"event", "progress"},
                {"epoch", event.epoch},
                {"step", event.step},
                {"loss", Finite(event.loss)},
                {"images_per_second", Finite(event.images_per_second)},
                {"seconds_left", Finite(event.seconds_left)}};
      break;
    case TrainingEvent::Kind::kEpoch:
      object = {{"event", "epoch"},
                {"epoch", event.epoch},
                {"loss", Finite(event.loss)},
                {"accuracy", Finite(event.accuracy)}};
      break;
    case TrainingEvent::Kind::kDone:
      object = {{"event", "done"}, {"images", event.images}, {"accuracy", Finite(event.accuracy)}};
      break;
    case TrainingEvent::Kind::kUnknown:
      object = {{"event", "unknown"}};
      break;
  }
  return json::serialize(object);
}

absl::StatusOr<TrainingEvent> ParseTrainingEvent(absl::string_view line) {
  ASSIGN_OR_RETURN(const json::value value, ParseJson(line, "a training event"));
  const json::object* object = value.if_object();
  const json::value* name = object != nullptr ? object->if_contains("event") : nullptr;
  if (name == nullptr || !name->is_string()) return Wrong("event");
  const std::string kind = name->as_string().c_str();
  TrainingEvent event;
  Reader reader(*object);
  if (kind == "started") {
    event.kind = TrainingEvent::Kind::kStarted;
    reader.Get("version", &event.version);
    reader.Get("epochs", &event.epochs);
    reader.Get("steps", &event.steps);
    reader.Get("images", &event.images);
  } else if (kind == "progress") {
    event.kind = TrainingEvent::Kind::kProgress;
    reader.Get("epoch", &event.epoch);
    reader.Get("step", &event.step);
    reader.Get("loss", &event.loss);
    reader.Get("images_per_second", &event.images_per_second);
    reader.Get("seconds_left", &event.seconds_left);
  } else if (kind == "epoch") {
    event.kind = TrainingEvent::Kind::kEpoch;
    reader.Get("epoch", &event.epoch);
    reader.Get("loss", &event.loss);
    reader.Get("accuracy", &event.accuracy);
  } else if (kind == "done") {
    event.kind = TrainingEvent::Kind::kDone;
    reader.Get("images", &event.images);
    reader.Get("accuracy", &event.accuracy);
  }
  RETURN_IF_ERROR(reader.status());
  return event;
}

}  // namespace digit
