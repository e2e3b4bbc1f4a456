// Objects that are used again and again instead of being made anew. Keeps at most `capacity`; thread-safe.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "base/mutex.h"

namespace digit {

template <typename T>
class FreeList {
 public:
  explicit FreeList(size_t capacity) : capacity_(capacity) {}

  // One that was given back, as it was then, or a new one.
  std::unique_ptr<T> Take() ABSL_LOCKS_EXCLUDED(mu_) {
    {
      MutexLock lock(&mu_);
      if (!free_.empty()) {
        std::unique_ptr<T> object = std::move(free_.back());  // the last one used: its memory is still in a cache
        free_.pop_back();
        return object;
      }
    }
    return std::make_unique<T>();
  }
  // Keeps it, or deletes it when `capacity` are kept already.
  void Give(std::unique_ptr<T> object) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    if (free_.size() < capacity_) free_.push_back(std::move(object));
  }
  size_t size() const ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    return free_.size();
  }

 private:
  const size_t capacity_;
  mutable Mutex mu_;
  std::vector<std::unique_ptr<T>> free_ ABSL_GUARDED_BY(mu_);
};

}  // namespace digit
