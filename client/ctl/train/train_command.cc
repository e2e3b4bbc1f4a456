#include "client/ctl/train/train_command.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "client/ctl/table.h"

namespace digit {
namespace {

constexpr int kExitInterrupted = 130;

// What Ctrl-C says; filled before it can come, read in the signal's handler.
char farewell[256] = "";

void SayFarewell(int) {
  if (::write(STDERR_FILENO, farewell, std::strlen(farewell)) < 0) {  // then nobody reads it
  }
  ::_exit(kExitInterrupted);  // the connection closes: the server sees that we have gone
}

void OnInterrupt(const std::string& words) {
  const std::string line = absl::StrCat("\ndigitctl: ", Printable(words), "\n");
  std::strncpy(farewell, line.c_str(), sizeof(farewell) - 1);
  std::signal(SIGINT, SayFarewell);
}

v1::Promote PromoteOf(const std::string& text) {
  if (text == "never") return v1::PROMOTE_NEVER;
  return text == "always" ? v1::PROMOTE_ALWAYS : v1::PROMOTE_IF_BETTER;
}

std::string StateOf(const v1::Training& training) {
  return absl::AsciiStrToLower(absl::StripPrefix(v1::TrainingState_Name(training.state()), "TRAINING_STATE_"));
}

// Shows a training as it goes on: a line that moves on a terminal, else one for every news.
class Display {
 public:
  Display(const Flags& flags, const Terminal& terminal) : flags_(flags), terminal_(terminal) {}
  ~Display() { Clear(); }

  // False: nobody can read any more; code() is then how to exit.
  bool Show(const v1::Training& training) {
    last_ = training;
    if (flags_.output == OutputFormat::kJson) {
      std::string line;
      const absl::Status status = AppendJsonLine(training, &line);
      if (status.ok()) return PrintData(line, &code_);
      Complain(status.message());
      code_ = kExitRefused;
      return false;
    }
    if (training.state() == v1::TRAINING_STATE_QUEUED) {
      Say(absl::StrCat("training ", Printable(training.id()), " waits, ", training.position(), " before it"));
    } else if (training.state() == v1::TRAINING_STATE_PUBLISHING) {
      Say("trained; now it is checked");
    } else if (training.state() == v1::TRAINING_STATE_RUNNING) {
      for (; epochs_said_ < training.epochs_size(); ++epochs_said_) {
        const v1::TrainingEpoch& epoch = training.epochs(epochs_said_);
        Say(absl::StrFormat("epoch %d/%d: loss %.4f, %.2f %% right of what it is not trained on", epoch.epoch(),
                            training.progress().epochs(), epoch.loss(), 100 * epoch.accuracy()));
      }
      if (terminal_.shows_progress && training.has_progress()) {
        std::fprintf(stderr, "\r\033[K%s", FormatTrainingLine(training).c_str());
        std::fflush(stderr);
        drawn_ = true;
      }
    }
    return true;
  }

  const v1::Training& last() const { return last_; }
  ExitCode code() const { return code_; }
  void Clear() {
    if (drawn_) std::fputs("\r\033[K", stderr);
    drawn_ = false;
  }

 private:
  void Say(const std::string& line) {
    if (line == said_) return;
    said_ = line;
    Clear();
    std::fprintf(stderr, "%s\n", line.c_str());
  }

  const Flags& flags_;
  const Terminal terminal_;
  v1::Training last_;
  ExitCode code_ = kExitOk;
  std::string said_;
  int epochs_said_ = 0;
  bool drawn_ = false;
};

// What became of it; the exit code.
ExitCode ShowEnd(const Flags& flags, const v1::Training& training) {
  const bool live_was_asked = training.request().promote() != v1::PROMOTE_NEVER;
  const bool good = training.state() == v1::TRAINING_STATE_DONE && (training.promoted() || !live_was_asked);
  ExitCode code = good ? kExitOk : kExitSomeFailed;
  if (flags.output == OutputFormat::kJson) return code;
  if (training.state() == v1::TRAINING_STATE_FAILED) {
    Complain(absl::StrCat("training ", training.id(), " failed: ", training.error()));
  } else if (training.state() == v1::TRAINING_STATE_CANCELLED) {
    Complain(absl::StrCat("training ", training.id(), " was cancelled"));
  } else {
    const std::string name = absl::StrCat(Printable(training.request().model()), " ", Printable(training.version()));
    PrintData(absl::StrCat(FormatAccuracyChart(training), name,
                           training.promoted() ? " is live\n" : " is the candidate, not live\n",
                           "  gate: ", Printable(training.gate()), "\n"),
              &code);
  }
  return code;
}

ExitCode Follow(const Flags& flags, const absl::Status& status, Display* display) {
  display->Clear();
  if (display->code() != kExitOk || absl::IsCancelled(status)) return display->code();
  if (!status.ok()) return Fail(status);
  return ShowEnd(flags, display->last());
}

}  // namespace

std::string FormatTrainingLine(const v1::Training& training) {
  constexpr int kWidth = 30;
  const v1::TrainingProgress& progress = training.progress();
  const int percent = progress.steps() > 0 ? 100 * progress.step() / progress.steps() : 0;
  const int filled = percent * kWidth / 100;
  std::string line = absl::StrFormat("epoch %d/%d [%s%s] %3d %%", progress.epoch(), progress.epochs(),
                                     std::string(filled, '#'), std::string(kWidth - filled, '.'), percent);
  if (progress.loss() > 0) absl::StrAppendFormat(&line, "  loss %.4f", progress.loss());
  if (progress.images_per_second() > 0) absl::StrAppendFormat(&line, "  %.0f images/s", progress.images_per_second());
  if (progress.has_time_left()) absl::StrAppend(&line, "  ", progress.time_left().seconds(), " s left");
  return line;
}

std::string FormatAccuracyChart(const v1::Training& training) {
  if (training.epochs().empty()) return "";
  constexpr int kWidth = 40;
  double lowest = 1, highest = 0;
  for (const v1::TrainingEpoch& epoch : training.epochs()) {
    lowest = std::min(lowest, epoch.accuracy());
    highest = std::max(highest, epoch.accuracy());
  }
  std::string chart = "accuracy on pictures that it was not trained on\n";
  for (const v1::TrainingEpoch& epoch : training.epochs()) {
    const double part = highest > lowest ? (epoch.accuracy() - lowest) / (highest - lowest) : 1;
    const int bar = 1 + static_cast<int>(part * (kWidth - 1));
    absl::StrAppendFormat(&chart, "  epoch %3d  %6.2f %%  %s\n", epoch.epoch(), 100 * epoch.accuracy(),
                          std::string(bar, '#'));
  }
  return chart;
}

ExitCode RunTrain(const Flags& flags, const Terminal& terminal, Client* client) {
  v1::TrainRequest request;
  request.set_model(flags.model);
  request.set_fine_tune(flags.train.fine_tune);
  request.set_data_set(flags.train.data_set);
  request.set_corrections(flags.train.corrections);
  request.set_epochs(flags.train.epochs);
  request.set_seed(flags.train.seed);
  request.set_promote(PromoteOf(flags.train.promote));
  request.set_detached(flags.train.detach);
  Display display(flags, terminal);
  if (!flags.train.detach) OnInterrupt("interrupted: the training is cancelled");
  const absl::Status status = client->Train(request, [&](const v1::Training& training) {
    const bool go_on = display.Show(training);
    return go_on && !flags.train.detach;
  });
  if (!flags.train.detach || !absl::IsCancelled(status)) return Follow(flags, status, &display);
  display.Clear();
  ExitCode code = kExitOk;
  if (flags.output == OutputFormat::kText) PrintData(absl::StrCat(Printable(display.last().id()), "\n"), &code);
  return code;
}

ExitCode RunTrainWatch(const Flags& flags, const Terminal& terminal, Client* client) {
  Display display(flags, terminal);
  OnInterrupt(absl::StrCat("the training goes on; see it again with: digitctl train watch ", flags.train.id));
  const absl::Status status =
      client->WatchTraining(flags.train.id, [&](const v1::Training& training) { return display.Show(training); });
  return Follow(flags, status, &display);
}

ExitCode RunTrainCancel(const Flags& flags, Client* client) {
  const absl::StatusOr<v1::CancelTrainingResponse> response = client->CancelTraining(flags.train.id);
  if (!response.ok()) return Fail(response.status());
  ExitCode code = kExitOk;
  PrintData(absl::StrCat("training ", Printable(flags.train.id), " is being ended\n"), &code);
  return code;
}

ExitCode RunTrainList(const Flags& flags, Client* client) {
  const absl::StatusOr<v1::ListTrainingsResponse> response = client->ListTrainings("");
  if (!response.ok()) return Fail(response.status());
  std::string data;
  std::vector<Row> rows = {{"TRAINING", "MODEL", "STATE", "EPOCHS", "ACCURACY", "RESULT"}};
  for (const v1::Training& training : response->trainings()) {
    if (flags.output == OutputFormat::kJson) {
      const absl::Status status = AppendJsonLine(training, &data);
      if (!status.ok()) return Fail(status);
      continue;
    }
    std::string result = Printable(training.error());
    if (!training.version().empty()) {
      result =
          absl::StrCat("version ", Printable(training.version()), training.promoted() ? ", went live" : ", candidate");
    }
    const int done = training.epochs_size();
    rows.push_back(
        {Printable(training.id()), Printable(training.request().model()), StateOf(training),
         training.has_progress() ? absl::StrCat(done, "/", training.progress().epochs()) : absl::StrCat(done),
         done == 0 ? "" : absl::StrFormat("%.2f %%", 100 * training.epochs(done - 1).accuracy()), result});
  }
  if (flags.output == OutputFormat::kText) data = FormatTable(rows);
  ExitCode code = kExitOk;
  PrintData(data, &code);
  return code;
}

}  // namespace digit
