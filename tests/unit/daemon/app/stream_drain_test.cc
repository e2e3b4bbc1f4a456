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
                  idle_for_ = idle_for;
                  ++idle_calls_;
                },
            .stop_reading = [this] { ++stop_calls_; },
            .clock = &clock_};
  }

  SimulatedClock clock_;
  const SteadyTime start_ = clock_.Now();
  std::atomic<int> idle_calls_ = 0, stop_calls_ = 0;
  std::atomic<absl::Duration> idle_for_ = absl::ZeroDuration();
};

TEST_F(StreamDrainTest, IdleStreamsEndFromTheStartAndReadingStopsAtThreeQuarters) {
  StreamDrain drain(OptionsOf(absl::Milliseconds(4200)));
  SteadyTime next = start_;
  for (int tick = 1; tick <= 25; ++tick) {
    next = next + absl::Milliseconds(125);
    clock_.WaitForSleeperDueAt(next);
    EXPECT_EQ(idle_calls_, tick);
    clock_.Advance(absl::Milliseconds(125));
  }
  EXPECT_EQ(idle_for_.load(), StreamDrain::kIdleFor);
  clock_.WaitForSleeperDueAt(start_ + absl::Milliseconds(3150));  // not 3250: three quarters come first
  EXPECT_EQ(stop_calls_, 0);
  clock_.Advance(absl::Milliseconds(25));
  clock_.WaitForSleeperDueAt(start_ + absl::Milliseconds(3275));
  EXPECT_EQ(stop_calls_, 1);
  clock_.Advance(absl::Milliseconds(125));
  clock_.WaitForSleeperDueAt(start_ + absl::Milliseconds(3400));
  EXPECT_EQ(stop_calls_, 1);
  EXPECT_EQ(idle_calls_, 28);
}

TEST_F(StreamDrainTest, AShortDrainLeavesTimeToComeToRest) {
  StreamDrain drain(OptionsOf(absl::Milliseconds(800)));
  clock_.WaitForSleeperDueAt(start_ + absl::Milliseconds(25));
  EXPECT_EQ(idle_for_.load(), absl::Milliseconds(100));
}

TEST_F(StreamDrainTest, WithoutTimeReadingStopsAtOnce) {
  StreamDrain drain(OptionsOf(absl::ZeroDuration()));
  clock_.WaitForSleeperDueAt(start_ + absl::Milliseconds(1) / 4);
  EXPECT_EQ(stop_calls_, 1);
}

}  // namespace
}  // namespace digit
