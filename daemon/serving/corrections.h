// The core calls about corrections and about how models do. Transport-free.
//
// A picture is framed on the decode pool as Recognize frames it, so that what is stored is what the model saw. What
// touches the store, which blocks on a disk, runs on one thread, "feedback"; what waits for it is bounded. Thread-safe;
// no call blocks, but StatsNow().
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/job_thread.h"
#include "base/mutex.h"
#include "daemon/feedback/feedback_store.h"
#include "daemon/registry/model_registry.h"
#include "daemon/serving/decode_pool.h"
#include "daemon/serving/model_stats.h"
#include "daemon/serving/recognizer.h"
#include "model/image/image_framer.h"

namespace digit {

class FeedbackMetrics;

struct CorrectionCall {
  std::string model;    // empty: the default
  std::string version;  // that answered, or a label; need not be loaded; empty: unknown
  ImageInput image;
  std::optional<std::string> answered;  // a label or kNotADigitLabel; absent: unknown
  std::string truth;                    // the same
  std::string source;                   // who says so; not empty
  TaskClass task_class;
  SteadyTime deadline = SteadyTime::InfiniteFuture();  // for framing; what is framed then is stored
};

class Corrections {
 public:
  struct Options {
    ModelRegistry* registry = nullptr;  // not owned, like the next two
    DecodePool* decode_pool = nullptr;  // its threads come here: it must go first
    FeedbackStore* store = nullptr;
    ImageLimits image_limits;
    int max_waiting = 1000;              // calls for the store; each holds some 2 KiB. Guess
    const Clock* clock = SteadyClock();  // not owned
    std::function<absl::Time()> wall_time = [] { return absl::UnixEpoch(); };  // when something was said
    FeedbackMetrics* metrics = nullptr;                                        // not owned; null: not counted
  };
  explicit Corrections(Options options);

  template <typename T>
  using Done = std::function<void(absl::StatusOr<T>)>;  // once, on any thread; must not block

  // The bytes that call.image points to must stay until `done` has run. As FeedbackStore::Add; also NOT_FOUND: no such
  // model; INVALID_ARGUMENT: no usable picture, or a label, version or source that cannot be; RESOURCE_EXHAUSTED: too
  // many pictures or corrections wait. After Stop(), `done` is destroyed uncalled; so with the next ones.
  void Submit(CorrectionCall call, Done<FeedbackStore::Added> done);
  void List(FeedbackStore::Query query, Done<std::vector<StoredCorrection>> done);
  void Review(std::vector<int64_t> ids, CorrectionState state, Done<std::vector<StoredCorrection>> done);
  // Empty `model`: the default. NOT_FOUND: there is none.
  void Stats(const std::string& model, Done<ModelStats> done);
  // The same at once; blocks on the store.
  absl::StatusOr<ModelStats> StatsNow(const std::string& model) const;
  // Of every model, for whoever looks often. Corrections are as they were when the store was last read, or UNAVAILABLE:
  // it has not been read yet, or could not be. Has it read anew, on the thread, when that was kReadAgain ago.
  static constexpr absl::Duration kReadAgain = absl::Seconds(10);  // guess: it goes through all corrections
  std::vector<ModelStats> LatestStats();

  // Waits for the call under way and drops the others. Idempotent.
  void Stop() { thread_.Stop(); }

 private:
  class FrameTask;
  using Counts = std::map<std::string, std::vector<FeedbackStore::AnswerCount>>;  // by model

  absl::StatusOr<Correction> Check(const CorrectionCall& call, Framing* framing) const;
  void Store(Correction correction, Done<FeedbackStore::Added> done);
  absl::StatusOr<ModelStats> AnswerStats(const std::string& model) const;  // without corrections
  void ReadCounts();                                                       // on the thread
  // Runs `job` on the thread and hands its result to `done`.
  template <typename T>
  void Run(std::function<absl::StatusOr<T>()> job, Done<T> done);

  const Options options_;
  std::atomic<int> waiting_{0};
  Mutex mu_;
  std::shared_ptr<const Counts> counts_ ABSL_GUARDED_BY(mu_) =
      std::make_shared<Counts>();  // as the store had them last
  bool reading_ ABSL_GUARDED_BY(mu_) = false;
  SteadyTime read_again_ ABSL_GUARDED_BY(mu_);
  JobThread thread_;
};

}  // namespace digit
