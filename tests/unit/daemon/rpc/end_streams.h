#pragma once

#include <thread>

#include "daemon/rpc/open_streams.h"

namespace digit {

// As a drain ends streams whose senders are held back: ends those that read no more, once they have answered.
inline void EndStreams(OpenStreams* streams) {
  streams->StopReading();
  while (streams->size() > 0) {
    streams->EndIdle(absl::ZeroDuration());
    std::this_thread::yield();
  }
}

}  // namespace digit
