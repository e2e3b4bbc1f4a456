#include "model/training/event_writer.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "absl/strings/string_view.h"
#include "base/build_info.h"

namespace digit {

void EventWriter::Write(const TrainingEvent& event) {
  if (fd_ < 0) return;
  const std::string line = FormatTrainingEvent(event) + "\n";
  absl::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t n = ::write(fd_, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      fd_ = -1;
      return;
    }
    rest.remove_prefix(static_cast<size_t>(n));
  }
}

void EventWriter::Started(int epochs, int64_t steps, int64_t images) {
  epochs_ = epochs;
  steps_ = steps;
  Write({.kind = TrainingEvent::Kind::kStarted,
         .version = std::string(Version()),
         .epochs = epochs,
         .steps = steps,
         .images = images});
}

void EventWriter::Step(const TrainingState& state, int images_per_step, double seconds) {
  constexpr absl::Duration kPause = absl::Milliseconds(250);
  if (fd_ < 0) return;
  const SteadyTime now = SteadyClock()->Now();
  if (now - written_ < kPause) return;
  written_ = now;
  const int64_t step = state.step % steps_, images = step * images_per_step;
  const int64_t left = steps_ * epochs_ - state.step;
  Write({.kind = TrainingEvent::Kind::kProgress,
         .epoch = static_cast<int>(state.step / steps_) + 1,
         .step = step,
         .loss = images == 0 ? 0 : state.loss_sum / static_cast<double>(images),
         .images_per_second = seconds > 0 ? static_cast<double>(images) / seconds : 0,
         .seconds_left = step == 0 ? 0 : seconds * static_cast<double>(left) / static_cast<double>(step)});
}

void EventWriter::EpochDone(int epoch, const EpochRecord& record) {
  Write({.kind = TrainingEvent::Kind::kEpoch,
         .epoch = epoch,
         .loss = record.loss,
         .accuracy = record.validation_accuracy});
}

void EventWriter::Done(int64_t images, double accuracy) {
  Write({.kind = TrainingEvent::Kind::kDone, .images = images, .accuracy = accuracy});
}

}  // namespace digit
