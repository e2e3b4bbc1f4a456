// What a person sees while training runs: a moving bar on a terminal, one plain line for each epoch elsewhere.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

#include "model/training/trainer.h"

namespace digit {

// Not thread-safe.
class Progress {
 public:
  // `out` is not owned; `is_terminal` decides the form: ShowsProgressBar(fileno(out)).
  Progress(std::FILE* out, bool is_terminal, int epochs, int64_t steps_per_epoch);
  ~Progress();  // removes the bar, so that what is said next starts its line

  // Call often; redraws only when a whole per cent has passed. `seconds`: spent on this epoch so far.
  void Step(int64_t step, double seconds);
  void EpochDone(int epoch, const EpochRecord& record);

 private:
  std::FILE* const out_;
  const bool is_terminal_;
  const int epochs_;
  const int64_t steps_per_epoch_;
  int last_percent_ = -1;
};

// Whether `fd` is a terminal that can rewrite a line; TERM=dumb cannot.
bool ShowsProgressBar(int fd);

// "  epoch 2/5 [#####.....]  50 %  3 s left"; without line feed.
std::string ProgressLine(int epoch, int epochs, int percent, double seconds_left);

// "epoch 2/5: loss 0.3930, validation 99.22 %, 4.2 s".
std::string EpochLine(int epoch, int epochs, const EpochRecord& record);

}  // namespace digit
