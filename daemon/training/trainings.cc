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
#include "base/check.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "base/threads.h"
#include "daemon/training/memory_limit.h"
#include "daemon/training/training_folder.h"
#include "daemon/training/training_metrics.h"

namespace digit {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kGrace = absl::Seconds(5);  // from SIGTERM to SIGKILL: a checkpoint takes tens of ms
constexpr int64_t kMaxJobBytes = 1 << 20;

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
      const std::string id = job->id;
      jobs_[id] = *std::move(job);
    }
    MutexLock lock(&mu_);
    std::sort(waiting_.begin(), waiting_.end(),
              [&](const std::string& a, const std::string& b)
                  ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return jobs_[a].created < jobs_[b].created; });
    if (!waiting_.empty()) LogInfo("trainings go on", {{"waiting", absl::StrCat(waiting_.size())}});
  });
}

void Trainings::Call(std::function<void()> call) {
  {
    MutexLock lock(&mu_);
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
      if (stopping_ && publishing_.empty()) return false;
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

absl::StatusOr<std::string> Trainings::Accept(TrainingRequest request) {
  RETURN_IF_ERROR(CheckTrainingRequest(request, options_.data_dir));
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
  RETURN_IF_ERROR(MakeFolders(FolderOf("")));
  std::error_code error;
  for (int n = 1; job.id.empty(); ++n) {
    const std::string id = absl::StrCat(day, "-", n);
    if (fs::create_directory(FolderOf(id), error)) job.id = id;
    if (error) return ErrnoStatus(error.value(), "create folder", FolderOf(id));
  }
  absl::Status status = PrepareFolder(job);
  if (status.ok()) status = WriteFileAtomically(FolderOf(job.id) + "/job.json", FormatTrainingJob(job));
  if (status.ok()) status = SyncFolder(FolderOf(""));
  if (!status.ok()) {
    fs::remove_all(FolderOf(job.id), error);
    return status;
  }
  LogInfo("training accepted", {{"id", job.id}, {"model", job.request.model}});
  MutexLock lock(&mu_);
  const std::string id = job.id;
  waiting_.push_back(id);
  jobs_[id] = std::move(job);
  return id;
}

absl::Status Trainings::PrepareFolder(const TrainingJob& job) {
  ASSIGN_OR_RETURN(const ModelFiles live, options_.live_model(job.request.model));
  LabeledImages corrections;
  if (job.request.corrections) {
    ASSIGN_OR_RETURN(corrections, options_.corrections(job.request.model));
    if (corrections.size() == 0) {
      return absl::FailedPreconditionError(absl::StrCat("model '", job.request.model,
                                                        "' has no accepted corrections to train on; see digitctl "
                                                        "feedback review"));
    }
  }
  return FillTrainingFolder(FolderOf(job.id), live, corrections);
}

void Trainings::BeginNext() {
  while (!running_ && publishing_.empty()) {
    TrainingJob job;
    {
      MutexLock lock(&mu_);
      if (waiting_.empty()) return;
      job = jobs_[waiting_.front()];
      waiting_.pop_front();
    }
    const std::string& id = job.id;
    std::error_code error;
    if (fs::exists(FolderOf(id) + "/trained.pt", error)) {  // the server ended between that and the version
      Publish(id);
      return;
    }
    const int64_t memory_bytes = options_.memory_bytes > 0 ? options_.memory_bytes : MemoryForChild();
    absl::StatusOr<ChildProcess> child = StartTrainer(job, memory_bytes);
    if (!child.ok()) {
      Finish(id, TrainingJobState::kFailed, std::string(child.status().message()));
      continue;
    }
    LogInfo("training begins", {{"id", id}, {"pid", absl::StrCat(child->pid())}});
    running_.emplace(Running{.id = id, .child = *std::move(child), .memory_bytes = memory_bytes});
    Change(id, true, [&](TrainingJob* known) {
      known->state = TrainingJobState::kRunning;
      if (known->began == absl::InfinitePast()) known->began = options_.wall_time();
    });
  }
}

absl::StatusOr<ChildProcess> Trainings::StartTrainer(const TrainingJob& job, int64_t memory_bytes) {
  const std::string folder = FolderOf(job.id);
  return ChildProcess::Start(
      {.argv = TrainerCommand(options_.trainer, folder, options_.data_dir, options_.threads, job.request),
       .log = folder + "/log",
       .max_data_bytes = memory_bytes});
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
  const std::string words = LastWords(FolderOf(running_->id));
  if (exit.code >= 0) return words.empty() ? absl::StrCat("digit-train ended with exit code ", exit.code) : words;
  const char* name = ::sigdescr_np(exit.signal);
  std::string text = absl::StrCat("digit-train was ended by signal ", exit.signal, " (", name == nullptr ? "?" : name,
                                  "); it could have ", running_->memory_bytes >> 20, " MiB of memory");
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
  TrainingRequest request;
  bool cancelled = false;
  Change(id, true, [&](TrainingJob* job) {
    cancelled = job->cancelled;
    if (!cancelled) job->state = TrainingJobState::kPublishing;
    request = job->request;
  });
  if (cancelled) return Finish(id, TrainingJobState::kCancelled, "");
  publishing_ = id;
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
  if (options_.metrics != nullptr) options_.metrics->CountEnd(state);  // before anybody is told
  Change(id, true, [&](TrainingJob* job) {
    job->state = state;
    job->error = error;
    job->ended = options_.wall_time();
  });
  LogInfo("training ended", {{"id", id}, {"state", NameOf(state)}, {"error", error}});
  TidyTrainingFolder(FolderOf(id));
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

absl::Status Trainings::Cancel(const std::string& id) {
  {
    MutexLock lock(&mu_);
    const auto found = jobs_.find(id);
    if (found == jobs_.end()) return NoTraining(id);
    TrainingJob& job = found->second;
    if (job.has_ended() || job.state == TrainingJobState::kPublishing) {
      return absl::FailedPreconditionError(absl::StrCat("training '", id, "' is ", NameOf(job.state), " already"));
    }
    job.cancelled = true;
    const auto waits = std::find(waiting_.begin(), waiting_.end(), id);
    if (waits != waiting_.end()) {
      waiting_.erase(waits);
      calls_.push_back([this, id] { Finish(id, TrainingJobState::kCancelled, ""); });
    }
  }
  Call([this, id] {
    if (!running_ || running_->id != id || running_->kill_at != SteadyTime::InfiniteFuture()) return;
    running_->kill_at = SteadyClock()->Now() + kGrace;
    running_->child.Signal(SIGTERM);
  });
  return absl::OkStatus();
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
