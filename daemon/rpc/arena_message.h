// A protobuf message on an arena whose first block is part of this object.
//
// A message that fits the block is made, filled and dropped without malloc but for strings of 16 bytes and more; what a
// larger one takes beyond the block goes back to the heap with Drop(), so nothing large is ever kept. Not thread-safe.
#pragma once

#include <cstddef>
#include <optional>

#include "google/protobuf/arena.h"

namespace digit {

template <typename Message, size_t kBlockBytes>
class ArenaMessage {
 public:
  ArenaMessage() = default;
  ArenaMessage(const ArenaMessage&) = delete;
  ArenaMessage& operator=(const ArenaMessage&) = delete;

  // An empty message in place of the one before. The block serves the thread that calls this; protobuf takes other
  // threads' share of an arena from the heap, so call it where the message will be filled.
  Message* New() {
    Drop();
    google::protobuf::ArenaOptions options;
    options.initial_block = block_;
    options.initial_block_size = kBlockBytes;
    options.start_block_size = 1 << 10;
    options.max_block_size = 64 << 10;
    arena_.emplace(options);
    message_ = google::protobuf::Arena::CreateMessage<Message>(&*arena_);
    return message_;
  }
  // Frees the message and all it holds but the block.
  void Drop() {
    message_ = nullptr;
    arena_.reset();
  }
  // nullptr before New() and after Drop().
  Message* get() const { return message_; }

 private:
  alignas(8) char block_[kBlockBytes];  // not initialised: only what is used is touched
  std::optional<google::protobuf::Arena> arena_;
  Message* message_ = nullptr;
};

}  // namespace digit
