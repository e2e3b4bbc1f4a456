// A fixed array of floats for the SIMD kernels.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>

namespace digit {

// Zeroed; begins on a cache line, so that no vector lies across two. Allocates once.
class AlignedFloats {
 public:
  explicit AlignedFloats(size_t size)
      : size_(size), data_(static_cast<float*>(::operator new(size * sizeof(float), kAlignment))) {
    std::fill_n(data(), size_, 0.0f);
  }
  float* data() { return data_.get(); }
  const float* data() const { return data_.get(); }
  float& operator[](size_t i) { return data_[i]; }
  float operator[](size_t i) const { return data_[i]; }
  size_t size() const { return size_; }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Delete {
    void operator()(float* data) const { ::operator delete(data, kAlignment); }
  };
  size_t size_;
  std::unique_ptr<float[], Delete> data_;
};

}  // namespace digit
