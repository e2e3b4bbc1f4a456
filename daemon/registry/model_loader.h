// Reloads models one after the other on a thread of its own, for whoever asks: an RPC, a signal, a watch.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/job_thread.h"
#include "base/mutex.h"
#include "daemon/registry/model_registry.h"
#include "daemon/registry/registry_metrics.h"

namespace digit {

// Thread-safe. The thread, "model-loader", gives way to the others: loading must not slow what is live.
class ModelLoader {
 public:
  struct Options {
    ModelRegistry* registry = nullptr;                                         // not owned
    const Clock* clock = SteadyClock();                                        // not owned
    std::function<absl::Time()> wall_time = [] { return absl::UnixEpoch(); };  // for live_since
    std::function<void()> on_change = [] {};                                   // another version is live
    ReloadMetrics* metrics = nullptr;                                          // not owned; null: not counted
  };
  // On the loader's thread; must not block.
  using Done = std::function<void(absl::StatusOr<ModelRegistry::Reloaded>)>;
  // Whether nobody waits for the outcome any more. On the loader's thread, too.
  using HasLeft = std::function<bool()>;

  explicit ModelLoader(Options options);

  // As ModelRegistry::Reload, without blocking. Answers in order: CANCELLED, with nothing done, when the caller has
  // left before its turn came. After Stop() `done` is destroyed uncalled.
  void Reload(const std::string& name, const ModelRegistry::ReloadOptions& options, Done done, HasLeft has_left);
  // Nobody asked and nobody waits: the outcome goes to the log. What is waiting already is not queued twice.
  void ReloadIfChanged(const std::string& name) ABSL_LOCKS_EXCLUDED(mu_);

  // As ModelRegistry::PromoteVersion and Publish, in the same way.
  void Promote(const std::string& name, const std::string& version, bool force, Done done, HasLeft has_left);
  void Publish(const std::string& name, const std::string& path, digit::Promote promote, Done done);

  // At once, on the calling thread.
  absl::StatusOr<ModelHandle> Rollback(const std::string& name);
  // As ModelRegistry::RollbackFailing; never blocks.
  void RollbackFailing(const PlacedModel& placed, const absl::Status& why);

  // Waits for the reload under way and drops the others. Idempotent.
  void Stop() { thread_.Stop(); }

 private:
  using Loaded = absl::StatusOr<ModelRegistry::Reloaded>;
  Loaded Tell(const std::string& name, Loaded loaded);  // on_change, metrics
  void SaveAgainUnlessSaved() ABSL_LOCKS_EXCLUDED(mu_);
  Loaded ReloadNow(const std::string& name, const ModelRegistry::ReloadOptions& options);
  void SoonUnlessLeft(HasLeft has_left, Done done, std::function<Loaded()> load);

  const Options options_;
  Mutex mu_;
  std::set<std::string> waiting_ ABSL_GUARDED_BY(mu_);  // names that ReloadIfChanged() has queued
  bool saves_again_ ABSL_GUARDED_BY(mu_) = false;       // a Save() is due, as the last one failed
  JobThread thread_;
};

}  // namespace digit
