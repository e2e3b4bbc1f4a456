// The streams of a service that are open, so that a server that drains can end them.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"

namespace digit {

// A stream as a drain sees it. All methods are thread-safe.
class OpenStream {
 public:
  virtual ~OpenStream() = default;
  // Begins to read.
  virtual void Start() = 0;
  // Ends the stream with UNAVAILABLE unless something is unanswered or has come or gone since `since`: when a server
  // drains, a stream that nobody uses must not hold it up. A message that is on its way is then not read; the client
  // knows from the status that it was not answered.
  virtual void EndIfIdle(SteadyTime since) = 0;
  // Reads no more; what was read is answered, and the stream stays open until EndIfIdle(), so that the answers arrive
  // first: gRPC closes a draining connection with its last stream, Linux resets it when the client sends more, and the
  // client may see that before what it has not yet read.
  virtual void StopReading() = 0;
};

// Thread-safe.
class OpenStreams {
 public:
  explicit OpenStreams(const Clock* clock) : clock_(clock) {}

  // Keeps the stream until Forget(), and starts it, or ends it at once after StopReading().
  void Add(const std::shared_ptr<OpenStream>& stream) ABSL_LOCKS_EXCLUDED(mu_);
  void Forget(OpenStream* stream) ABSL_LOCKS_EXCLUDED(mu_);

  // Ends the streams on which nothing is unanswered and nothing has moved for `idle_for`, with UNAVAILABLE. For
  // shutdown: the server waits for open streams.
  void EndIdle(absl::Duration idle_for) ABSL_LOCKS_EXCLUDED(mu_);
  // Reads no stream any more; what was read is answered, and EndIdle() ends them. New streams end at once.
  void StopReading() ABSL_LOCKS_EXCLUDED(mu_);

  int size() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  std::vector<std::shared_ptr<OpenStream>> All() const ABSL_LOCKS_EXCLUDED(mu_);

  const Clock* const clock_;
  mutable Mutex mu_;
  // Each until its OnDone(), and a moment longer while somebody ends it.
  std::map<OpenStream*, std::shared_ptr<OpenStream>> streams_ ABSL_GUARDED_BY(mu_);
  bool reading_stopped_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace digit
