// Runs a check on every instruction set that the CPU engine is compiled for and this machine has.
#pragma once

#include "model/engine/simd_targets.h"
// The list above comes first.
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <functional>

namespace digit {

// From here on the kernels run on one instruction set, until the destructor. Not for several threads.
class UseTarget {
 public:
  explicit UseTarget(int64_t target) { Set(target); }
  ~UseTarget() { Set(0); }

 private:
  static void Set(int64_t target) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
};

inline void OnEveryTarget(const std::function<void()>& check) {
  const std::vector<int64_t> targets = hwy::SupportedAndGeneratedTargets();
  ASSERT_FALSE(targets.empty());
  for (int64_t target : targets) {
    const UseTarget use(target);
    ASSERT_STREQ(SimdTargetName(), hwy::TargetName(target));
    SCOPED_TRACE(SimdTargetName());
    check();
  }
}

}  // namespace digit
