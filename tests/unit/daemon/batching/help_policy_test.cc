#include "daemon/batching/help_policy.h"

#include "gtest/gtest.h"

namespace digit {
namespace {

CostModel CostOf(absl::Duration fixed, absl::Duration per_image) {
  CostModel cost;
  for (int n : {1, 16, 1, 16}) cost.Observe(n, fixed + n * per_image);
  return cost;
}

TEST(HelpPolicyTest, TakesWhatItWillHaveDoneFirst) {
  const CostModel cost = CostOf(absl::Microseconds(10), absl::Microseconds(20));
  EXPECT_EQ(ImagesToHelpWith({.max_images = 32, .others_done = absl::Microseconds(29)}, cost), 0);
  EXPECT_EQ(ImagesToHelpWith({.max_images = 32, .others_done = absl::Microseconds(31)}, cost), 1);
  EXPECT_EQ(ImagesToHelpWith({.max_images = 32, .others_done = absl::Microseconds(115)}, cost), 5);
}

TEST(HelpPolicyTest, TakesNoMoreThanItsLimit) {
  const CostModel cost = CostOf(absl::Microseconds(10), absl::Microseconds(20));
  EXPECT_EQ(ImagesToHelpWith({.max_images = 7, .others_done = absl::Seconds(1)}, cost), 7);
  EXPECT_EQ(ImagesToHelpWith({.max_images = 1024, .others_done = absl::InfiniteDuration()}, cost), 1024);
  EXPECT_EQ(ImagesToHelpWith({.max_images = 0, .others_done = absl::Seconds(1)}, cost), 0);
}

TEST(HelpPolicyTest, DoesNothingBeforeItsCostIsKnown) {
  EXPECT_EQ(ImagesToHelpWith({.max_images = 32, .others_done = absl::Seconds(1)}, CostModel()), 0);
}

}  // namespace
}  // namespace digit
