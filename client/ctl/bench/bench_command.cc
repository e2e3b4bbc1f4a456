#include "client/ctl/bench/bench_command.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "base/status.h"
#include "base/threads.h"
#include "client/ctl/bench/measure.h"
#include "client/ctl/bench/plot.h"
#include "client/ctl/bench/report.h"
#include "client/ctl/commands.h"
#include "client/lib/server_address.h"

namespace digit {
namespace {

std::atomic<bool> interrupted = false;

void TakeSignals() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = true; };
  action.sa_flags = SA_RESETHAND | SA_RESTART;  // the second ends us
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

// Whether a file can be put there, by what it takes: a new file in its folder.
absl::Status CheckWritable(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat("--plot: '", path, "' is not a regular file"));
  }
  std::string trial = path + ".XXXXXX";
  const int fd = mkstemp(trial.data());
  if (fd < 0) {
    return absl::InvalidArgumentError(absl::StrCat("--plot: ", ErrnoStatus(errno, "write", path).message()));
  }
  close(fd);
  unlink(trial.c_str());
  return absl::OkStatus();
}

class BenchRun {
 public:
  BenchRun(const Flags& flags, const Terminal& terminal, Client* client)
      : flags_(flags), terminal_(terminal), client_(client) {}

  ExitCode Run() {
    absl::StatusOr<BenchPictures> pictures = LoadBenchPictures(flags_.bench);
    if (!pictures.ok()) return WrongUsage(pictures.status());
    if (!flags_.bench.plot.empty()) {
      if (const absl::Status status = CheckWritable(flags_.bench.plot); !status.ok()) return WrongUsage(status);
    }
    TakeSignals();
    absl::Status status = Prepare(&*pictures);
    if (absl::IsCancelled(status)) {
      Complain(status.message());
      return kExitSomeFailed;
    }
    if (!status.ok()) return Fail(status);
    // Without a version, so that the requests follow what goes live meanwhile.
    const MessageSet messages(*pictures, flags_.bench, setup_.model, flags_.model_version, flags_.timeout);
    if (!Print(Opening())) return code_;
    for (const int64_t load : flags_.bench.open_loop() ? flags_.bench.rate : flags_.bench.concurrency) {
      absl::StatusOr<BenchPoint> point = MeasureOne(load, messages);
      ShowProgress("");
      if (!point.ok()) {
        status = point.status();
        break;
      }
      points_.push_back(*std::move(point));
      if (!Print(Row(points_.back()))) return code_;
      if (points_.back().interrupted || points_.back().given_up) break;
    }
    if (!Finish()) return code_;
    if (!status.ok()) return Fail(status);
    return std::all_of(points_.begin(), points_.end(), [](const BenchPoint& p) { return p.clean(); }) ? kExitOk
                                                                                                      : kExitSomeFailed;
  }

 private:
  static ExitCode WrongUsage(const absl::Status& status) {
    Complain(status.message());
    return kExitUsage;
  }

  // Learns what the server serves, and its answer to each picture alone.
  absl::Status Prepare(BenchPictures* pictures) {
    ASSIGN_OR_RETURN(const v1::ListModelsResponse list, client_->ListModels());
    ASSIGN_OR_RETURN(const v1::Model model, client_->GetModel(flags_.model));
    const v1::ModelVersion* version = FindVersion(model);
    if (version == nullptr) {
      return absl::NotFoundError(
          absl::StrCat("model '", model.name(), "' has no version '", flags_.model_version, "' that is live"));
    }
    ShowProgress(absl::StrCat("asking for each of ", pictures->pictures.size(), " pictures alone"));
    std::vector<std::string> left_out;
    const std::vector<std::string> labels(version->labels().begin(), version->labels().end());
    absl::StatusOr<AnswerCheck> check =
        AnswerCheck::Ask(client_, model.name(), version->version(), labels, pictures, interrupted, &left_out);
    ShowProgress("");
    for (const std::string& picture : left_out) Complain(absl::StrCat("left out: ", picture));
    if (!check.ok()) return check.status();
    check_.emplace(*std::move(check));
    setup_ = {.server = client_->server(),
              .model = model.name(),
              .version = version->version(),
              .server_version = list.server_version(),
              .pictures = pictures->about,
              .picture_count = static_cast<int64_t>(pictures->pictures.size()),
              .threads = std::min({flags_.bench.connections, UsableCores(),
                                   flags_.bench.mode == BenchMode::kStream ? flags_.bench.streams : INT_MAX}),
              .timeout = flags_.timeout,
              .options = flags_.bench};
    FindServer();
    return absl::OkStatus();
  }

  // The one asked for, or the live one: all load goes to it, also when another goes live under way.
  const v1::ModelVersion* FindVersion(const v1::Model& model) const {
    for (const v1::ModelVersion& version : model.versions()) {
      const bool asked = flags_.model_version.empty() || flags_.model_version == version.version();
      if (asked && version.state() == v1::MODEL_STATE_LIVE) return &version;
    }
    return nullptr;
  }

  void FindServer() {
    const absl::StatusOr<ServerAddress> address = ParseServerAddress(client_->server());
    if (!address.ok() || !(IsLoopback(address->host) || IsInterfaceAddress(address->host))) return;
    server_ = FindListener(address->port);
    if (server_.has_value()) setup_.server_process = absl::StrCat(server_->name, ", pid ", server_->pid);
  }

  absl::StatusOr<BenchPoint> MeasureOne(int64_t load, const MessageSet& messages) {
    const std::string name = absl::StrCat(load, flags_.bench.open_loop() ? " requests a second" : " in flight");
    ShowProgress(absl::StrCat(name, ": warming up"));
    int windows = 0;
    const MeasureOptions options = {
        .load = {client_->server(), flags_.timeout, setup_.threads, load, flags_.bench},
        .server = server_,
        .interrupted = &interrupted,
        .on_window = [&](const Window& window) {
          ShowProgress(absl::StrFormat("%s: window %d, %.0f images/s", name, ++windows, window.images_per_second()));
        }};
    return Measure(options, messages, *check_);
  }

  std::string Opening() const {
    if (flags_.output == OutputFormat::kCsv) return FormatBenchCsvHeader();
    if (flags_.output == OutputFormat::kJson) return "";
    return absl::StrCat(FormatBenchIntroduction(setup_), "\n", FormatBenchHeader(setup_));
  }

  std::string Row(const BenchPoint& point) const {
    if (flags_.output == OutputFormat::kCsv) return FormatBenchCsv(setup_, point);
    if (flags_.output == OutputFormat::kJson) return FormatBenchJson(setup_, point);
    return FormatBenchRow(point);
  }

  // What comes after the last point. False: the output is gone.
  bool Finish() {
    if (!flags_.bench.plot.empty() && !points_.empty()) {
      const absl::Status status = WriteFileAtomically(flags_.bench.plot, FormatBenchPlot(setup_, points_));
      if (!status.ok()) {
        Complain(status.message());
        code_ = kExitRefused;
        return false;
      }
    }
    if (flags_.output != OutputFormat::kText) {
      for (const BenchPoint& point : points_) {
        if (!point.clean()) std::fputs(FormatBenchDetails(setup_, point).c_str(), stderr);
      }
      return true;
    }
    std::string words = "\n";
    for (const BenchPoint& point : points_) words += FormatBenchDetails(setup_, point);
    return Print(words);
  }

  bool Print(const std::string& data) { return data.empty() || PrintData(data, &code_); }

  // A line that the next one replaces, on a terminal only.
  void ShowProgress(const std::string& text) const {
    if (!terminal_.shows_progress) return;
    std::fputs(absl::StrCat("\r\x1b[K", text.substr(0, std::max(terminal_.stderr_width - 1, 0))).c_str(), stderr);
  }

  const Flags& flags_;
  const Terminal& terminal_;
  Client* const client_;
  BenchSetup setup_;
  std::optional<AnswerCheck> check_;
  std::optional<ListeningProcess> server_;
  std::vector<BenchPoint> points_;
  ExitCode code_ = kExitOk;  // when the output is gone
};

}  // namespace

ExitCode RunBench(const Flags& flags, const Terminal& terminal, Client* client) {
  return BenchRun(flags, terminal, client).Run();
}

}  // namespace digit
