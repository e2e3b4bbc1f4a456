// A bound on what all connections hold together of bodies.
#pragma once

#include <atomic>
#include <cstdint>

namespace digit {

// Thread-safe.
class ByteBudget {
 public:
  explicit ByteBudget(int64_t limit) : limit_(limit) {}

  // What one request holds; given back when it is done. Used on one thread.
  class Share {
   public:
    explicit Share(ByteBudget* budget) : budget_(budget) {}
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;
    ~Share() {
      if (bytes_ > 0) budget_->used_.fetch_sub(bytes_, std::memory_order_relaxed);
    }

    // False: there is no room for so much more.
    bool Take(size_t more) {
      const auto bytes = static_cast<int64_t>(more);
      if (budget_->used_.fetch_add(bytes, std::memory_order_relaxed) + bytes > budget_->limit_) {
        budget_->used_.fetch_sub(bytes, std::memory_order_relaxed);
        return false;
      }
      bytes_ += bytes;
      return true;
    }

   private:
    ByteBudget* const budget_;
    int64_t bytes_ = 0;
  };

 private:
  const int64_t limit_;
  std::atomic<int64_t> used_{0};
};

}  // namespace digit
