// Writes training_events.h to a descriptor, for the program that started this one.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "model/spec/training_events.h"
#include "model/training/trainer.h"

namespace digit {

// Not thread-safe. A reader that has gone is no reason to stop.
class EventWriter {
 public:
  explicit EventWriter(int fd) : fd_(fd) {}  // not owned; -1: nowhere

  void Started(int epochs, int64_t steps, int64_t images);
  // Before each step; writes some times a second. `seconds`: spent on this epoch so far.
  void Step(const TrainingState& state, int images_per_step, double seconds);
  void EpochDone(int epoch, const EpochRecord& record);
  void Done(int64_t images, double accuracy);

 private:
  void Write(const TrainingEvent& event);

  int fd_;
  int epochs_ = 0;
  int64_t steps_ = 0;  // of an epoch
  SteadyTime written_;
};

}  // namespace digit
