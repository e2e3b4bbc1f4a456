// What digit-train tells the program that started it: one JSON object a line on the descriptor that --events-fd names.
//   {"event":"started","version":"0.1.0","epochs":5,"steps":443,"images":55000}
//   {"event":"progress","epoch":1,"step":40,"loss":1.92,"images_per_second":14000,"seconds_left":17.5}
//   {"event":"epoch","epoch":1,"loss":0.41,"accuracy":0.984}
//   {"event":"done","images":5000,"accuracy":0.9952}
// Nothing else is a sign of success; why it failed is the last line on standard error. Kinds and keys that the reader
// does not know are for later versions.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace digit {

struct TrainingEvent {
  enum class Kind {
    kStarted,   // version, epochs, steps, images
    kProgress,  // epoch, step, loss, images_per_second, seconds_left
    kEpoch,     // epoch, loss, accuracy
    kDone,      // images, accuracy
    kUnknown,   // of a later version
  };
  Kind kind = Kind::kUnknown;
  std::string version;  // of digit-train
  int epochs = 0;
  int epoch = 0;        // from 1
  int64_t steps = 0;    // of an epoch
  int64_t step = 0;     // done of this epoch
  int64_t images = 0;   // started: trained on; done: validated on
  double loss = 0;      // mean over the epoch so far
  double accuracy = 0;  // on validation pictures, 0..1
  double images_per_second = 0;
  double seconds_left = 0;  // until the last epoch is done
};

// Without line feed.
std::string FormatTrainingEvent(const TrainingEvent& event);

// INVALID_ARGUMENT: no JSON object, or a key of the kind is missing or of a wrong type.
absl::StatusOr<TrainingEvent> ParseTrainingEvent(absl::string_view line);

}  // namespace digit
