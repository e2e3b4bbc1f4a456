#include "model/training/progress.h"

#include <unistd.h>

#include <cstdlib>

#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"

namespace digit {

Progress::Progress(std::FILE* out, bool is_terminal, int epochs, int64_t steps_per_epoch)
    : out_(out), is_terminal_(is_terminal), epochs_(epochs), steps_per_epoch_(steps_per_epoch) {}

Progress::~Progress() {
  if (last_percent_ < 0) return;
  std::fputs("\r\033[K", out_);
  std::fflush(out_);
}

void Progress::Step(int64_t step, double seconds) {
  if (!is_terminal_) return;
  const int64_t done = step % steps_per_epoch_;
  const int percent = static_cast<int>(100 * done / steps_per_epoch_);
  if (percent == last_percent_) return;
  last_percent_ = percent;
  const double left =
      done == 0 ? 0 : seconds * static_cast<double>(steps_per_epoch_ - done) / static_cast<double>(done);
  const int epoch = static_cast<int>(step / steps_per_epoch_) + 1;
  std::fprintf(out_, "\r\033[K%s", ProgressLine(epoch, epochs_, percent, left).c_str());
  std::fflush(out_);
}

void Progress::EpochDone(int epoch, const EpochRecord& record) {
  last_percent_ = -1;
  std::fprintf(out_, "%s%s\n", is_terminal_ ? "\r\033[K" : "", EpochLine(epoch, epochs_, record).c_str());
  std::fflush(out_);
}

bool ShowsProgressBar(int fd) {
  const char* term = std::getenv("TERM");
  return ::isatty(fd) != 0 && term != nullptr && absl::string_view(term) != "dumb";
}

std::string ProgressLine(int epoch, int epochs, int percent, double seconds_left) {
  constexpr int kWidth = 30;
  const int filled = percent * kWidth / 100;
  return absl::StrFormat("epoch %d/%d [%s%s] %3d %%  %.0f s left", epoch, epochs, std::string(filled, '#'),
                         std::string(kWidth - filled, '.'), percent, seconds_left);
}

std::string EpochLine(int epoch, int epochs, const EpochRecord& record) {
  const int decimals = record.seconds < 1 ? 3 : 1;  // a GPU needs a tenth of a second
  return absl::StrFormat("epoch %d/%d: loss %.4f, validation %.2f %%, %.*f s", epoch, epochs, record.loss,
                         100 * record.validation_accuracy, decimals, record.seconds);
}

}  // namespace digit
