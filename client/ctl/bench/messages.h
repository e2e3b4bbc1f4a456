// The requests of a benchmark, serialised once and sent many times.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/ctl/bench/options.h"
#include "client/ctl/bench/pictures.h"

namespace digit {

// Message m holds images_per_message pictures from number m * images_per_message on, going round; there are as many
// messages as it takes to send every picture. Thread-safe. The buffers point into this object, which must outlive the
// calls that carry them; what differs from one sending to the next (id, wish for timing) is a few bytes behind the
// shared ones, which protobuf's rule of merging repeated fields allows.
class MessageSet {
 public:
  // `timeout` goes into messages of a stream.
  MessageSet(const BenchPictures& pictures, const BenchOptions& options, const std::string& model,
             const std::string& version, absl::Duration timeout);

  int size() const { return static_cast<int>(bodies_.size()); }
  int images_per_message() const { return images_per_message_; }
  // Index of picture `i` of message `m`.
  int Picture(int m, int i) const {
    return static_cast<int>((static_cast<int64_t>(m) * images_per_message_ + i) % pictures_);
  }

  // A RecognizeRequest.
  grpc::ByteBuffer Unary(int m, bool timed) const;
  // A RecognizeStreamRequest.
  grpc::ByteBuffer Streamed(int m, bool timed, uint64_t id) const;

 private:
  const int images_per_message_;
  const int pictures_;
  std::vector<std::string> bodies_;  // RecognizeRequest, or RecognizeStreamRequest without id, for mode stream
  std::string timed_suffix_;         // the same with nothing but include_timing
};

}  // namespace digit
