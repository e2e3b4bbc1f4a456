// The trainings of this server: one runs, the next ones wait, the last ones are remembered.
//
// Each has a folder STATE_DIR/trainings/ID with job.json, which is written whenever its state changes and after every
// epoch; after a restart what had not ended goes on, from the trainer's checkpoint. The work is done by digit-train in
// a child process (child_process.h). Threads: one, "training", which does everything that blocks. Thread-safe.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/state_folder.h"
#include "daemon/training/child_process.h"
#include "daemon/training/training_job.h"
#include "model/dataset/idx.h"
#include "model/engine/model.h"

namespace digit {

class TrainingMetrics;

class Trainings {
 public:
  static constexpr int kMaxWaiting = 16;     // guess: more is a mistake of a script
  static constexpr int kMaxRemembered = 50;  // that have ended

  struct Published {
    std::string version;
    bool promoted = false;
    std::string gate;
  };
  struct Options {
    StateFolder* state = nullptr;  // not owned
    std::string trainer;           // digit-train's path
    std::string version;           // which it must be of
    std::string data_dir;          // of data sets by name; empty: there are none
    int threads = 1;               // of the trainer
    int64_t memory_bytes = 0;      // what the trainer may take; 0: MemoryForChild()
    // The live version of a model, name filled in (empty: the default model). NOT_FOUND: no such model.
    std::function<absl::StatusOr<std::string>(const std::string& model)> model_name;
    std::function<absl::StatusOr<ModelFiles>(const std::string& model)> live_model;
    // What people have corrected, labels as in training_data.h.
    std::function<absl::StatusOr<LabeledImages>(const std::string& model)> corrections;
    // Makes a file the model's next version; answers on any thread.
    std::function<void(const std::string& model, const std::string& path, Promote promote,
                       std::function<void(absl::StatusOr<Published>)> done)>
        publish;
    std::function<absl::Time()> wall_time;
    TrainingMetrics* metrics = nullptr;  // not owned; null: not counted
  };
  explicit Trainings(Options options);
  ~Trainings();  // Stop()

  // Takes up what had not ended when the server did. Call once, when models are there.
  void Restore();

  // Queues a training; `done` runs on the thread "training" with its id. INVALID_ARGUMENT names the field; NOT_FOUND no
  // such model or data set; FAILED_PRECONDITION: no trainer, no state folder, or nothing to train on;
  // RESOURCE_EXHAUSTED: kMaxWaiting wait; UNAVAILABLE after Stop().
  void Submit(TrainingRequest request, std::function<void(absl::StatusOr<std::string>)> done);

  // Ends one; it is cancelled as soon as its process has gone. NOT_FOUND; FAILED_PRECONDITION: it has ended or is being
  // published.
  absl::Status Cancel(const std::string& id);

  absl::StatusOr<TrainingJob> Get(const std::string& id) const;
  std::vector<TrainingJob> List(const std::string& model) const;  // newest first; empty: of every model

  // `on_change` gets the training as it is now, before this returns, and then after every change, on the thread
  // "training"; null when the server stops. It must not block, and not call Watch() or Unwatch().
  using OnChange = std::function<void(const TrainingJob* job)>;
  absl::StatusOr<uint64_t> Watch(const std::string& id, OnChange on_change);
  // `on_change` does not run after this.
  void Unwatch(uint64_t watch);
  // Tells all watchers that the server stops, as it does those who come later.
  void EndWatches();

  // The process under way gets SIGTERM and some seconds; its training goes on after the next start. What is being
  // published is waited for, as it would be published once more. Idempotent.
  void Stop();

 private:
  struct Watcher {
    std::string id;
    OnChange on_change;
  };
  struct Running {
    std::string id;
    ChildProcess child;
    int64_t memory_bytes = 0;                           // that it may take
    std::string buffer;                                 // of events, not yet a line
    SteadyTime kill_at = SteadyTime::InfiniteFuture();  // SIGKILL, when SIGTERM was not enough
    std::string failure;                                // set: why it is being ended
  };

  // All on the thread "training".
  void Run();
  bool RunCalls();  // what other threads have asked for; false: the thread is to end
  absl::StatusOr<std::string> Accept(TrainingRequest request);
  void BeginNext();
  absl::StatusOr<ChildProcess> StartTrainer(const TrainingJob& job, int64_t memory_bytes);
  absl::Status PrepareFolder(const TrainingJob& job);
  void ReadEvents();
  void TakeEvent(absl::string_view line);
  void EndRunning(const ChildProcess::Exit& exit);
  void Publish(const std::string& id);
  void Finish(const std::string& id, TrainingJobState state, const std::string& error);
  void ForgetOld();
  std::string ExplainExit(const ChildProcess::Exit& exit) const;
  void StopRunning();

  void Call(std::function<void()> call);  // runs it on the thread "training"
  // Changes the job, writes job.json when `keep`, tells the watchers.
  void Change(const std::string& id, bool keep, const std::function<void(TrainingJob*)>& change);
  // A copy for others, with its position.
  TrainingJob Show(const TrainingJob& job) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::string FolderOf(const std::string& id) const;

  const Options options_;
  int wake_;  // an eventfd

  std::optional<Running> running_;  // of the thread
  std::string publishing_;          // id; of the thread

  mutable Mutex mu_;
  std::map<std::string, TrainingJob> jobs_ ABSL_GUARDED_BY(mu_);
  std::deque<std::string> waiting_ ABSL_GUARDED_BY(mu_);  // ids
  std::vector<std::function<void()>> calls_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;

  Mutex watch_mu_;  // before mu_; held while watchers run
  std::map<uint64_t, Watcher> watchers_ ABSL_GUARDED_BY(watch_mu_);
  uint64_t next_watch_ ABSL_GUARDED_BY(watch_mu_) = 1;
  bool watches_ended_ ABSL_GUARDED_BY(watch_mu_) = false;

  std::thread thread_;
};

absl::Status NoTraining(const std::string& id);  // NOT_FOUND

}  // namespace digit
