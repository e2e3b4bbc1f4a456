#include "daemon/app/stream_drain.h"

#include <atomic>

#include "gtest/gtest.h"
#include "tests/support/simulated_clock.h"

namespace digit {
namespace {

class StreamDrainTest : public ::testing::Test {
 protected:
  StreamDrain::Options OptionsOf(absl::Duration timeout) {
    return {.timeout = timeout,
            .end_idle =
                [this](absl::Duration idle_for) {
                  EXPECT_EQ(idle_for, StreamDrain::kIdleFor);
                  ++idle_calls_;
                },
            .end_all = [this] { ++all_calls_; },
            .clock = &clock_};
  }

  SimulatedClock clock_;
  const SteadyTime start_ = clock_.Now();
  std::atomic<int> idle_calls_ = 0, all_calls_ = 0;
};

TEST_F(StreamDrainTest, IdleStreamsEndFromTheStartAndAllAtThreeQuarters) {
  StreamDrain drain(OptionsOf(absl::Milliseconds(400)));
  clock_.WaitForSleeperDueAt(start_ + absl::Milliseconds(125));
  EXPECT_EQ(idle_calls_, 1);
  clock_.Advance(absl::Milliseconds(125));
  clock_.WaitForSleeperDueAt(start_ + absl::Milliseconds(250));
  EXPECT_EQ(idle_calls_, 2);
  clock_.Advance(absl::Milliseconds(125));
  clock_.WaitForSleeperDueAt(start_ + absl::Milliseconds(300));  // not 375: three quarters come first
  EXPECT_EQ(all_calls_, 0);
  clock_.Advance(absl::Milliseconds(50));
  clock_.WaitForSleeperDueAt(start_ + absl::Milliseconds(425));
  EXPECT_EQ(all_calls_, 1);
  clock_.Advance(absl::Milliseconds(125));
  clock_.WaitForSleeperDueAt(start_ + absl::Milliseconds(550));
  EXPECT_EQ(all_calls_, 1);
  EXPECT_EQ(idle_calls_, 5);
}

TEST_F(StreamDrainTest, WithoutTimeAllEndAtOnce) {
  StreamDrain drain(OptionsOf(absl::ZeroDuration()));
  clock_.WaitForSleeperDueAt(start_ + absl::Milliseconds(125));
  EXPECT_EQ(all_calls_, 1);
}

}  // namespace
}  // namespace digit
