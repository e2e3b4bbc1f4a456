#include "daemon/rpc/open_streams.h"

namespace digit {

void OpenStreams::Add(const std::shared_ptr<OpenStream>& stream) {
  bool read = false;
  {
    MutexLock lock(&mu_);
    streams_.emplace(stream.get(), stream);
    read = !reading_stopped_;
  }
  if (read) return stream->Start();
  stream->StopReading();
  stream->EndIfIdle(SteadyTime::InfiniteFuture());
}

void OpenStreams::Forget(OpenStream* stream) {
  decltype(streams_)::node_type done;  // deleted outside the lock
  MutexLock lock(&mu_);
  done = streams_.extract(stream);
}

std::vector<std::shared_ptr<OpenStream>> OpenStreams::All() const {
  std::vector<std::shared_ptr<OpenStream>> streams;
  MutexLock lock(&mu_);
  for (const auto& [_, stream] : streams_) streams.push_back(stream);
  return streams;
}

int OpenStreams::size() const {
  MutexLock lock(&mu_);
  return static_cast<int>(streams_.size());
}

void OpenStreams::EndIdle(absl::Duration idle_for) {
  const SteadyTime since = clock_->Now() - idle_for;
  for (const auto& stream : All()) stream->EndIfIdle(since);
}

void OpenStreams::StopReading() {
  {
    MutexLock lock(&mu_);
    reading_stopped_ = true;
  }
  for (const auto& stream : All()) stream->StopReading();
}

}  // namespace digit
