#include "daemon/training/trainings.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/beneath.h"
#include "base/check.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "base/threads.h"
#include "daemon/training/memory_limit.h"

namespace digit {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kGrace = absl::Seconds(5);  // from SIGTERM to SIGKILL: a checkpoint takes tens of ms
constexpr int64_t kMaxJobBytes = 1 << 20;

// The last line of the file that is not empty, without the program's own name before it.
std::string LastWords(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path, 16 << 20);
  if (!text.ok()) return "";
  const std::vector<absl::string_view> lines = absl::StrSplit(*text, '\n', absl::SkipWhitespace());
  if (lines.empty()) return "";
  constexpr size_t kMost = 500;
  return std::string(absl::StripPrefix(lines.back(), "digit-train: ").substr(0, kMost));
}

absl::Status WriteIdx(const std::string& folder, const LabeledImages& images) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return ErrnoStatus(error.value(), "create folder", folder);
  RETURN_IF_ERROR(WriteFileAtomically(folder + "/train-images-idx3-ubyte", FormatIdxImages(images)));
  return WriteFileAtomically(folder + "/train-labels-idx1-ubyte", FormatIdxLabels(images));
}

absl::Status NoTraining(const std::string& id) { return absl::NotFoundError(absl::StrCat("no training '", id, "'")); }

}  // namespace

Trainings::Trainings(Options options) : options_(std::move(options)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  DIGIT_CHECK(wake_ >= 0);
  thread_ = StartThread("training", [this] { Run(); });
}

Trainings::~Trainings() {
  Stop();
  ::close(wake_);
}

std::string Trainings::FolderOf(const std::string& id) const {
  return absl::StrCat(options_.state->path(), "/trainings/", id);
}

void Trainings::Restore() {
  Call([this] {
    std::error_code error;
    if (!fs::exists(FolderOf(""), error)) return;
    const absl::Status open = options_.state->Open();
    if (!open.ok()) return LogWarn("trainings of before are left alone", {{"error", open}});
    for (const auto& entry : fs::directory_iterator(FolderOf(""), error)) {
      const std::string path = (entry.path() / "job.json").string();
      const absl::StatusOr<std::string> text = ReadFile(path, kMaxJobBytes);
      absl::StatusOr<TrainingJob> job =
          text.ok() ? ParseTrainingJob(*text, absl::StrCat("'", path, "'")) : text.status();
      if (!job.ok() || job->id != entry.path().filename().string()) {
        LogWarn("training of before is not known", {{"folder", entry.path().string()}, {"error", job.status()}});
        continue;
      }
      MutexLock lock(&mu_);
      if (!job->has_ended()) {
        job->state = TrainingJobState::kQueued;
        waiting_.push_back(job->id);
      }
      jobs_[job->id] = *std::move(job);
    }
    MutexLock lock(&mu_);
    std::sort(waiting_.begin(), waiting_.end(),
              [&](const std::string& a, const std::string& b) { return jobs_[a].created < jobs_[b].created; });
    CountPositions();
    if (!waiting_.empty()) LogInfo("trainings go on", {{"waiting", absl::StrCat(waiting_.size())}});
  });
}

void Trainings::Call(std::function<void()> call) {
  {
    MutexLock lock(&mu_);
    if (stopping_) return;
    calls_.push_back(std::move(call));
  }
  ::eventfd_write(wake_, 1);
}

bool Trainings::RunCalls() {
  eventfd_t count = 0;
  ::eventfd_read(wake_, &count);
  while (true) {
    std::vector<std::function<void()>> calls;
    {
      MutexLock lock(&mu_);
      if (stopping_) return false;
      if (calls_.empty()) return true;
      calls.swap(calls_);
    }
    for (const std::function<void()>& call : calls) call();
  }
}

void Trainings::Run() {
  while (RunCalls()) {
    BeginNext();
    std::array<pollfd, 3> waiting = {{{.fd = wake_, .events = POLLIN},
                                      {.fd = running_ ? running_->child.events() : -1, .events = POLLIN},
                                      {.fd = running_ ? running_->child.pidfd() : -1, .events = POLLIN}}};
    int timeout_ms = -1;
    if (running_ && running_->kill_at != SteadyTime::InfiniteFuture()) {
      const absl::Duration left = running_->kill_at - SteadyClock()->Now();
      timeout_ms = static_cast<int>(std::max<int64_t>(0, absl::ToInt64Milliseconds(left) + 1));
    }
    ::poll(waiting.data(), waiting.size(), timeout_ms);
    if (!running_) continue;
    if (waiting[1].revents != 0) ReadEvents();
    if (SteadyClock()->Now() >= running_->kill_at) running_->child.Signal(SIGKILL);
    if (const auto exit = running_->child.TryWait()) {
      ReadEvents();
      EndRunning(*exit);
    }
  }
  StopRunning();
}

void Trainings::Submit(TrainingRequest request, std::function<void(absl::StatusOr<std::string>)> done) {
  {
    MutexLock lock(&mu_);
    if (stopping_) return done(absl::UnavailableError("the server is shutting down"));
    calls_.push_back([this, request = std::move(request), done = std::move(done)] { done(Accept(request)); });
  }
  ::eventfd_write(wake_, 1);
}

absl::Status Trainings::CheckData(const TrainingRequest& request) const {
  if (request.epochs < 0 || request.epochs > 1000) {
    return absl::InvalidArgumentError(absl::StrCat("epochs is ", request.epochs, ", must be in 0..1000"));
  }
  if (request.seed > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return absl::InvalidArgumentError("seed is too large, must be below 2^63");
  }
  if (request.data_set.empty() && !request.corrections) {
    return absl::InvalidArgumentError("data_set and corrections are both empty: there is nothing to train on");
  }
  if (request.data_set.empty() && !request.fine_tune) {
    return absl::InvalidArgumentError("corrections alone are too few to begin with: set fine_tune, or name a data_set");
  }
  if (request.data_set.empty()) return absl::OkStatus();
  if (!CheckModelName(request.data_set).ok() || request.data_set == "none") {
    return absl::InvalidArgumentError(
        absl::StrCat("data_set '", request.data_set, "' is no name; it must match [a-z0-9][a-z0-9._-]{0,63}"));
  }
  if (options_.data_dir.empty()) {
    return absl::FailedPreconditionError("this server has no data sets: start digitd with --data-dir DIR");
  }
  const absl::Status found = ListFolderBeneath(options_.data_dir, request.data_set).status();
  if (found.ok()) return absl::OkStatus();
  return absl::Status(found.code(), absl::StrCat("data_set: ", found.message()));
}

absl::StatusOr<std::string> Trainings::Accept(TrainingRequest request) {
  RETURN_IF_ERROR(CheckData(request));
  ASSIGN_OR_RETURN(request.model, options_.model_name(request.model));
  if (::access(options_.trainer.c_str(), X_OK) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "there is no trainer '", options_.trainer, "': install digit-train beside digitd, or name it with --trainer"));
  }
  {
    MutexLock lock(&mu_);
    if (waiting_.size() >= kMaxWaiting) {
      return absl::ResourceExhaustedError(absl::StrCat(waiting_.size(), " trainings wait, the limit is ", kMaxWaiting));
    }
  }
  RETURN_IF_ERROR(options_.state->Open());
  TrainingJob job{.request = std::move(request), .created = options_.wall_time()};
  if (job.request.seed == 0) job.request.seed = 1;
  const std::string day = absl::FormatTime("%Y%m%d-%H%M%S", job.created, absl::UTCTimeZone());
  std::error_code error;
  fs::create_directories(FolderOf(""), error);
  for (int n = 1; job.id.empty(); ++n) {
    const std::string id = absl::StrCat(day, "-", n);
    if (fs::create_directory(FolderOf(id), error)) job.id = id;
    if (error) return ErrnoStatus(error.value(), "create folder", FolderOf(id));
  }
  absl::Status status = PrepareFolder(job);
  if (status.ok()) status = WriteFileAtomically(FolderOf(job.id) + "/job.json", FormatTrainingJob(job));
  if (!status.ok()) {
    fs::remove_all(FolderOf(job.id), error);
    return status;
  }
  LogInfo("training accepted", {{"id", job.id}, {"model", job.request.model}});
  MutexLock lock(&mu_);
  const std::string id = job.id;
  waiting_.push_back(id);
  jobs_[id] = std::move(job);
  CountPositions();
  return id;
}

// Everything that it is trained from, as it is now.
absl::Status Trainings::PrepareFolder(const TrainingJob& job) {
  const std::string folder = FolderOf(job.id);
  ASSIGN_OR_RETURN(const ModelFiles live, options_.live_model(job.request.model));
  RETURN_IF_ERROR(WriteFileAtomically(folder + "/live.pt", live.bytes));
  if (!live.spec_path.empty()) RETURN_IF_ERROR(WriteFileAtomically(folder + "/live.json", live.spec_json));
  if (!job.request.corrections) return absl::OkStatus();
  ASSIGN_OR_RETURN(const LabeledImages corrections, options_.corrections(job.request.model));
  if (corrections.size() == 0) {
    return absl::FailedPreconditionError(absl::StrCat("model '", job.request.model,
                                                      "' has no accepted corrections to train on; see digitctl "
                                                      "feedback review"));
  }
  return WriteIdx(folder + "/corrections", corrections);
}

void Trainings::CountPositions() {
  for (size_t i = 0; i < waiting_.size(); ++i) jobs_[waiting_[i]].position = static_cast<int>(i);
}

void Trainings::BeginNext() {
  while (!running_ && publishing_.empty()) {
    TrainingJob job;
    {
      MutexLock lock(&mu_);
      if (waiting_.empty()) return;
      job = jobs_[waiting_.front()];
      waiting_.pop_front();
      CountPositions();
    }
    const std::string& id = job.id;
    if (fs::exists(FolderOf(id) + "/trained.pt")) {  // the server ended between that and the version
      Publish(id);
      return;
    }
    absl::StatusOr<ChildProcess> child = StartTrainer(job);
    if (!child.ok()) {
      Finish(id, TrainingJobState::kFailed, std::string(child.status().message()));
      continue;
    }
    LogInfo("training begins", {{"id", id}, {"pid", absl::StrCat(child->pid())}});
    running_.emplace(Running{.id = id, .child = *std::move(child)});
    Change(id, true, [&](TrainingJob* known) {
      known->state = TrainingJobState::kRunning;
      known->position = 0;
      if (known->began == absl::InfinitePast()) known->began = options_.wall_time();
    });
  }
}

absl::StatusOr<ChildProcess> Trainings::StartTrainer(const TrainingJob& job) {
  const std::string folder = FolderOf(job.id);
  const TrainingRequest& request = job.request;
  std::vector<std::string> argv = {
      options_.trainer,    "--out",  folder + "/trained.pt",    "--resume", "--events-fd", "3", "--like",
      folder + "/live.pt", "--seed", absl::StrCat(request.seed)};
  const auto add = [&argv](const std::string& flag, const std::string& value) {
    argv.push_back(flag);
    argv.push_back(value);
  };
  if (request.epochs > 0) add("--epochs", absl::StrCat(request.epochs));
  if (request.fine_tune) add("--init", folder + "/live.pt");
  if (request.corrections) add("--corrections", folder + "/corrections");
  add("--dataset", request.data_set.empty() ? "none" : request.data_set);
  if (!request.data_set.empty()) add("--data-dir", absl::StrCat(options_.data_dir, "/", request.data_set));
  memory_bytes_ = options_.memory_bytes > 0 ? options_.memory_bytes : MemoryForChild();
  return ChildProcess::Start({.argv = std::move(argv), .log = folder + "/log", .max_data_bytes = memory_bytes_});
}

void Trainings::ReadEvents() {
  std::array<char, 16 << 10> chunk;
  while (true) {
    const ssize_t n = ::read(running_->child.events(), chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    running_->buffer.append(chunk.data(), static_cast<size_t>(n));
  }
  size_t begin = 0;
  for (size_t end; (end = running_->buffer.find('\n', begin)) != std::string::npos; begin = end + 1) {
    TakeEvent(absl::string_view(running_->buffer).substr(begin, end - begin));
  }
  running_->buffer.erase(0, begin);
}

void Trainings::TakeEvent(absl::string_view line) {
  const absl::StatusOr<TrainingEvent> event = ParseTrainingEvent(line);
  if (!event.ok()) return LogWarn("training event not understood", {{"id", running_->id}, {"error", event.status()}});
  using Kind = TrainingEvent::Kind;
  if (event->kind == Kind::kStarted && event->version != options_.version) {
    running_->failure = absl::StrCat("'", options_.trainer, "' is of version ", event->version, ", this server of ",
                                     options_.version, ": install both from one build");
    running_->child.Signal(SIGKILL);
    return;
  }
  if (event->kind == Kind::kUnknown || event->kind == Kind::kDone) return;
  Change(running_->id, event->kind != Kind::kProgress, [&](TrainingJob* job) {
    if (event->kind == Kind::kStarted) {
      job->started = *event;
    } else if (event->kind == Kind::kProgress) {
      job->progress = *event;
    } else {
      // A run that goes on repeats none, but for the one whose end the checkpoint did not see.
      while (!job->epochs.empty() && job->epochs.back().epoch >= event->epoch) job->epochs.pop_back();
      job->epochs.push_back(*event);
    }
  });
}

std::string Trainings::ExplainExit(const ChildProcess::Exit& exit) const {
  const std::string words = LastWords(FolderOf(running_->id) + "/log");
  if (exit.code >= 0) return words.empty() ? absl::StrCat("digit-train ended with exit code ", exit.code) : words;
  const char* name = ::sigdescr_np(exit.signal);
  std::string text = absl::StrCat("digit-train was ended by signal ", exit.signal, " (", name == nullptr ? "?" : name,
                                  "); it could have ", memory_bytes_ >> 20, " MiB of memory");
  if (!words.empty()) absl::StrAppend(&text, "; its last words: ", words);
  return text;
}

void Trainings::EndRunning(const ChildProcess::Exit& exit) {
  const std::string id = running_->id;
  const bool cancelled = running_->kill_at != SteadyTime::InfiniteFuture();
  const std::string failure = running_->failure.empty() ? ExplainExit(exit) : running_->failure;
  const bool trained = exit.code == 0 && running_->failure.empty();
  running_.reset();
  if (trained && !cancelled) return Publish(id);
  Finish(id, cancelled ? TrainingJobState::kCancelled : TrainingJobState::kFailed, cancelled ? "" : failure);
}

void Trainings::Publish(const std::string& id) {
  publishing_ = id;
  TrainingRequest request;
  Change(id, true, [&](TrainingJob* job) {
    job->state = TrainingJobState::kPublishing;
    job->position = 0;
    request = job->request;
  });
  options_.publish(request.model, FolderOf(id) + "/trained.pt", request.promote,
                   [this, id](absl::StatusOr<Published> published) {
                     Call([this, id, published = std::move(published)] {
                       publishing_.clear();
                       if (!published.ok()) {
                         return Finish(id, TrainingJobState::kFailed, std::string(published.status().message()));
                       }
                       Change(id, false, [&](TrainingJob* job) {
                         job->version = published->version;
                         job->promoted = published->promoted;
                         job->gate = published->gate;
                       });
                       Finish(id, TrainingJobState::kDone, "");
                     });
                   });
}

void Trainings::Finish(const std::string& id, TrainingJobState state, const std::string& error) {
  Change(id, true, [&](TrainingJob* job) {
    job->state = state;
    job->error = error;
    job->ended = options_.wall_time();
  });
  LogInfo("training ended", {{"id", id}, {"state", NameOf(state)}, {"error", error}});
  std::error_code ignored;
  for (const char* name : {"live.pt", "live.json", "corrections", "trained.pt", "trained.pt.checkpoint"}) {
    fs::remove_all(FolderOf(id) + "/" + name, ignored);
  }
  ForgetOld();
}

void Trainings::ForgetOld() {
  std::vector<std::string> forgotten;
  {
    MutexLock lock(&mu_);
    std::vector<std::pair<absl::Time, std::string>> ended;
    for (const auto& [id, job] : jobs_) {
      if (job.has_ended()) ended.emplace_back(job.ended, id);
    }
    std::sort(ended.begin(), ended.end());
    for (size_t i = 0; i + kMaxRemembered < ended.size(); ++i) forgotten.push_back(ended[i].second);
    for (const std::string& id : forgotten) jobs_.erase(id);
  }
  std::error_code ignored;
  for (const std::string& id : forgotten) fs::remove_all(FolderOf(id), ignored);
}

void Trainings::StopRunning() {
  if (!running_) return;
  running_->child.Signal(SIGTERM);
  pollfd ended = {.fd = running_->child.pidfd(), .events = POLLIN};
  ::poll(&ended, 1, static_cast<int>(absl::ToInt64Milliseconds(kGrace)));
  running_.reset();  // SIGKILL, if need be; its checkpoint is there
}

void Trainings::Change(const std::string& id, bool keep, const std::function<void(TrainingJob*)>& change) {
  TrainingJob job;
  {
    MutexLock lock(&mu_);
    const auto found = jobs_.find(id);
    if (found == jobs_.end()) return;
    change(&found->second);
    job = found->second;
  }
  if (keep) {
    const absl::Status status = WriteFileAtomically(FolderOf(id) + "/job.json", FormatTrainingJob(job));
    if (!status.ok()) LogWarn("training not recorded", {{"id", id}, {"error", status}});
  }
  MutexLock lock(&watch_mu_);
  for (const auto& [_, watcher] : watchers_) {
    if (watcher.id == id) watcher.on_change(&job);
  }
}

absl::Status Trainings::Cancel(const std::string& id) {
  TrainingJob job;
  {
    MutexLock lock(&mu_);
    const auto found = jobs_.find(id);
    if (found == jobs_.end()) return NoTraining(id);
    job = found->second;
    const auto waits = std::find(waiting_.begin(), waiting_.end(), id);
    if (waits != waiting_.end()) {
      waiting_.erase(waits);
      CountPositions();
      calls_.push_back([this, id] { Finish(id, TrainingJobState::kCancelled, ""); });
    }
  }
  if (job.has_ended() || job.state == TrainingJobState::kPublishing) {
    return absl::FailedPreconditionError(absl::StrCat("training '", id, "' is ", NameOf(job.state), " already"));
  }
  Call([this, id] {
    if (!running_ || running_->id != id || running_->kill_at != SteadyTime::InfiniteFuture()) return;
    running_->kill_at = SteadyClock()->Now() + kGrace;
    running_->child.Signal(SIGTERM);
  });
  return absl::OkStatus();
}

absl::StatusOr<TrainingJob> Trainings::Get(const std::string& id) const {
  MutexLock lock(&mu_);
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return NoTraining(id);
  return found->second;
}

std::vector<TrainingJob> Trainings::List(const std::string& model) const {
  std::vector<TrainingJob> jobs;
  {
    MutexLock lock(&mu_);
    for (const auto& [id, job] : jobs_) {
      if (model.empty() || job.request.model == model) jobs.push_back(job);
    }
  }
  std::stable_sort(jobs.begin(), jobs.end(),
                   [](const TrainingJob& a, const TrainingJob& b) { return a.created > b.created; });
  return jobs;
}

absl::StatusOr<uint64_t> Trainings::Watch(const std::string& id, OnChange on_change) {
  MutexLock lock(&watch_mu_);
  if (watches_ended_) return absl::UnavailableError("the server is shutting down");
  ASSIGN_OR_RETURN(const TrainingJob job, Get(id));
  on_change(&job);
  watchers_[next_watch_] = {.id = id, .on_change = std::move(on_change)};
  return next_watch_++;
}

void Trainings::Unwatch(uint64_t watch) {
  MutexLock lock(&watch_mu_);
  watchers_.erase(watch);
}

void Trainings::EndWatches() {
  MutexLock lock(&watch_mu_);
  watches_ended_ = true;
  for (const auto& [_, watcher] : watchers_) watcher.on_change(nullptr);
  watchers_.clear();
}

void Trainings::Stop() {
  EndWatches();
  {
    MutexLock lock(&mu_);
    stopping_ = true;
  }
  ::eventfd_write(wake_, 1);
  if (thread_.joinable()) thread_.join();
  std::vector<std::function<void()>> dropped;  // destroyed outside the lock
  MutexLock lock(&mu_);
  dropped.swap(calls_);
}

}  // namespace digit
